//! The home folder: made with what is missing in it, and held by one daemon at a time. What the
//! stores keep inside is left to them.

use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::escape;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a start asks for a home that another holds, and how long it waits before it asks again:
/// two seconds in all. A process that was killed holds what it held until its last thread is gone, and
/// whoever starts the next one at once can't know when that is.
const TRIES: usize = 200;
const PAUSE: Duration = Duration::from_millis(10);

/// What stands in a new `users.txt`.
const USERS: &str = "\
# Accounts of gatepost, one a line: name|secret or name|secret|role
#
# Nobody can log in until there is an account. Make one with
#
#     gatepost user add NAME
#
# which asks for the password and writes an Argon2id string here. The form of the socket course,
# the bare MD5 of salt + password, works too and is replaced by the Argon2id form at the first
# login. Roles are user (the default) and admin. Examples, commented out:
#
# zhangsan|4bb2baeae9d1d2a1e5aa37f04f7c1b5d
# lisi|$argon2id$v=19$m=19456,t=2,p=1$…salt…$…hash…|admin
";

/// A home folder that this process alone serves, until this value is dropped or the process ends,
/// however it ends.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    _lock: File,
}

impl Home {
    /// Makes what is missing in `path` and takes the home. Waits for two seconds at most if another
    /// daemon has it, which may have been killed just now.
    ///
    /// # Errors
    ///
    /// [`Exit::TryAgain`] if another daemon keeps it, [`Exit::InputOutput`] when the folder or
    /// something in it can't be made. What was made stays.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        Self::open_with(path, std::thread::sleep)
    }

    fn open_with(path: &Path, pause: impl FnMut(Duration)) -> Result<Self, Failure> {
        let failed = |place: &Path, error: io::Error| {
            let place = escape(&place.to_string_lossy()).into_owned();
            Failure::new(
                Exit::InputOutput,
                format!("the home folder {place}: {error}"),
            )
        };
        if path.exists() && !path.is_dir() {
            let place = escape(&path.to_string_lossy()).into_owned();
            let sentence = format!("the home folder {place} is not a folder");
            return Err(Failure::new(Exit::InputOutput, sentence));
        }
        // Others on the machine need not read what was sent here.
        let folder = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        folder(path).map_err(|error| failed(path, error))?;
        let path = path.canonicalize().map_err(|error| failed(path, error))?;
        let lock = lock(&path, pause, |error| {
            failed(&path.join("gatepost.lock"), error)
        })?;

        let incoming = path.join("uploads/.incoming");
        folder(&incoming).map_err(|error| failed(&incoming, error))?;
        keep(&path).map_err(|error| failed(&path, error))?;
        let users = path.join("users.txt");
        let new = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&users)
            .and_then(|mut file| file.write_all(USERS.as_bytes()));
        match new {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(&users, error)),
            _ => Ok(Self { path, _lock: lock }),
        }
    }

    /// Where it is, without links or dots.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the folder itself outlive a loss of power: what is synced inside it is lost with it. Every
/// folder above it is synced, since an earlier start may have made it and been killed just then.
fn keep(home: &Path) -> io::Result<()> {
    let mut below = home.metadata()?.dev();
    for folder in home.ancestors().skip(1) {
        let above = folder.metadata()?.dev();
        if above != below {
            // Mounted there: this entry was not made by a start, and may be on a disk that can't
            // be written to.
            break;
        }
        match File::open(folder) {
            Ok(folder) => folder.sync_all()?,
            // Whoever may pass but not look can't have made anything there.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
        below = above;
    }
    Ok(())
}

/// Takes the lock file. The lock is the kernel's and ends with the process; the number inside is
/// for people.
fn lock(
    home: &Path,
    mut pause: impl FnMut(Duration),
    failed: impl Fn(io::Error) -> Failure,
) -> Result<File, Failure> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(home.join("gatepost.lock"))
        .map_err(&failed)?;
    let mut tries = 0;
    // Asked again and again: one that waits in the kernel can't be given a deadline.
    while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        tries += 1;
        match error {
            Errno::WOULDBLOCK if tries < TRIES => pause(PAUSE),
            Errno::WOULDBLOCK => return Err(taken(home, &mut file)),
            error => return Err(failed(error.into())),
        }
    }
    let pid = std::process::id();
    file.set_len(0)
        .and_then(|()| writeln!(file, "{pid}"))
        .map_err(failed)?;
    Ok(file)
}

fn taken(home: &Path, file: &mut File) -> Failure {
    let mut pid = String::new();
    // Whoever holds it may be between taking it and writing its number; then it has none.
    let _ = file.take(32).read_to_string(&mut pid);
    let who = match pid.trim().parse::<u32>() {
        Ok(pid) => format!("another daemon, process {pid},"),
        Err(_) => "another daemon".to_owned(),
    };
    let home = escape(&home.to_string_lossy()).into_owned();
    Failure::new(
        Exit::TryAgain,
        format!(
            "{who} already serves the home folder {home}: stop it, or name another with --home"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_missing_is_made_and_what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let home = Home::open(&path).unwrap();
        assert!(home.path().join("uploads/.incoming").is_dir());
        let users = path.join("users.txt");
        assert_eq!(std::fs::read_to_string(&users).unwrap(), USERS);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&users), 0o600);
        assert_eq!(mode(&path), 0o700);
        drop(home);
        std::fs::write(&users, "# mine\n").unwrap();
        drop(Home::open(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&users).unwrap(), "# mine\n");
    }

    #[test]
    fn a_second_daemon_is_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = Home::open(folder.path()).unwrap();
        let mut waited = Duration::ZERO;
        let refused = Home::open_with(folder.path(), |pause| waited += pause).unwrap_err();
        assert_eq!(refused.exit, Exit::TryAgain);
        assert_eq!(waited.as_millis(), 1_990);
        let pid = format!("process {},", std::process::id());
        assert!(refused.sentence.contains(&pid), "{}", refused.sentence);
        drop(first);
        assert!(Home::open(folder.path()).is_ok());
    }

    #[test]
    fn a_home_that_is_just_being_left_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Some(Home::open(folder.path()).unwrap());
        let mut pauses = 0;
        let second = Home::open_with(folder.path(), |_| {
            pauses += 1;
            if pauses == 3 {
                first = None;
            }
        });
        assert!(second.is_ok());
        assert_eq!(pauses, 3);
        let pid = std::fs::read_to_string(folder.path().join("gatepost.lock")).unwrap();
        assert_eq!(pid, format!("{}\n", std::process::id()));
    }

    #[test]
    fn a_home_that_cannot_be_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = Home::open(&file).unwrap_err();
        assert_eq!(refused.exit, Exit::InputOutput);
        let end = "/file is not a folder";
        assert!(refused.sentence.ends_with(end), "{}", refused.sentence);
        let refused = Home::open(&file.join("home")).unwrap_err();
        assert_eq!(refused.exit, Exit::InputOutput);
        assert!(!refused.sentence.contains('\n'));
    }

    #[test]
    fn the_new_users_file_names_nobody() {
        assert!(USERS.lines().all(|line| line.starts_with('#')));
    }
}

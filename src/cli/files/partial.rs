//! A file on its way here: in a partial file beside its name, private and locked, until it is whole,
//! verified and synced; then it gets its name, without replacing anything.

use crate::client::Landing;
use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, RenameFlags, flock, fsync, linkat, openat,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// What the name of a partial ends with; it begins with a dot.
const SUFFIX: &str = ".gatepost-partial";

/// The longest name that a file system takes, in bytes.
const LONGEST_NAME: usize = 255;

/// A file that is not whole yet.
#[derive(Debug)]
pub(in crate::cli) struct Partial {
    folder: File,
    /// The name that it will have.
    name: OsString,
    partial: OsString,
    file: File,
    kept: u64,
}

impl Partial {
    /// Opens what there is of `target`, or begins it.
    ///
    /// # Errors
    ///
    /// If `target` is there already, another process is fetching it, or the system refuses.
    pub(in crate::cli) fn open(target: &Path) -> io::Result<Self> {
        let name = target.file_name().map(OsStr::to_owned);
        let name = name.ok_or_else(|| io::Error::other("is no name of a file"))?;
        let folder = match target.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let folder = File::open(folder)?;
        if statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Err(taken());
        }
        let partial = partial_name(&name);
        let file = open_locked(&folder, &partial)?;
        let kept = file.metadata()?.len();
        Ok(Self {
            folder,
            name,
            partial,
            file,
            kept,
        })
    }

    /// Makes it durable under its name.
    ///
    /// # Errors
    ///
    /// The system's; [`ErrorKind::AlreadyExists`] if something took the name meanwhile. The partial
    /// stays then.
    pub(in crate::cli) fn publish(self) -> io::Result<()> {
        let mode = 0o666 & !umask();
        self.file.set_permissions(Permissions::from_mode(mode))?;
        self.file.sync_all()?;
        let (folder, partial, name) = (&self.folder, &self.partial, &self.name);
        match renameat_with(folder, partial, folder, name, RenameFlags::NOREPLACE) {
            // This file system can't; a second name can't replace anything either.
            Err(Errno::INVAL | Errno::NOSYS) => {
                linkat(folder, partial, folder, name, AtFlags::empty())?;
                unlinkat(folder, partial, AtFlags::empty())?;
            }
            Err(Errno::EXIST) => return Err(taken()),
            renamed => renamed?,
        }
        Ok(fsync(&self.folder)?)
    }

    /// Takes it away, unless there is something in it to go on with.
    pub(in crate::cli) fn leave(self) {
        if self.kept == 0 {
            // How that goes changes nothing for anybody.
            let _ = unlinkat(&self.folder, &self.partial, AtFlags::empty());
        }
    }
}

fn taken() -> io::Error {
    io::Error::new(
        ErrorKind::AlreadyExists,
        "is there already, and nothing is replaced",
    )
}

/// `.NAME.gatepost-partial`, with so much of the name as fits.
fn partial_name(name: &OsStr) -> OsString {
    let most = LONGEST_NAME - 1 - SUFFIX.len();
    let bytes = name.as_bytes();
    let stem = &bytes[..bytes.len().min(most)];
    OsString::from_vec([b".", stem, SUFFIX.as_bytes()].concat())
}

/// Opens the partial for this process alone.
fn open_locked(folder: &File, partial: &OsStr) -> io::Result<File> {
    let flags =
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    loop {
        let file = File::from(openat(folder, partial, flags, Mode::RUSR | Mode::WUSR)?);
        let told = file.metadata()?;
        if !told.is_file() {
            let name = partial.display();
            return Err(io::Error::other(format!("{name} is no file")));
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let other = "is being fetched by another process";
                return Err(io::Error::new(ErrorKind::ResourceBusy, other));
            }
            Err(error) => return Err(error.into()),
        }
        // Whoever held the lock before may have published what was opened here.
        match statat(folder, partial, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if there.st_ino == told.ino() && there.st_dev == told.dev() => {
                return Ok(file);
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What this process leaves out of the rights of new files. Asking the system would set it, for all
/// threads, so it is read.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    let mask = mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok());
    // Where it is not told, nobody else gets rights.
    mask.unwrap_or(0o077)
}

impl Landing for Partial {
    fn kept(&self) -> u64 {
        self.kept
    }

    fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all_at(piece, self.kept)?;
        self.kept += piece.len() as u64;
        Ok(())
    }

    fn read_at(&mut self, piece: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(piece, offset)
    }

    fn start_over(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.kept = 0;
        Ok(())
    }
}

/// Standard output, which takes nothing back.
#[derive(Debug)]
pub(in crate::cli) struct Pipe<W> {
    to: W,
    kept: u64,
}

impl<W: Write> Pipe<W> {
    pub(in crate::cli) fn new(to: W) -> Self {
        Self { to, kept: 0 }
    }
}

impl<W: Write + Send> Landing for Pipe<W> {
    fn kept(&self) -> u64 {
        self.kept
    }

    fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        self.to.write_all(piece)?;
        self.kept += piece.len() as u64;
        self.to.flush()
    }

    fn read_at(&mut self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::Error::other("what was written can't be read back"))
    }

    fn start_over(&mut self) -> io::Result<()> {
        match self.kept {
            0 => Ok(()),
            _ => Err(io::Error::other("what was written can't be taken back")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn it_is_private_and_hidden_until_it_is_whole() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("x");
        let mut partial = Partial::open(&target).unwrap();
        partial.append(b"hel").unwrap();
        assert_eq!(names(home.path()), [".x.gatepost-partial"]);
        let mode = |name: &str| fs::metadata(home.path().join(name)).unwrap().mode() & 0o777;
        assert_eq!(mode(".x.gatepost-partial"), 0o600);
        let busy = Partial::open(&target).unwrap_err();
        assert_eq!(busy.kind(), ErrorKind::ResourceBusy);
        drop(partial);
        // Another process goes on.
        let mut partial = Partial::open(&target).unwrap();
        assert_eq!(partial.kept(), 3);
        partial.append(b"lo").unwrap();
        let mut read = [0; 5];
        assert_eq!(partial.read_at(&mut read, 0).unwrap(), 5);
        partial.publish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"hello");
        assert_eq!(names(home.path()), ["x"]);
        assert_eq!(mode("x"), 0o666 & !umask());
    }

    #[test]
    fn nothing_is_replaced_or_followed() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("x");
        let mut partial = Partial::open(&target).unwrap();
        partial.append(b"new").unwrap();
        fs::write(&target, "old").unwrap();
        assert_eq!(
            partial.publish().unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(names(home.path()), [".x.gatepost-partial", "x"]);
        assert_eq!(
            Partial::open(&target).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );

        let link = home.path().join("y");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(Partial::open(&link).is_err());
        std::os::unix::fs::symlink(&target, home.path().join(".z.gatepost-partial")).unwrap();
        assert!(Partial::open(&home.path().join("z")).is_err());
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert!(Partial::open(Path::new("/")).is_err());
    }

    #[test]
    fn nothing_is_left_of_what_never_began() {
        let home = tempfile::tempdir().unwrap();
        let long = "你".repeat(85);
        let mut partial = Partial::open(&home.path().join(&long)).unwrap();
        assert_eq!(names(home.path()).len(), 1);
        partial.append(b"x").unwrap();
        partial.start_over().unwrap();
        partial.leave();
        assert_eq!(names(home.path()), [""; 0]);
        let mut partial = Partial::open(&home.path().join(&long)).unwrap();
        partial.append(b"x").unwrap();
        partial.leave();
        assert_eq!(names(home.path()).len(), 1);
    }

    #[test]
    fn a_pipe_takes_nothing_back() {
        let mut pipe = Pipe::new(Vec::new());
        pipe.start_over().unwrap();
        pipe.append(b"x").unwrap();
        assert!(pipe.start_over().is_err() && pipe.read_at(&mut [0], 0).is_err());
        assert_eq!((pipe.kept(), pipe.to), (1, b"x".to_vec()));
    }
}

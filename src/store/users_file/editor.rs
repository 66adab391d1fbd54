//! Changes `users.txt` on the disk, for the daemon and for `gatepost user` alike: under the lock
//! file, over a copy that takes the file's place whole or not at all.

use super::super::{Account, Secret, StoreError};
use super::edit::{Change, EditError, apply};
use super::line::{Contents, Fault, parse};
use super::read_regular;
use crate::wire::UserName;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// What a new file says.
const HEADER: &str = "\
# Accounts of gatepost, one a line: name|secret or name|secret|role
#
# Make one with
#
#     gatepost user add NAME
#
# which asks for the password and writes an Argon2id string here. The form of the socket course,
# the bare MD5 of salt + password, works too and is replaced by the Argon2id form at the first
# login. Roles are user (the default) and admin. Changes count at once; of several lines with one
# name the last counts.
";

/// Only the owner: the secrets of the course's form are as good as passwords.
const NEW_FILE_MODE: u32 = 0o600;

/// How often the lock is tried, and how long is waited in between: 5 s in all. Whoever holds it
/// only writes one small file.
const LOCK_TRIES: u32 = 250;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How often an edit begins anew because somebody without the lock changed the file meanwhile.
const EDIT_TRIES: u32 = 8;

/// Edits one `users.txt`. Every method that changes it reads it anew, and blocks.
#[derive(Debug, Clone)]
pub struct UsersEditor {
    path: PathBuf,
}

impl UsersEditor {
    /// An editor of the file at `path`. Touches nothing yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the file with a comment that explains it, for its owner only, unless it is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it is not there and can't be created.
    pub fn create(&self) -> Result<(), StoreError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(NEW_FILE_MODE);
        match options.open(&self.path) {
            Ok(mut file) => Ok(file.write_all(HEADER.as_bytes())?),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The accounts that count, by name, and the lines that don't; none if there is no file.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file can't be read.
    pub fn list(&self) -> Result<(Vec<Account>, Vec<Fault>), StoreError> {
        let file = match read_regular(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            file => file?,
        };
        let Contents { accounts, faults } = parse(&file);
        let mut accounts: Vec<_> = accounts.into_values().collect();
        accounts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((accounts, faults))
    }

    /// Adds `account`; creates the file if it is missing.
    ///
    /// # Errors
    ///
    /// [`EditError::NameTaken`], [`EditError::Unwritable`], or the store's.
    pub fn add(&self, account: &Account) -> Result<(), EditError> {
        self.create()?;
        self.change(Change::Add(account))
    }

    /// Gives the account called `name` a new secret; its role stays.
    ///
    /// # Errors
    ///
    /// [`EditError::NoSuchUser`], or the store's.
    pub fn set_secret(&self, name: &UserName, secret: &Secret) -> Result<(), EditError> {
        self.change_present(name, Change::SetSecret(name, secret))
    }

    /// Removes the account called `name`.
    ///
    /// # Errors
    ///
    /// [`EditError::NoSuchUser`], or the store's.
    pub fn remove(&self, name: &UserName) -> Result<(), EditError> {
        self.change_present(name, Change::Remove(name))
    }

    /// Replaces `account`'s secret if it is still what `account` says, else does nothing.
    ///
    /// # Errors
    ///
    /// The store's; the old secret then stays.
    pub fn replace_secret(&self, account: &Account, secret: &Secret) -> Result<(), EditError> {
        self.change(Change::ReplaceSecret(account, secret))
    }

    /// As [`change`](Self::change), where a missing file means that there is no such user.
    fn change_present(&self, name: &UserName, change: Change<'_>) -> Result<(), EditError> {
        match self.change(change) {
            Err(EditError::Store(StoreError::Io(error)))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                Err(EditError::NoSuchUser(name.clone()))
            }
            outcome => outcome,
        }
    }

    fn change(&self, change: Change<'_>) -> Result<(), EditError> {
        self.change_while(change, |_| {})
    }

    /// Makes `change`. Calls `meanwhile` between writing and replacing, for tests of who else
    /// writes there.
    pub(super) fn change_while(
        &self,
        change: Change<'_>,
        mut meanwhile: impl FnMut(u32),
    ) -> Result<(), EditError> {
        // A link is followed, so that the file it points to is replaced and not the link.
        let path = fs::canonicalize(&self.path)?;
        let _lock = lock(&path)?;
        for attempt in 0..EDIT_TRIES {
            let before = read_regular(&path)?;
            let Some(after) = apply(&before, change)? else {
                return Ok(());
            };
            let replacement = Replacement::write(&path, &after)?;
            meanwhile(attempt);
            // Editors of texts know no lock file.
            if read_regular(&path)? == before {
                return Ok(replacement.publish()?);
            }
        }
        Err(busy("somebody else keeps changing it").into())
    }
}

fn busy(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, reason)
}

/// Takes the lock file beside `path`; the lock goes when the returned file is dropped. The lock
/// file stays: removing it would let two writers hold two different ones.
fn lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(NEW_FILE_MODE);
    let file = options.open(beside(path, ".lock"))?;
    // Made by root for a daemon that is not root, the lock would otherwise shut the daemon out.
    let _ = keep_owner(&file, &fs::metadata(path)?);
    for _ in 0..LOCK_TRIES {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => thread::sleep(LOCK_PAUSE),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(busy("another program is changing it"))
}

/// `path` with `suffix` behind its name: the same folder, hence the same file system.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Gives `file` the owner and group of `model`, as far as that is allowed. Whether the group is
/// now the same.
fn keep_owner(file: &File, model: &Metadata) -> io::Result<bool> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (model.uid(), model.gid()) {
        return Ok(true);
    }
    let both = fchown(file, Some(model.uid()), Some(model.gid()));
    Ok(both
        .or_else(|_| fchown(file, None, Some(model.gid())))
        .is_ok())
}

/// The new contents, whole and synced under another name; removed on drop unless published.
struct Replacement<'a> {
    temporary: PathBuf,
    path: &'a Path,
    published: bool,
}

impl<'a> Replacement<'a> {
    /// Writes `contents` for the file at `path`, whose lock the caller holds.
    fn write(path: &'a Path, contents: &[u8]) -> io::Result<Self> {
        let temporary = beside(path, ".new");
        // Under the lock, one that is there can only be what a crash left.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(NEW_FILE_MODE);
        let mut file = options.open(&temporary)?;
        let replacement = Self {
            temporary,
            path,
            published: false,
        };
        let model = fs::metadata(path)?;
        let mut mode = model.permissions().mode() & 0o777;
        if !keep_owner(&file, &model)? {
            // Another group was never meant to read it.
            mode &= !0o070;
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(contents)?;
        file.sync_all()?;
        Ok(replacement)
    }

    /// Puts it in the file's place and makes that durable. If only the last sync fails the new
    /// contents are there, but a loss of power may bring the old ones back.
    fn publish(mut self) -> io::Result<()> {
        fs::rename(&self.temporary, self.path)?;
        self.published = true;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

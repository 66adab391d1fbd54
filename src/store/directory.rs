//! A folder held open by its descriptor. Whatever is in it is reached by one plain name relative
//! to that descriptor, symbolic links are not followed, and nothing is ever overwritten.
//!
//! What the files mean is left to the engines.

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The permissions of a new file, before the umask.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access {
    /// The operator alone: what is in it may be for one user only.
    Private = 0o600,
    /// Everybody, as for any file.
    Shared = 0o666,
}

/// One open folder.
#[derive(Debug)]
pub(super) struct Directory(OwnedFd);

/// Something found in a folder.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name, if it is UTF-8; otherwise with the bad bytes replaced.
    pub(super) name: String,
    /// Whether it is a regular file, as opposed to a folder, a link or a device.
    pub(super) is_file: bool,
    /// Its size in bytes.
    pub(super) size: u64,
}

/// What tells whether a file is still the same, as far as that can be told without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    /// Its number in the file system.
    pub(super) inode: u64,
    /// Its size in bytes.
    pub(super) size: u64,
    /// When it was last written to, in nanoseconds since 1970.
    pub(super) mtime: i64,
}

impl Stamp {
    /// The stamp of an open file.
    pub(super) fn of(file: impl AsFd) -> io::Result<Self> {
        Ok(Self::from(&fs::fstat(file)?))
    }
}

impl From<&Stat> for Stamp {
    fn from(stat: &Stat) -> Self {
        let seconds = stat.st_mtime.saturating_mul(1_000_000_000);
        Self {
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: seconds.saturating_add_unsigned(stat.st_mtime_nsec),
        }
    }
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

impl Directory {
    /// Opens the folder at `path`, which comes from the operator, never from a client.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(fs::open(path, flags, Mode::empty())?))
    }

    /// Opens the folder `name` in this one and creates it with `mode` if it is missing; the
    /// creation is durable when this returns. `link` says whether it may be a symbolic link.
    pub(super) fn subfolder(&self, name: &str, mode: u32, link: bool) -> io::Result<Self> {
        match fs::mkdirat(self, name, Mode::from_raw_mode(mode)) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, !link);
        Ok(Self(fs::openat(self, name, flags, Mode::empty())?))
    }

    /// Creates the file `name`, which must not be there in any form.
    pub(super) fn create(&self, name: &str, access: Access) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(access as u32);
        Ok(fs::openat(self, name, flags, mode)?.into())
    }

    /// Opens the regular file `name` for reading and writing, if it is there.
    pub(super) fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        // Without NONBLOCK a named pipe would hold the opener until somebody writes to it.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: File = match fs::openat(self, name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if file.metadata()?.is_file() {
            Ok(Some(file))
        } else {
            Err(io::Error::other(format!("{name} is not a regular file")))
        }
    }

    /// Opens the regular file `name` for reading; `None` if there is none, whatever else may be
    /// there. Resolved beneath this folder by the kernel itself, without links of any kind.
    pub(super) fn open_to_read(&self, name: &str) -> io::Result<Option<(File, Stamp)>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = match fs::openat2(self, name, flags, Mode::empty(), resolve) {
            // Old kernels and some sandboxes don't have it; one plain component is as safe without.
            Err(Errno::NOSYS | Errno::PERM) if !name.contains('/') => {
                fs::openat(self, name, flags, Mode::empty())
            }
            opened => opened,
        };
        let file: File = match opened {
            Ok(file) => file.into(),
            // A link, or a device or socket that nobody serves.
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NODEV | Errno::XDEV) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let stat = fs::fstat(&file)?;
        Ok(is_regular(&stat).then(|| (file, Stamp::from(&stat))))
    }

    /// The stamp of the regular file `name`; `None` if there is none, whatever else may be there.
    pub(super) fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        match fs::statat(self, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(is_regular(&stat).then(|| Stamp::from(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// When an entry last came or went, in nanoseconds since 1970.
    pub(super) fn changed(&self) -> io::Result<i64> {
        Ok(Stamp::of(self)?.mtime)
    }

    /// The names of the entries that are no folder, link or device as far as the folder itself
    /// tells, in no order. What is not UTF-8 is left out.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(self)? {
            let entry = entry?;
            if matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown)
                && let Ok(name) = entry.file_name().to_str()
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Whether `name` is taken by anything at all.
    pub(super) fn holds(&self, name: &str) -> io::Result<bool> {
        match fs::statat(self, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes `name` out of the folder.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(self, name, AtFlags::empty())?)
    }

    /// Moves `from` in this folder to `name` in `target`, which is refused with `AlreadyExists` if
    /// that name is taken.
    pub(super) fn rename(&self, from: &str, target: &Self, name: &str) -> io::Result<()> {
        match fs::renameat_with(self, from, target, name, RenameFlags::NOREPLACE) {
            // Some file systems (NFS among them) can't rename without replacing.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.relink(from, target, name),
            done => Ok(done?),
        }
    }

    /// The same with two names for a moment: a hard link never replaces either.
    fn relink(&self, from: &str, target: &Self, name: &str) -> io::Result<()> {
        fs::linkat(self, from, target, name, AtFlags::empty())?;
        self.remove(from)
    }

    /// Makes every creation, renaming and removal in the folder durable. Blocks.
    ///
    /// Each call syncs by a handle of its own: one that has failed is never asked again.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(fs::fsync(self.handle()?)?)
    }

    /// A handle of its own for one later sync. Taken beforehand where a lack of descriptors must
    /// not be mistaken for a sync that failed.
    pub(super) fn handle(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(fs::openat(self, ".", flags, Mode::empty())?)
    }

    /// What is in the folder, in no order.
    pub(super) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::Dir::read_from(self)? {
            let entry = entry?;
            let raw = entry.file_name();
            if matches!(raw.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = fs::statat(self, raw, AtFlags::SYMLINK_NOFOLLOW) else {
                // It went away between the two calls.
                continue;
            };
            entries.push(Entry {
                name: raw.to_string_lossy().into_owned(),
                is_file: is_regular(&stat),
                size: u64::try_from(stat.st_size).unwrap_or(0),
            });
        }
        Ok(entries)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn nothing_is_overwritten_and_no_link_is_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Directory::open(scratch.path()).unwrap();
        drop(home.create("a", Access::Shared).unwrap());
        drop(home.create("b", Access::Shared).unwrap());
        let taken = |result: io::Result<()>| result.unwrap_err().kind();
        assert_eq!(
            taken(home.create("a", Access::Shared).map(drop)),
            ErrorKind::AlreadyExists
        );
        assert_eq!(
            taken(home.rename("a", &home, "b")),
            ErrorKind::AlreadyExists
        );
        assert_eq!(
            taken(home.relink("a", &home, "b")),
            ErrorKind::AlreadyExists
        );

        std::os::unix::fs::symlink("/etc/hostname", scratch.path().join("link")).unwrap();
        assert!(home.holds("link").unwrap());
        assert!(home.open_to_read("link").unwrap().is_none());
        assert!(home.stamp("link").unwrap().is_none());
        assert!(!home.names().unwrap().contains(&"link".to_owned()));
        assert!(home.open_to_read("../x").unwrap().is_none());
        assert!(home.open_to_read("/etc/hostname").unwrap().is_none());
        assert!(home.open_file("link").is_err());
        assert_eq!(
            taken(home.create("link", Access::Shared).map(drop)),
            ErrorKind::AlreadyExists
        );
        assert!(home.subfolder("link", 0o777, false).is_err());
    }

    #[test]
    fn without_the_system_call_a_link_moves_the_file() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Directory::open(scratch.path()).unwrap();
        let inner = home.subfolder("inner", 0o700, false).unwrap();
        drop(inner.create("a", Access::Shared).unwrap());
        inner.relink("a", &home, "moved").unwrap();
        assert!(home.holds("moved").unwrap());
        assert!(!inner.holds("a").unwrap());
    }

    #[test]
    fn a_pipe_is_no_file_and_holds_nobody() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Directory::open(scratch.path()).unwrap();
        let mode = Mode::from_raw_mode(0o600);
        fs::mknodat(&home, "pipe", FileType::Fifo, mode, 0).unwrap();
        assert!(home.open_file("pipe").is_err());
        assert!(home.open_to_read("pipe").unwrap().is_none());
        assert!(home.open_file("absent").unwrap().is_none());
        let entries = home.entries().unwrap();
        assert!(matches!(&entries[..], [Entry { name, is_file: false, .. }] if name == "pipe"));
    }
}

//! The few things a journal asks of its file, behind a trait so that a test can let each of them
//! fail.

use crate::store::directory::Directory;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The file's name in the home folder.
pub(super) const NAME: &str = "messages.log";

/// A file that grows at its end.
pub(super) trait Disk: Send {
    /// Writes `bytes` from the byte `at` on, which is where the last good write ended. May leave
    /// a part of them behind when it fails.
    fn append(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `length` bytes. Never lengthens it.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Takes a new handle on the same file in place of one whose write or sync has failed.
    fn reopen(&mut self) -> io::Result<()>;
}

/// The real one.
#[derive(Debug)]
pub(super) struct FileDisk {
    home: Directory,
    file: File,
}

impl FileDisk {
    /// The open file `messages.log` in `home`.
    pub(super) const fn new(home: Directory, file: File) -> Self {
        Self { home, file }
    }
}

impl Disk for FileDisk {
    fn append(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let now = self.file.metadata()?.len();
        if now < length {
            return Err(io::Error::other(format!(
                "{NAME} has only {now} of the {length} bytes that were made durable"
            )));
        }
        self.file.set_len(length)
    }

    fn reopen(&mut self) -> io::Result<()> {
        let gone = || io::Error::other(format!("{NAME} is gone"));
        match self.home.open_file(NAME) {
            Ok(file) => self.file = file.ok_or_else(gone)?,
            // The disk is not to blame, and it passes: to be tried again like a full disk, not to
            // be fenced.
            Err(error) if is_shortage(&error) => return Err(io::ErrorKind::StorageFull.into()),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Whether the system ran out of descriptors or memory.
fn is_shortage(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

//! What is said of files that are there: who asks, one that is opened, and a list of them.

use crate::wire::{Digest, FileName, UserName};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

/// Who asks for files, and so which ones there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Viewer {
    /// The user; `None` for guests.
    pub user: Option<UserName>,
    /// Whether every file is theirs to see and to remove.
    pub admin: bool,
}

impl Viewer {
    /// Whether a file for `reader` alone, or for everybody, may be seen.
    pub(in crate::store) fn sees(&self, reader: Option<&str>) -> bool {
        self.admin || reader.is_none_or(|reader| self.is(reader))
    }

    /// Whether this is the user `name`.
    pub(in crate::store) fn is(&self, name: &str) -> bool {
        self.user.as_ref().is_some_and(|user| user.as_str() == name)
    }
}

/// A published file, opened to be read. It stays readable when its name goes.
#[derive(Debug)]
pub struct StoredFile {
    /// Its name.
    pub name: FileName,
    /// Its size in bytes when it was opened.
    pub size: u64,
    /// Its digest, if it is known.
    pub digest: Option<Digest>,
    /// Its bytes.
    pub content: Content,
}

/// The bytes of a published file.
#[derive(Debug)]
pub enum Content {
    /// On the disk.
    File(File),
    /// In memory.
    Bytes(Arc<[u8]>),
}

impl Content {
    /// Reads bytes from `offset` on into `buffer`, and tells how many: fewer than fit, or 0, only
    /// at the end. May block.
    ///
    /// # Errors
    ///
    /// The system's refusal.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::File(file) => {
                let mut read = 0;
                while read < buffer.len() {
                    match file.read_at(&mut buffer[read..], offset + read as u64) {
                        Ok(0) => break,
                        Ok(more) => read += more,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(read)
            }
            Self::Bytes(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let rest = bytes.get(from..).unwrap_or_default();
                let read = rest.len().min(buffer.len());
                buffer[..read].copy_from_slice(&rest[..read]);
                Ok(read)
            }
        }
    }

    /// The open file, for the kernel to send from.
    #[must_use]
    pub const fn as_file(&self) -> Option<&File> {
        match self {
            Self::File(file) => Some(file),
            Self::Bytes(_) => None,
        }
    }
}

/// A question for a part of the list of files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListQuery {
    /// Only names that begin with this.
    pub prefix: String,
    /// Only names after this one, in the order of their bytes.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Who asks.
    pub viewer: Viewer,
}

/// One entry of the list of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, if it is known.
    pub digest: Option<Digest>,
    /// Who sent it first; `None` for guests and for what was placed by hand.
    pub owner: Option<UserName>,
    /// When it was published, or changed where it was placed by hand.
    pub time: SystemTime,
}

/// A part of the list of files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilePage {
    /// The files, ascending by name in the order of its bytes.
    pub files: Vec<Listed>,
    /// Whether there are more after the last one.
    pub more: bool,
}

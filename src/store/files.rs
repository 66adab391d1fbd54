//! Files: what a store of them promises. The engines are `folder` (lasting) and `memory`.

use super::{Receipt, StoreError};
use crate::budget::Charge;
use crate::ticket::Ticket;
use crate::wire::{Answer, Digest, FileName, Key, RoomName, UserName, WantedDigest};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

/// A file that wants to be kept.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// The name it asks for.
    pub name: FileName,
    /// Its whole size in bytes, if that is known beforehand.
    pub size: Option<u64>,
    /// The digest that its content must have, or how one is to be computed.
    pub digest: Option<WantedDigest>,
    /// How many of its bytes are here already, from an earlier upload that broke off; 0 starts
    /// over.
    pub offset: u64,
    /// Who sends it; `None` for guests.
    pub owner: Option<UserName>,
    /// What makes it exactly-once within (owner, room), if the sender cares.
    pub key: Option<Key>,
    /// The room it is posted to. In somebody's own room it is for that user alone.
    pub room: Option<RoomName>,
    /// Whether it is synced before it is published.
    pub durable: bool,
}

impl NewFile {
    /// A guest's durable file of which only the name is known.
    #[must_use]
    pub const fn named(name: FileName) -> Self {
        Self {
            name,
            size: None,
            digest: None,
            offset: 0,
            owner: None,
            key: None,
            room: None,
            durable: true,
        }
    }

    /// Which partial upload it goes on with or may become: `None` if it can't be resumed, because
    /// its size or the value of its digest isn't known.
    #[must_use]
    pub fn partial(&self) -> Option<PartialId> {
        match (self.size, self.digest) {
            (Some(size), Some(WantedDigest::Verify(digest))) => Some(PartialId {
                user: self.owner.clone(),
                name: self.name.clone(),
                size,
                digest,
            }),
            _ => None,
        }
    }

    /// The one user who may read it, if it is posted to somebody's own room.
    pub(super) fn reader(&self) -> Option<&str> {
        self.room.as_ref().and_then(RoomName::owner)
    }
}

/// What tells one partial upload from all others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartialId {
    /// Who sends it; all guests together are one.
    pub user: Option<UserName>,
    /// The name it asks for.
    pub name: FileName,
    /// The size of the whole file in bytes.
    pub size: u64,
    /// The digest of the whole file.
    pub digest: Digest,
}

/// How much of a file is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offset {
    /// How many of its first bytes are durable.
    pub bytes: u64,
    /// The name under which the whole file can be had, if it is here.
    pub published: Option<FileName>,
}

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
    pub(super) fn sees(&self, reader: Option<&str>) -> bool {
        self.admin || reader.is_none_or(|reader| self.is(reader))
    }

    /// Whether this is the user `name`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.user.as_ref().is_some_and(|user| user.as_str() == name)
    }
}

/// A file that is whole and visible under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The name it got: the one asked for, or one beside it, as in `photo (2).png`.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, if one was asked for or is known.
    pub digest: Option<Digest>,
    /// Whether it survives a loss of power.
    pub durable: bool,
    /// Whether it was here already: the same file under the same name, or an earlier post with the
    /// same key.
    pub duplicate: bool,
    /// The room it was posted to.
    pub room: Option<RoomName>,
    /// The receipt of that post; `None` without a room, or if its post is not waited for because
    /// the file is not durable.
    pub post: Option<Receipt>,
}

/// Who waits for a file to be published, and how that is put into words. Plain values and a plain
/// function, so that the publishing thread formats nothing.
#[derive(Debug)]
pub struct PendingFile {
    /// The answer owed.
    pub ticket: Ticket,
    /// Turns the outcome into the answer.
    pub answer: fn(Result<Published, &FileError>) -> Answer,
    /// The memory that the post to its room occupies while it is under way.
    pub charge: Charge,
}

/// What a store of files could not do.
#[derive(Debug)]
pub enum FileError {
    /// The disk, or what stands for it, did not do its part.
    Store(StoreError),
    /// An upload wants to go on where it can't: this many bytes are durable.
    Conflict {
        /// Where it can go on.
        offset: u64,
    },
    /// A later upload took over the same partial.
    FencedOut,
    /// The content has another digest than its sender said; nothing of it is kept.
    DigestMismatch {
        /// The digest it has.
        actual: Digest,
    },
    /// Another number of bytes came than was announced; nothing of it is kept.
    WrongSize {
        /// How many bytes were announced.
        announced: u64,
        /// How many came.
        arrived: u64,
    },
    /// The file is not what was expected under its name any more.
    Changed,
    /// There is no such file, as far as the one who asks may know.
    NotFound,
    /// It belongs to somebody else.
    Forbidden,
    /// The user's quota, or that of all users together, does not allow it.
    Quota,
}

impl<E: Into<StoreError>> From<E> for FileError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Conflict { offset } => write!(f, "it can only go on at byte {offset}"),
            Self::FencedOut => f.write_str("a later upload of the same file took over"),
            Self::DigestMismatch { actual } => write!(f, "its digest is {actual}"),
            Self::WrongSize { announced, arrived } => {
                write!(f, "a file of {announced} bytes ended with {arrived}")
            }
            Self::Changed => f.write_str("the file is another one by now"),
            Self::NotFound => f.write_str("there is no such file"),
            Self::Forbidden => f.write_str("the file belongs to somebody else"),
            Self::Quota => f.write_str("the quota does not allow it"),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
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

/// A file that was published now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Its name.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// Who sent it; `None` for guests.
    pub owner: Option<UserName>,
    /// Whether it is for one user alone.
    pub personal: bool,
}

/// Sees files once they are published, whether or not somebody waits for an answer.
pub trait FileWitness: Send + Sync {
    /// These are visible now; a duplicate of an earlier one never gets here. Called on the store's
    /// own thread: must not block.
    fn published(&self, batch: &[Arrival]);
}

impl fmt::Debug for dyn FileWitness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileWitness")
    }
}

/// A store of files. Only what is published is ever opened, listed or removed.
pub trait Files: Send + Sync {
    /// Begins a file, or goes on with one that broke off. Nothing is visible under any name before
    /// it is published. An earlier upload of the same partial is fenced out. May block for as long
    /// as it takes to read what is here already.
    ///
    /// # Errors
    ///
    /// [`FileError::Conflict`] if it does not go on where it broke off, [`FileError::Quota`],
    /// [`StoreError::NoSpace`] if `size` bytes can't be had, or the system's refusal.
    fn begin(&self, file: NewFile) -> Result<Box<dyn Upload>, FileError>;

    /// How much of a file is durable here: all of it if it is published for everybody. May block.
    ///
    /// # Errors
    ///
    /// [`FileError::Store`] if it can't be read.
    fn offset(&self, partial: &PartialId) -> Result<Offset, FileError>;

    /// Opens a published file to be read. With `expected` it must be the one with that digest; may
    /// then block for as long as it takes to compute it.
    ///
    /// # Errors
    ///
    /// [`FileError::NotFound`], [`FileError::Changed`] if it has another digest than `expected`, or
    /// the system's refusal.
    fn open(
        &self,
        name: &FileName,
        viewer: &Viewer,
        expected: Option<Digest>,
    ) -> Result<StoredFile, FileError>;

    /// A part of the list of files. May block.
    ///
    /// # Errors
    ///
    /// [`FileError::Store`] if it can't be read.
    fn list(&self, query: &ListQuery) -> Result<FilePage, FileError>;

    /// Removes a file: an owner gives up its own claim, and the bytes go with the last one; an
    /// admin removes it from all. That is durable when this returns. Blocks.
    ///
    /// # Errors
    ///
    /// [`FileError::NotFound`], [`FileError::Forbidden`] if it belongs to others, or the system's
    /// refusal.
    fn remove(&self, name: &FileName, viewer: &Viewer) -> Result<(), FileError>;

    /// Has `witness` told of every file from now on. Only the first call counts.
    fn observe(&self, witness: Arc<dyn FileWitness>);

    /// Publishes what waits and ends the store's threads. What is published later is refused as
    /// fenced.
    fn close(&self);
}

/// A file on its way in. Dropped, it is suspended.
pub trait Upload: Send {
    /// Appends `piece`. May block.
    ///
    /// # Errors
    ///
    /// [`FileError::FencedOut`], or [`FileError::Store`]; the upload is then lost, or can be resumed
    /// from its durable offset.
    fn write(&mut self, piece: &[u8]) -> Result<(), FileError>;

    /// Corrects what was begun: it is called `name`, and in the place of the first `skip` bytes
    /// that were written stands `front`. Only for what was begun without a digest. May have to copy
    /// the file; blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// [`FileError`]; the upload is then lost.
    fn amend(&mut self, name: FileName, skip: u64, front: &[u8]) -> Result<(), FileError>;

    /// Has the file verified and made visible under its name, or one beside it if that is taken;
    /// nothing that was there is overwritten. Does not wait: `pending` is redeemed when it is done,
    /// if the file asked to be durable once it is on the disk with its name and its post. Files are
    /// named and posted in the order of the calls.
    fn publish(self: Box<Self>, pending: PendingFile);

    /// Breaks the upload off. Makes durable what can be resumed and tells how many bytes that are; 0
    /// if nothing is kept. Blocks.
    fn suspend(self: Box<Self>) -> u64;
}

/// How many bytes an upload of `written` has once `front` stands in the place of the first `skip`.
pub(super) fn amended_size(written: u64, skip: u64, front: &[u8]) -> Result<u64, StoreError> {
    let rest = written.checked_sub(skip).ok_or_else(|| {
        let reason = format!("{skip} bytes can't be left out of {written}");
        StoreError::Io(io::Error::new(io::ErrorKind::InvalidInput, reason))
    })?;
    Ok(rest + front.len() as u64)
}

/// Holds an upload to the size it was begun with, if any, so that nothing is published that isn't
/// whole.
pub(super) fn check_size(announced: Option<u64>, arrived: u64) -> Result<(), FileError> {
    match announced {
        Some(announced) if announced != arrived => Err(FileError::WrongSize { announced, arrived }),
        _ => Ok(()),
    }
}

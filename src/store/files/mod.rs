//! Files: what a store of them promises. The engines are `folder` (lasting) and `memory`.

mod error;
mod reading;
mod sending;

pub use error::FileError;
pub(super) use error::{amended_size, check_size};
pub use reading::{Content, FilePage, ListQuery, Listed, StoredFile, Viewer};
pub use sending::{Arrival, NewFile, Offset, PartialId, PendingFile, Published};

#[cfg(doc)]
use super::StoreError;
use crate::wire::{Digest, FileName};
use std::fmt;
use std::sync::Arc;

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

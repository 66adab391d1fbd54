//! Files: what a store of them promises. The engines are `folder` (lasting) and `memory`.

use super::StoreError;
use crate::wire::{FileName, UserName};
use std::io;

/// A file that wants to be kept.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// The name it asks for.
    pub name: FileName,
    /// Its size in bytes, if that is known beforehand.
    pub size: Option<u64>,
    /// Who sends it; `None` for guests.
    pub owner: Option<UserName>,
    /// Whether it is synced before it is published.
    pub durable: bool,
}

/// A file that is whole and visible under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The name it got: the one asked for, or one beside it, as in `photo (2).png`.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
}

/// A store of files.
pub trait Files: Send + Sync {
    /// Begins a file. Nothing is visible under any name before it is published.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSpace`] if `size` bytes can't be had, or the system's refusal.
    fn begin(&self, file: NewFile) -> Result<Box<dyn Upload>, StoreError>;
}

/// A file on its way in. Dropped, it is abandoned and leaves nothing behind.
pub trait Upload: Send {
    /// Appends `piece`. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the upload is then lost.
    fn write(&mut self, piece: &[u8]) -> Result<(), StoreError>;

    /// Makes the file visible under its name, or one beside it if that is taken; nothing that was
    /// there is overwritten. If it asked to be durable it is on the disk before this returns, with
    /// its name. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`], also if another size was written than it was begun with; nothing is then
    /// visible.
    fn publish(self: Box<Self>) -> Result<Published, StoreError>;
}

/// Holds an upload to the size it was begun with, if any, so that nothing is published that isn't
/// whole.
pub(super) fn check_size(announced: Option<u64>, size: u64) -> Result<(), StoreError> {
    match announced {
        Some(announced) if announced != size => Err(StoreError::Io(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a file of {announced} bytes ended with {size}"),
        ))),
        _ => Ok(()),
    }
}

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

    /// Corrects what was begun: it is called `name`, and in the place of the first `skip` bytes
    /// that were written stands `front`. May have to copy the file; blocks for as long as that
    /// takes.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the upload is then lost.
    fn amend(&mut self, name: FileName, skip: u64, front: &[u8]) -> Result<(), StoreError>;

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
pub(super) fn check_size(announced: Option<u64>, size: u64) -> Result<(), StoreError> {
    match announced {
        Some(announced) if announced != size => Err(StoreError::Io(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a file of {announced} bytes ended with {size}"),
        ))),
        _ => Ok(()),
    }
}

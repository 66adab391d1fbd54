//! What a store of files could not do.

use crate::store::StoreError;
use crate::wire::Digest;
use std::fmt;
use std::io;

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

/// How many bytes an upload of `written` has once `front` stands in the place of the first `skip`.
pub(in crate::store) fn amended_size(
    written: u64,
    skip: u64,
    front: &[u8],
) -> Result<u64, StoreError> {
    let rest = written.checked_sub(skip).ok_or_else(|| {
        let reason = format!("{skip} bytes can't be left out of {written}");
        StoreError::Io(io::Error::new(io::ErrorKind::InvalidInput, reason))
    })?;
    Ok(rest + front.len() as u64)
}

/// Holds an upload to the size it was begun with, if any, so that nothing is published that isn't
/// whole.
pub(in crate::store) fn check_size(announced: Option<u64>, arrived: u64) -> Result<(), FileError> {
    match announced {
        Some(announced) if announced != arrived => Err(FileError::WrongSize { announced, arrived }),
        _ => Ok(()),
    }
}

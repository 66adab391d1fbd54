//! What a client is told when a store could not do its work. The one place where that is decided.

use crate::store::{FileError, StoreError};
use crate::wire::{Code, Refusal};

/// The refusal for `error`. What the operator must know of it is logged, `doing` says where it
/// happened, as in "a file is published"; the client learns no details.
#[must_use]
pub fn refuse(doing: &str, error: &StoreError) -> Refusal {
    match error {
        StoreError::NoSpace => Refusal::new(
            Code::NoSpace,
            "the server's disk is full; nothing was stored",
        ),
        StoreError::Fenced => {
            // The store said it aloud when it happened; after that it may be thousands a second.
            tracing::debug!("refused while {doing}: {error}");
            Refusal::internal()
        }
        StoreError::Io(_) => {
            tracing::error!("failed while {doing}: {error}");
            Refusal::internal()
        }
    }
}

/// The same for what happens to a file.
#[must_use]
pub fn refuse_file(doing: &str, error: &FileError) -> Refusal {
    let code = match error {
        FileError::Store(error) => return refuse(doing, error),
        FileError::Conflict { .. } | FileError::FencedOut | FileError::Changed => Code::Conflict,
        FileError::DigestMismatch { .. } => Code::DigestMismatch,
        FileError::WrongSize { .. } => Code::BadFrame,
        FileError::NotFound => Code::NotFound,
        FileError::Forbidden => Code::Forbidden,
        FileError::Quota => Code::Quota,
    };
    let mut refusal = Refusal::new(code, error.to_string());
    if let FileError::Conflict { offset } = error {
        refusal.fields.push(("offset", (*offset).into()));
    }
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_full_disk_is_told_and_any_other_failure_is_not() {
        let code =
            |error: io::ErrorKind| refuse("", &StoreError::from(io::Error::from(error))).code;
        assert_eq!(code(io::ErrorKind::StorageFull), Code::NoSpace);
        assert_eq!(code(io::ErrorKind::QuotaExceeded), Code::NoSpace);
        assert_eq!(code(io::ErrorKind::PermissionDenied), Code::Internal);
        let fenced = refuse("", &StoreError::Fenced);
        assert_eq!(fenced, Refusal::internal());
    }
}

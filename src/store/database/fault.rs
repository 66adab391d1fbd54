//! What an error of SQLite means for the store: try again, wait for space, or stop writing.

use crate::store::StoreError;
use rusqlite::{Error, ErrorCode, ffi};
use std::io;

/// What went wrong, as far as it decides what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no space; it may come back.
    NoSpace,
    /// The file is damaged.
    Damage,
    /// A write, a sync or something else failed: nobody knows what the disk holds.
    Broken,
}

impl Fault {
    /// What `error` means.
    pub(super) fn of(error: &Error) -> Self {
        let Error::SqliteFailure(failure, _) = error else {
            // A value that is not of the type that its column has.
            return Self::Damage;
        };
        match failure.code {
            ErrorCode::DiskFull => Self::NoSpace,
            // The index of the WAL is a file too, and has to grow.
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Self::NoSpace,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damage,
            _ => Self::Broken,
        }
    }
}

/// Why a commit came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    /// What it means.
    pub(super) fault: Fault,
    /// What the operator is told.
    pub(super) text: String,
}

impl Failure {
    /// Why the file can't be opened. A lack of descriptors or memory passes, and the disk is not
    /// to blame for it.
    pub(super) fn of_opening(error: Error) -> Self {
        let passes = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::CannotOpen | ErrorCode::OutOfMemory | ErrorCode::DatabaseBusy)
        );
        let failure = Self::from(error);
        let fault = if passes {
            Fault::NoSpace
        } else {
            failure.fault
        };
        Self { fault, ..failure }
    }
}

impl Failure {
    /// Why what is there can't be used: the same, but a place that can't be read or a schema that
    /// makes no sense is damage too.
    pub(super) fn of_reading(error: &Error) -> Self {
        let fault = match error {
            Error::SqliteFailure(failure, _)
                if failure.code == ErrorCode::Unknown
                    || matches!(
                        failure.extended_code,
                        ffi::SQLITE_IOERR_READ
                            | ffi::SQLITE_IOERR_SHORT_READ
                            | ffi::SQLITE_IOERR_CORRUPTFS
                    ) =>
            {
                Fault::Damage
            }
            _ => Fault::of(error),
        };
        Self {
            fault,
            text: error.to_string(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            fault: Fault::of(&error),
            text: error.to_string(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let cause = match &error {
            StoreError::Io(error) => error.get_ref().and_then(|cause| cause.downcast_ref()),
            StoreError::NoSpace | StoreError::Fenced => None,
        };
        let fault = match (&error, cause) {
            (_, Some(cause)) => Fault::of(cause),
            (StoreError::NoSpace, None) => Fault::NoSpace,
            _ => Fault::Broken,
        };
        let text = error.to_string();
        Self { fault, text }
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match Fault::of(&error) {
            Fault::NoSpace => Self::NoSpace,
            Fault::Damage | Fault::Broken => Self::Io(io::Error::other(error)),
        }
    }
}

impl StoreError {
    /// The same once more, for another who waits.
    pub(in crate::store) fn again(&self) -> Self {
        match self {
            Self::NoSpace => Self::NoSpace,
            Self::Fenced => Self::Fenced,
            Self::Io(error) => Self::Io(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

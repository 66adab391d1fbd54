//! The only code that touches the disk: users, tokens, messages and files, each behind a trait with a
//! lasting engine and one in memory that pass the same suite.
//!
//! Stores know neither sockets nor the wire's JSON; who may do what is left to the handlers.

mod bans;
mod beside;
#[cfg(test)]
pub(crate) mod conformance;
mod database;
mod digester;
mod directory;
mod files;
mod folder;
mod ledger;
mod memory;
mod messages;
mod search;
mod tokens;
mod users;
mod users_file;

pub use bans::{Ban, Bans, Remembered, Source, SourceError, WhichBans};
pub use database::{Database, Maintenance};
pub use files::{
    Arrival, Content, FileError, FilePage, FileWitness, Files, ListQuery, Listed, NewFile, Offset,
    PartialId, PendingFile, Published, StoredFile, Upload, Viewer,
};
pub use folder::{FileLimits, Folder};
pub use memory::{MemoryBans, MemoryFiles, MemoryMessages, MemoryTokens, MemoryUsers};
pub use messages::{
    Kept, Messages, NewMessage, Page, Pending, PersonalRooms, Query, Range, Receipt, Retention,
    RoomHead, Witness,
};
pub use tokens::{Done, IssuedToken, Tokens, WhichTokens};
pub use users::{Account, Secret, Users};
pub use users_file::{EditError, Fault, UsersEditor, UsersFile};

use std::{fmt, io};

/// What a store could not do.
#[derive(Debug)]
pub enum StoreError {
    /// There is no space left (ENOSPC, EDQUOT); nothing was stored, and it may be tried again.
    NoSpace,
    /// The store is fenced after a failed write or sync; reading goes on.
    Fenced,
    /// The system refused; nothing was stored.
    Io(io::Error),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(error),
        }
    }
}

impl From<rustix::io::Errno> for StoreError {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSpace => f.write_str("no space left on the disk"),
            Self::Fenced => f.write_str("the store is fenced after a failed write"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::NoSpace | Self::Fenced => None,
        }
    }
}

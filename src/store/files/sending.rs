//! What is said of a file that is sent: what it wants to be, and what has become of it.

use super::FileError;
use crate::budget::Charge;
use crate::store::Receipt;
use crate::ticket::Ticket;
use crate::wire::{Answer, Digest, FileName, Key, RoomName, UserName, WantedDigest};

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
    pub(in crate::store) fn reader(&self) -> Option<&str> {
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

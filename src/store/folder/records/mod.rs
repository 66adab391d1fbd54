//! What the database knows of files. What is asked is in `asking`, what is written in `changing`;
//! when each is right to call is left to the callers.

mod asking;
mod changing;

pub(super) use asking::{claims, file, owner, partials, posted, same, stamps, unsettled, usage};
pub(super) use changing::{
    claim, disown, enter, forget, forget_partial, keep_partial, keep_posted, seen, settle,
};

use crate::store::PartialId;
use crate::store::directory::Stamp;
use crate::wire::{Algorithm, Digest, FileName, Key, RoomName, UserName};
use std::time::SystemTime;

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is about to get its name, or has just got it; nobody was told.
    Publishing = 0,
    /// It is whole, has its name, and both are durable.
    Published = 1,
    /// It has its name, but was not synced yet.
    Hasty = 2,
}

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The name it has.
    pub(super) name: FileName,
    /// The name it asked for.
    pub(super) asked: FileName,
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) blake3: Option<[u8; 32]>,
    pub(super) state: State,
    /// The one user who may read it.
    pub(super) reader: Option<String>,
    /// When it was published, to the millisecond.
    pub(super) time: SystemTime,
    /// What it looked like when this was recorded. Another one now: another file.
    pub(super) stamp: Stamp,
    /// Its name in `.incoming`, from where it is published.
    pub(super) incoming: Option<String>,
}

impl Record {
    /// Enters a digest.
    pub(super) const fn set_digest(&mut self, digest: Digest) {
        match digest.algorithm {
            Algorithm::Sha256 => self.sha256 = Some(digest.bytes),
            Algorithm::Blake3 => self.blake3 = Some(digest.bytes),
        }
    }

    /// The digest of that kind, if it is known.
    pub(super) fn digest_of(&self, algorithm: Algorithm) -> Option<Digest> {
        let bytes = match algorithm {
            Algorithm::Sha256 => self.sha256,
            Algorithm::Blake3 => self.blake3,
        };
        bytes.map(|bytes| Digest { algorithm, bytes })
    }

    /// The digest that is told: SHA-256 if it is known, since every machine can check that one.
    pub(super) fn digest(&self) -> Option<Digest> {
        let mut all = Algorithm::ALL.into_iter();
        all.find_map(|algorithm| self.digest_of(algorithm))
    }
}

/// A partial that outlives its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartialRecord {
    /// Its name in `.incoming`.
    pub(super) incoming: String,
    pub(super) id: PartialId,
    /// How many of its bytes are durable.
    pub(super) durable: u64,
    /// When that was last told, to the millisecond.
    pub(super) time: SystemTime,
}

/// What makes a key one: who used it (all guests together are one), where, and the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) user: Option<UserName>,
    pub(super) room: Option<RoomName>,
    pub(super) key: Key,
}

/// How many bytes somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Usage {
    /// Who; `None` for guests.
    pub(super) user: Option<UserName>,
    /// Bytes of the files with a claim of theirs.
    pub(super) bytes: u64,
}

/// A user as it is recorded: guests are the empty name.
fn user_text(user: Option<&UserName>) -> &str {
    user.map_or("", UserName::as_str)
}

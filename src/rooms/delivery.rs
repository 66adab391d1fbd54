//! From committed messages to mails: each push is written once and offered to every reader.

use super::letter::Letter;
use super::members::Mails;
use crate::store::Kept;
use std::sync::Arc;

/// A committed message and those who read its room.
#[derive(Debug)]
pub(super) struct Addressed {
    pub(super) kept: Kept,
    pub(super) mails: Mails,
}

/// Messages that were committed together, in the order of their seqs.
pub(super) type Batch = Vec<Addressed>;

/// What whoever delivers is told.
#[derive(Debug)]
pub(super) enum Work {
    /// Deliver these.
    Deliver(Batch),
    /// Go home.
    Stop,
}

/// Wakes those who move mail to the sockets.
pub trait Bell: Send + Sync {
    /// These connections have mail and had none. A connection may be gone, and may be named more
    /// than once.
    fn ring(&self, connections: &[u64]);
}

/// Wakes nobody: for those who look by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Bell for Silent {
    fn ring(&self, _: &[u64]) {}
}

/// Puts a batch into the mails, which take at most so many bytes each. The connections that have
/// to be told.
pub(super) fn put(batch: Batch, most: usize) -> Vec<u64> {
    let mut woken = Vec::new();
    for Addressed { kept, mails } in batch {
        let letter = Arc::new(Letter::write(kept));
        let offer = |mail: &&Arc<super::mail::Mail>| mail.offer(&letter, most);
        woken.extend(mails.iter().filter(offer).map(|mail| mail.connection));
    }
    woken
}

//! Messages: what a store of them promises. The engines are `journal` (lasting) and `memory`.

use super::StoreError;
use crate::budget::Charge;
use crate::ticket::Ticket;
use crate::wire::{Answer, Key, RoomName, UserName};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// A message that wants to be kept.
#[derive(Debug)]
pub struct NewMessage {
    /// Where it is posted.
    pub room: RoomName,
    /// Who posted it; `None` for guests.
    pub from: Option<UserName>,
    /// What makes it exactly-once, if the sender cares.
    pub key: Option<Key>,
    /// What it says.
    pub text: String,
    /// The memory it occupies until it is committed.
    pub charge: Charge,
    /// Who wants to know that it was committed, whether or not somebody waits for a receipt.
    pub witness: Option<Arc<dyn Witness>>,
}

/// Sees messages once they are committed.
pub trait Witness: Send + Sync {
    /// `message` is committed now; a duplicate of an earlier one never gets here. Called on the
    /// store's own thread, in the order of the seqs: must not block.
    fn kept(&self, message: &NewMessage);
}

impl fmt::Debug for dyn Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

impl NewMessage {
    /// Tells the witness, if there is one and this is no duplicate.
    pub(super) fn tell(&self, receipt: &Receipt) {
        if let Some(witness) = self.witness.as_ref().filter(|_| !receipt.duplicate) {
            witness.kept(self);
        }
    }
}

/// What is known of a message once it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its place in the store's one rising count; from 1.
    pub seq: u64,
    /// The seq of the message before it in the same room; 0 for the first.
    pub prev: u64,
    /// When it was taken in, to the millisecond.
    pub time: SystemTime,
    /// Whether an earlier post with the same key is meant.
    pub duplicate: bool,
}

/// Who waits for a receipt, and how it is put into words. Plain values and a plain function, so
/// that the journal thread formats nothing.
#[derive(Debug)]
pub struct Pending {
    /// The answer owed.
    pub ticket: Ticket,
    /// Turns the outcome into the answer.
    pub answer: fn(RoomName, Result<Receipt, &StoreError>) -> Answer,
}

/// A store of messages.
pub trait Messages: Send + Sync {
    /// Takes `message` in, in the order of the calls, without waiting for the disk. When it is
    /// committed, or can't be, `pending` is redeemed.
    fn post(&self, message: NewMessage, pending: Option<Pending>);

    /// The random id made with the store; when it changed, old seqs mean nothing.
    fn id(&self) -> &str;

    /// Commits what waits and ends the store's thread. Later posts are refused as fenced.
    fn close(&self);
}

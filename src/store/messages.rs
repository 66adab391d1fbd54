//! Messages: what a store of them promises. The engines are `database` (lasting) and `memory`.

use super::StoreError;
use crate::budget::Charge;
use crate::ticket::Ticket;
use crate::wire::{Answer, FileTag, Key, Message, RoomName, UserName};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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
    /// The file that is posted with it.
    pub file: Option<FileTag>,
    /// The memory it occupies for as long as it is under way.
    pub charge: Charge,
}

impl NewMessage {
    /// This message, now that it is committed with `receipt`.
    pub(super) fn kept(self, receipt: &Receipt) -> Kept {
        Kept {
            message: Message {
                room: self.room,
                seq: receipt.seq,
                prev: receipt.prev,
                time: receipt.time,
                from: self.from,
                text: self.text,
                file: self.file,
            },
            charge: self.charge,
        }
    }
}

/// A message that is committed now, on its way to those who want to know.
#[derive(Debug)]
pub struct Kept {
    /// The message.
    pub message: Message,
    /// The memory it still occupies.
    pub charge: Charge,
}

/// Sees messages once they are committed, whether or not somebody waits for a receipt.
pub trait Witness: Send + Sync {
    /// These are committed now, in the order of their seqs; a duplicate of an earlier one never
    /// gets here. Called on the store's own thread: must not block.
    fn kept(&self, batch: Vec<Kept>);
}

impl fmt::Debug for dyn Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
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

/// Which part of a room is wanted. Bounds are seqs, and exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The newest.
    Newest,
    /// The newest of those before this seq.
    Before(u64),
    /// The oldest of those after this seq.
    After(u64),
}

/// A question for a part of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Which room.
    pub room: RoomName,
    /// Which part of it.
    pub range: Range,
    /// At most so many messages; at least 1.
    pub limit: usize,
    /// Texts of at most so many bytes together, but at least one message.
    pub max_bytes: usize,
    /// Only those whose text holds this, not empty, letter case aside for ASCII.
    pub search: Option<String>,
}

/// A part of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The messages, ascending.
    pub messages: Vec<Message>,
    /// Whether the same range has more than fitted: older ones for [`Range::Newest`] and
    /// [`Range::Before`], newer ones for [`Range::After`].
    pub more: bool,
}

/// Whose personal rooms are seen in a list of rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonalRooms<'a> {
    /// Nobody's.
    None,
    /// This user's.
    Of(&'a UserName),
    /// Everybody's.
    All,
}

/// How long messages are kept: until one of the bounds that are set is reached. The oldest go first,
/// some time later and not all at once; the newest of each room stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Those that are older go.
    pub age: Option<Duration>,
    /// Once the texts of all have more bytes together, the oldest go.
    pub bytes: Option<u64>,
}

impl Retention {
    /// As an operator sets it: 0 for either is no bound.
    #[must_use]
    pub fn new(age: Duration, bytes: u64) -> Self {
        Self {
            age: Some(age).filter(|age| !age.is_zero()),
            bytes: Some(bytes).filter(|bytes| *bytes > 0),
        }
    }

    /// Whether messages are kept for ever.
    #[must_use]
    pub const fn is_for_ever(&self) -> bool {
        self.age.is_none() && self.bytes.is_none()
    }

    /// What was taken in before this time, as it is `now`, is too old.
    pub(super) fn cutoff(&self, now: SystemTime) -> Option<SystemTime> {
        now.checked_sub(self.age?)
    }
}

/// A room that has messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomHead {
    /// Its name.
    pub room: RoomName,
    /// The seq of its last message.
    pub head: u64,
}

/// A store of messages. What is read is committed: nothing else is ever seen or counted.
pub trait Messages: Send + Sync {
    /// Takes `message` in, in the order of the calls, without waiting for the disk. When it is
    /// committed, or can't be, `pending` is redeemed; then the witness is told.
    fn post(&self, message: NewMessage, pending: Option<Pending>);

    /// Has `witness` told of every message from now on. Only the first call counts.
    fn observe(&self, witness: Arc<dyn Witness>);

    /// The random id made with the store; when it changed, old seqs mean nothing.
    fn id(&self) -> &str;

    /// The seq of the last message of `room`, 0 if it has none. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it can't be read.
    fn head(&self, room: &RoomName) -> Result<u64, StoreError>;

    /// The highest seq, in any room, of a message taken in before `time`; 0 if there is none. What
    /// comes after it was taken in at `time` or later, as far as the machine's clock only went
    /// forward. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it can't be read.
    fn last_before(&self, time: SystemTime) -> Result<u64, StoreError>;

    /// A part of a room. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it can't be read.
    fn page(&self, query: &Query) -> Result<Page, StoreError>;

    /// The rooms with messages after the name `after` in the order of their bytes, at most
    /// `limit`, and `personal` ones only as it says. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it can't be read.
    fn rooms(
        &self,
        after: Option<&RoomName>,
        limit: usize,
        personal: PersonalRooms<'_>,
    ) -> Result<Vec<RoomHead>, StoreError>;

    /// Commits what waits and ends the store's thread. Later posts are refused as fenced.
    fn close(&self);
}

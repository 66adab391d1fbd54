//! Where tests redeem tickets and wait for what they say.

use crate::budget::Budget;
use crate::store::{FileError, Pending, PendingFile, Published, Receipt, StoreError};
use crate::ticket::{Redeemed, Redeemer, Ticket};
use crate::wire::{Answer, Code, Datum, FileName, Refusal, Reply, RoomName};
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;
use std::time::Duration;

/// Far longer than anything here takes: only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A redeemer that hands what it gets to the test.
pub(crate) struct Desk {
    sender: Sender<Redeemed>,
    receiver: Receiver<Redeemed>,
}

/// What a ticket for a message said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Which request it answered.
    pub(crate) slot: u64,
    /// The receipt, or the code of the refusal.
    pub(crate) receipt: Result<Receipt, Code>,
}

/// What a ticket for a file said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ToldFile {
    /// Which request it answered.
    pub(crate) slot: u64,
    /// What was published, or a code for what went wrong.
    pub(crate) outcome: Result<Published, Code>,
}

impl Desk {
    pub(crate) fn new() -> Arc<Self> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        Arc::new(Self { sender, receiver })
    }

    pub(crate) fn ticket(self: &Arc<Self>, slot: u64) -> Ticket {
        Ticket::new(self.clone(), 1, slot)
    }

    /// The next ticket that is redeemed.
    pub(crate) fn next(&self) -> Redeemed {
        let redeemed = self.receiver.recv_timeout(PATIENCE);
        redeemed.expect("a ticket is redeemed")
    }

    /// The next receipt of a message posted with [`pending`].
    pub(crate) fn told(&self) -> Told {
        let Redeemed { slot, answer, .. } = self.next();
        let receipt = answer.map_err(|refusal| refusal.code).map(|reply| {
            let [seq, prev, time, duplicate] = &reply.fields[..] else {
                panic!("{reply:?}")
            };
            let (
                Datum::Number(seq),
                Datum::Number(prev),
                Datum::Time(time),
                Datum::Flag(duplicate),
            ) = (&seq.1, &prev.1, &time.1, &duplicate.1)
            else {
                panic!("{reply:?}")
            };
            Receipt {
                seq: *seq,
                prev: *prev,
                time: *time,
                duplicate: *duplicate,
            }
        });
        Told { slot, receipt }
    }

    /// The next file published with [`pending_file`].
    pub(crate) fn told_file(&self) -> ToldFile {
        let Redeemed { slot, answer, .. } = self.next();
        let outcome = answer.map_err(|refusal| refusal.code).map(read_file);
        ToldFile { slot, outcome }
    }

    /// Whether no ticket is waiting to be looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }
}

impl Redeemer for Desk {
    fn redeem(&self, batch: Vec<Redeemed>) {
        for redeemed in batch {
            self.sender.send(redeemed).unwrap();
        }
    }
}

/// A wait for the receipt of a message, to be answered at `desk`.
pub(crate) fn pending(desk: &Arc<Desk>, slot: u64) -> Pending {
    Pending {
        ticket: desk.ticket(slot),
        answer: tell,
    }
}

fn tell(_: RoomName, receipt: Result<Receipt, &StoreError>) -> Answer {
    match receipt {
        Ok(receipt) => Ok(Reply::new()
            .with("seq", receipt.seq)
            .with("prev", receipt.prev)
            .with("time", receipt.time)
            .with("duplicate", receipt.duplicate)),
        Err(StoreError::NoSpace) => Err(Refusal::new(Code::NoSpace, "")),
        // A code that no dropped ticket has.
        Err(_) => Err(Refusal::new(Code::GoingAway, "")),
    }
}

/// A wait for a file to be published, to be answered at `desk`.
pub(crate) fn pending_file(desk: &Arc<Desk>, slot: u64) -> PendingFile {
    PendingFile {
        ticket: desk.ticket(slot),
        answer: tell_file,
        charge: Budget::new(1).charge(),
    }
}

/// A code that no dropped ticket has, for each way in which a file can fail.
pub(crate) fn code(error: &FileError) -> Code {
    match error {
        FileError::Store(StoreError::NoSpace) => Code::NoSpace,
        FileError::Store(_) => Code::GoingAway,
        FileError::Conflict { .. } => Code::Conflict,
        FileError::FencedOut => Code::Busy,
        FileError::DigestMismatch { .. } => Code::DigestMismatch,
        FileError::WrongSize { .. } => Code::BadFrame,
        FileError::Changed => Code::UnknownType,
        FileError::NotFound => Code::NotFound,
        FileError::Forbidden => Code::Forbidden,
        FileError::Quota => Code::Quota,
    }
}

fn tell_file(published: Result<Published, &FileError>) -> Answer {
    let published = published.map_err(|error| Refusal::new(code(error), error.to_string()))?;
    let post = published.post.as_ref();
    Ok(Reply::new()
        .with("name", published.name.into_string())
        .with("size", published.size)
        .with("digest", published.digest.map(|digest| digest.to_string()))
        .with("durable", published.durable)
        .with("duplicate", published.duplicate)
        .with("room", published.room.map(RoomName::into_string))
        .with("seq", post.map(|post| post.seq))
        .with("prev", post.map(|post| post.prev))
        .with("time", post.map(|post| post.time))
        .with("again", post.map(|post| post.duplicate)))
}

/// Reads back what [`tell_file`] wrote.
fn read_file(reply: Reply) -> Published {
    let [name, size, digest, durable, duplicate, room, post @ ..] = &reply.fields[..] else {
        panic!("{reply:?}")
    };
    let text = |datum: &Datum| match datum {
        Datum::Text(text) => Some(text.to_string()),
        _ => None,
    };
    Published {
        name: FileName::new(text(&name.1).unwrap()).unwrap(),
        size: match size.1 {
            Datum::Number(size) => size,
            _ => panic!("{size:?}"),
        },
        digest: text(&digest.1).map(|digest| digest.parse().unwrap()),
        durable: durable.1 == Datum::Flag(true),
        duplicate: duplicate.1 == Datum::Flag(true),
        room: text(&room.1).map(|room| RoomName::new(room).unwrap()),
        post: match post {
            [
                (_, Datum::Number(seq)),
                (_, Datum::Number(prev)),
                (_, Datum::Time(time)),
                (_, Datum::Flag(duplicate)),
            ] => Some(Receipt {
                seq: *seq,
                prev: *prev,
                time: *time,
                duplicate: *duplicate,
            }),
            _ => None,
        },
    }
}

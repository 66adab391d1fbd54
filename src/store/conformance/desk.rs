//! Where tests redeem tickets and wait for what they say.

use crate::store::{Pending, Receipt, StoreError};
use crate::ticket::{Redeemed, Redeemer, Ticket};
use crate::wire::{Answer, Code, Datum, Refusal, Reply, RoomName};
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

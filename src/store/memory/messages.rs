//! Messages in memory: committed the moment they are posted.

use crate::store::ledger::{Ledger, to_millis};
use crate::store::{Messages, NewMessage, Pending, Receipt, StoreError};
use crate::ticket::redeem_all;
use crate::time::{Clock, Random};
use crate::wire::{RoomName, UserName};
use parking_lot::Mutex;

/// A store of messages in memory.
#[derive(Debug)]
pub struct MemoryMessages {
    id: String,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ledger: Ledger,
    stored: Vec<StoredMessage>,
    closed: bool,
}

/// A message that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Where it was posted.
    pub room: RoomName,
    /// Who posted it; `None` for guests.
    pub from: Option<UserName>,
    /// What it says.
    pub text: String,
    /// What was told of it.
    pub receipt: Receipt,
}

impl MemoryMessages {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Clock, random: &Random) -> Self {
        Self {
            id: random.hex(16),
            clock,
            state: Mutex::default(),
        }
    }

    /// Every message kept so far, in order.
    #[must_use]
    pub fn stored(&self) -> Vec<StoredMessage> {
        self.state.lock().stored.clone()
    }
}

impl State {
    fn keep(&mut self, message: &NewMessage, clock: &Clock) -> Result<Receipt, StoreError> {
        if self.closed {
            return Err(StoreError::Fenced);
        }
        let time = to_millis(clock.now());
        let receipt = (self.ledger.admit(message, time)).ok_or(StoreError::Fenced)?;
        if !receipt.duplicate {
            self.stored.push(StoredMessage {
                room: message.room.clone(),
                from: message.from.clone(),
                text: message.text.clone(),
                receipt: receipt.clone(),
            });
        }
        Ok(receipt)
    }
}

impl Messages for MemoryMessages {
    fn post(&self, message: NewMessage, pending: Option<Pending>) {
        let kept = self.state.lock().keep(&message, &self.clock);
        if let Ok(receipt) = &kept {
            message.tell(receipt);
        }
        // Redeemed without the lock: the redeemer may post again.
        if let Some(pending) = pending {
            let answer = (pending.answer)(message.room, kept.as_ref().cloned());
            redeem_all([(pending.ticket, answer)]);
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn close(&self) {
        self.state.lock().closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{Kept, MessagesUnderTest, messages_conform};
    use std::sync::Arc;

    struct Memory(Arc<MemoryMessages>);

    impl MessagesUnderTest for Memory {
        fn open(clock: Clock) -> Self {
            Self(Arc::new(MemoryMessages::new(clock, &Random::seeded(1))))
        }

        fn store(&self) -> Arc<dyn Messages> {
            self.0.clone()
        }

        fn kept(&self) -> Vec<Kept> {
            let kept = |message: StoredMessage| Kept {
                seq: message.receipt.seq,
                prev: message.receipt.prev,
                room: message.room.into_string(),
                from: message.from.map(UserName::into_string),
                text: message.text,
            };
            self.0.stored().into_iter().map(kept).collect()
        }
    }

    messages_conform!(Memory);
}

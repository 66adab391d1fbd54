//! Messages in memory: committed the moment they are posted.

use crate::store::ledger::{Ledger, to_millis};
use crate::store::{
    Messages, NewMessage, Page, Pending, PersonalRooms, Query, Range, Receipt, Retention, RoomHead,
    StoreError, Witness,
};
use crate::ticket::redeem_all;
use crate::time::{Clock, Random};
use crate::wire::{Message, RoomName};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// A store of messages in memory.
#[derive(Debug)]
pub struct MemoryMessages {
    id: String,
    clock: Clock,
    retention: Retention,
    witness: OnceLock<Arc<dyn Witness>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ledger: Ledger,
    stored: Vec<Message>,
    closed: bool,
}

impl MemoryMessages {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Clock, random: &Random) -> Self {
        Self {
            id: random.hex(16),
            clock,
            retention: Retention::default(),
            witness: OnceLock::new(),
            state: Mutex::default(),
        }
    }

    /// The same, keeping messages no longer than `retention` says.
    #[must_use]
    pub fn keeping(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Lets go what is no longer to be kept. Each post does it too.
    pub fn prune(&self) {
        let cutoff = self.retention.cutoff(to_millis(self.clock.now()));
        self.state.lock().prune(self.retention, cutoff);
    }

    /// Every message kept so far, in order.
    #[must_use]
    pub fn stored(&self) -> Vec<Message> {
        self.state.lock().stored.clone()
    }

    /// Keeps `message` and tells the witness.
    pub(super) fn keep(&self, message: NewMessage) -> Result<Receipt, StoreError> {
        let mut state = self.state.lock();
        let receipt = state.admit(&message, &self.clock)?;
        if !receipt.duplicate {
            let message = message.kept(&receipt);
            state.stored.push(message.message.clone());
            if let Some(witness) = self.witness.get() {
                // Under the lock, for the order of the seqs.
                witness.kept(vec![message]);
            }
            let cutoff = self.retention.cutoff(receipt.time);
            state.prune(self.retention, cutoff);
        }
        Ok(receipt)
    }
}

impl State {
    fn admit(&mut self, message: &NewMessage, clock: &Clock) -> Result<Receipt, StoreError> {
        if self.closed {
            return Err(StoreError::Fenced);
        }
        let time = to_millis(clock.now());
        (self.ledger.admit(message, time)).ok_or(StoreError::Fenced)
    }

    fn prune(&mut self, retention: Retention, cutoff: Option<SystemTime>) {
        if retention.is_for_ever() {
            return;
        }
        let heads: HashSet<u64> = self.heads().into_values().collect();
        let bytes = |message: &Message| message.text.len() as u64;
        let mut excess = (retention.bytes).map_or(0, |most| {
            let all: u64 = self.stored.iter().map(bytes).sum();
            all.saturating_sub(most)
        });
        let mut gone = HashSet::new();
        for message in &self.stored {
            if excess == 0 && cutoff.is_none_or(|cutoff| message.time >= cutoff) {
                break;
            }
            if !heads.contains(&message.seq) {
                excess = excess.saturating_sub(bytes(message));
                gone.insert(message.seq);
            }
        }
        (self.stored).retain(|message| !gone.contains(&message.seq));
        self.ledger.forget(&gone);
    }

    /// The last message of every room.
    fn heads(&self) -> BTreeMap<&RoomName, u64> {
        let stored = self.stored.iter();
        stored.map(|message| (&message.room, message.seq)).collect()
    }
}

impl Messages for MemoryMessages {
    fn post(&self, message: NewMessage, pending: Option<Pending>) {
        let room = message.room.clone();
        let receipt = self.keep(message);
        // Redeemed without the lock: the redeemer may post again.
        if let Some(pending) = pending {
            let answer = (pending.answer)(room, receipt.as_ref().cloned());
            redeem_all([(pending.ticket, answer)]);
        }
    }

    fn observe(&self, witness: Arc<dyn Witness>) {
        // Only the first counts.
        let _ = self.witness.set(witness);
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn head(&self, room: &RoomName) -> Result<u64, StoreError> {
        Ok(self.state.lock().heads().get(room).copied().unwrap_or(0))
    }

    fn last_before(&self, time: SystemTime) -> Result<u64, StoreError> {
        let state = self.state.lock();
        let before = state.stored.partition_point(|message| message.time < time);
        Ok(state.stored[..before]
            .last()
            .map_or(0, |message| message.seq))
    }

    fn page(&self, query: &Query) -> Result<Page, StoreError> {
        let state = self.state.lock();
        let needle = query.search.as_deref().map(str::to_ascii_lowercase);
        let fits = |message: &&Message| {
            message.room == query.room
                && match query.range {
                    Range::Newest => true,
                    Range::Before(seq) => message.seq < seq,
                    Range::After(seq) => message.seq > seq,
                }
                && (needle.as_ref())
                    .is_none_or(|needle| message.text.to_ascii_lowercase().contains(needle))
        };
        let mut found: Box<dyn Iterator<Item = &Message>> =
            Box::new(state.stored.iter().filter(fits));
        let ascends = matches!(query.range, Range::After(_));
        if !ascends {
            found = Box::new(state.stored.iter().rev().filter(fits));
        }
        let mut page = Page::default();
        let mut bytes = 0;
        for message in found {
            bytes += message.text.len();
            let has_room = page.messages.len() < query.limit && bytes <= query.max_bytes;
            if !has_room && !page.messages.is_empty() {
                page.more = true;
                break;
            }
            page.messages.push(message.clone());
        }
        if !ascends {
            page.messages.reverse();
        }
        Ok(page)
    }

    fn rooms(
        &self,
        after: Option<&RoomName>,
        limit: usize,
        personal: PersonalRooms<'_>,
    ) -> Result<Vec<RoomHead>, StoreError> {
        let state = self.state.lock();
        let is_seen = |room: &RoomName| match (room.owner(), personal) {
            (None, _) | (Some(_), PersonalRooms::All) => true,
            (Some(_), PersonalRooms::None) => false,
            (Some(owner), PersonalRooms::Of(user)) => owner == user.as_str(),
        };
        let heads = state.heads().into_iter();
        let seen =
            heads.filter(|(room, _)| after.is_none_or(|after| *room > after) && is_seen(room));
        let head = |(room, head): (&RoomName, u64)| RoomHead {
            room: room.clone(),
            head,
        };
        Ok(seen.take(limit).map(head).collect())
    }

    fn close(&self) {
        self.state.lock().closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{Kept, MessagesUnderTest, messages_conform, search_conforms};
    use crate::wire::UserName;

    struct Memory(Arc<MemoryMessages>);

    impl MessagesUnderTest for Memory {
        fn open(clock: Clock) -> Self {
            Self(Arc::new(MemoryMessages::new(clock, &Random::seeded(1))))
        }

        fn keeping(clock: Clock, retention: Retention) -> Self {
            let messages = MemoryMessages::new(clock, &Random::seeded(1));
            Self(Arc::new(messages.keeping(retention)))
        }

        fn prune(&self) {
            self.0.prune();
        }

        fn store(&self) -> Arc<dyn Messages> {
            self.0.clone()
        }

        fn kept(&self) -> Vec<Kept> {
            let kept = |message: Message| Kept {
                seq: message.seq,
                prev: message.prev,
                room: message.room.into_string(),
                from: message.from.map(UserName::into_string),
                text: message.text,
            };
            self.0.stored().into_iter().map(kept).collect()
        }
    }

    messages_conform!(Memory);
    search_conforms!(Memory);
}

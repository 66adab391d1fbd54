//! The counting of a store in memory: which seq is next, which message is the last of its room,
//! and which keys were used; and the bounds of seqs and times, which hold for every store.

use super::{NewMessage, Receipt};
use crate::wire::{Key, RoomName, UserName};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The largest seq that is handed out. Numbers beyond it are not exact in every JSON reader.
pub(super) const MAX_SEQ: u64 = 1 << 53;

/// The last millisecond that RFC 3339 can write.
const MAX_MILLIS: u64 = 253_402_300_799_999;

/// What makes a key one: who used it (all guests together are one), where, and the key itself.
type Scope = (Option<UserName>, RoomName, Key);

/// The counters of one store.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    last: u64,
    heads: HashMap<RoomName, u64>,
    keys: HashMap<Scope, Receipt>,
}

impl Ledger {
    /// Gives `message` its place, or the place that the first message with its key got. `None`
    /// once the numbers are used up.
    pub(super) fn admit(&mut self, message: &NewMessage, time: SystemTime) -> Option<Receipt> {
        let scope = scope(message);
        if let Some(first) = scope.as_ref().and_then(|scope| self.keys.get(scope)) {
            return Some(Receipt {
                duplicate: true,
                ..first.clone()
            });
        }
        if self.last >= MAX_SEQ {
            return None;
        }
        let receipt = Receipt {
            seq: self.last + 1,
            prev: self.heads.get(&message.room).copied().unwrap_or(0),
            time,
            duplicate: false,
        };
        self.enter(&message.room, scope, &receipt);
        Some(receipt)
    }

    /// Forgets the keys of messages that are no longer kept: those whose seq is in `gone`.
    pub(super) fn forget(&mut self, gone: &HashSet<u64>) {
        self.keys.retain(|_, receipt| !gone.contains(&receipt.seq));
    }

    fn enter(&mut self, room: &RoomName, scope: Option<Scope>, receipt: &Receipt) {
        self.last = receipt.seq;
        if let Some(head) = self.heads.get_mut(room) {
            *head = receipt.seq;
        } else {
            self.heads.insert(room.clone(), receipt.seq);
        }
        if let Some(scope) = scope {
            self.keys.insert(scope, receipt.clone());
        }
    }
}

fn scope(message: &NewMessage) -> Option<Scope> {
    let key = message.key.clone()?;
    Some((message.from.clone(), message.room.clone(), key))
}

/// `now` to the millisecond, and within what RFC 3339 can write: a machine whose clock is off by
/// ages still takes messages.
pub(super) fn to_millis(now: SystemTime) -> SystemTime {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    UNIX_EPOCH + Duration::from_millis(millis.min(MAX_MILLIS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    fn message() -> NewMessage {
        NewMessage {
            room: RoomName::lobby(),
            from: None,
            key: None,
            text: String::new(),
            charge: Budget::new(1).charge(),
            file: None,
        }
    }

    #[test]
    fn the_numbers_end_before_they_get_inexact() {
        let mut ledger = Ledger {
            last: MAX_SEQ - 1,
            ..Ledger::default()
        };
        let last = ledger.admit(&message(), UNIX_EPOCH).unwrap();
        assert_eq!(last.seq, MAX_SEQ);
        assert_eq!(ledger.admit(&message(), UNIX_EPOCH), None);
    }

    #[test]
    fn a_clock_that_is_off_by_ages_still_gives_a_time() {
        let eon = Duration::from_secs(1 << 40);
        for odd in [UNIX_EPOCH - eon, UNIX_EPOCH + eon] {
            let written = humantime::format_rfc3339_millis(to_millis(odd)).to_string();
            assert_eq!(humantime::parse_rfc3339(&written).unwrap(), to_millis(odd));
        }
    }
}

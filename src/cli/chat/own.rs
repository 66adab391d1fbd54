//! Which arriving messages are one's own: they stand on the screen already, as they were typed.
//!
//! Receipts and arrivals come over two connections, in any order. While a message is on its way,
//! what comes from the same user waits until it is known under which number it was taken.

use crate::wire::{Message, UserName};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeSet;

/// Numbers that are remembered at most; more can only stay when nothing arrives.
const MOST: usize = 1_024;

/// What this chat has said.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Whom messages of this chat come from; `None` for a guest.
    user: Option<String>,
    state: Mutex<State>,
    known: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_saying: bool,
    /// The messages that were said and have not arrived.
    said: BTreeSet<u64>,
}

/// A message on its way. Dropped, it is known how that went.
pub(super) struct Saying<'a>(&'a Own);

impl Own {
    /// What a chat of `user`, or of a guest, says.
    pub(super) fn of(user: Option<&str>) -> Self {
        Self {
            user: user.map(str::to_owned),
            ..Self::default()
        }
    }

    /// Something is about to be said.
    pub(super) fn begin(&self) -> Saying<'_> {
        self.state.lock().is_saying = true;
        Saying(self)
    }

    /// Whether `message`, which arrives, was said here. Asked once for each.
    pub(super) fn is_own(&self, message: &Message) -> bool {
        if message.from.as_ref().map(UserName::as_str) != self.user.as_deref() {
            return false;
        }
        let mut state = self.state.lock();
        self.known.wait_while(&mut state, |state| state.is_saying);
        state.said.remove(&message.seq)
    }
}

impl Saying<'_> {
    /// It was taken under this number.
    pub(super) fn is(&self, seq: u64) {
        let said = &mut self.0.state.lock().said;
        said.insert(seq);
        if said.len() > MOST {
            said.pop_first();
        }
    }
}

impl Drop for Saying<'_> {
    fn drop(&mut self) {
        self.0.state.lock().is_saying = false;
        self.0.known.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::RoomName;
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::{Duration, SystemTime};

    fn message(seq: u64, from: &str) -> Message {
        Message {
            room: RoomName::lobby(),
            seq,
            prev: 0,
            time: SystemTime::UNIX_EPOCH,
            from: UserName::new(from).ok(),
            text: String::new(),
            file: None,
        }
    }

    #[test]
    fn what_was_said_here_is_own_once() {
        let own = Own::of(Some("lisi"));
        own.begin().is(7);
        assert!(!own.is_own(&message(7, "wangwu")) && !own.is_own(&message(7, "")));
        assert!(!own.is_own(&message(6, "lisi")), "said elsewhere");
        assert!(own.is_own(&message(7, "lisi")) && !own.is_own(&message(7, "lisi")));
        let guest = Own::of(None);
        guest.begin().is(8);
        assert!(guest.is_own(&message(8, "")));
    }

    #[test]
    fn an_arrival_waits_for_the_receipt_and_others_do_not() {
        let own = Arc::new(Own::of(Some("lisi")));
        let saying = own.begin();
        assert!(!own.is_own(&message(6, "wangwu")));
        let (sender, answer) = channel();
        let asking = Arc::clone(&own);
        let thread = thread::spawn(move || sender.send(asking.is_own(&message(7, "lisi"))));
        assert!(answer.recv_timeout(Duration::from_millis(20)).is_err());
        saying.is(7);
        drop(saying);
        assert_eq!(answer.recv_timeout(Duration::from_secs(20)), Ok(true));
        thread.join().unwrap().unwrap();
    }

    #[test]
    fn what_never_arrives_is_forgotten_in_the_end() {
        let own = Own::of(None);
        for seq in 0..2 * MOST as u64 {
            own.begin().is(seq);
        }
        assert_eq!(own.state.lock().said.len(), MOST);
        assert!(!own.is_own(&message(0, "")) && own.is_own(&message(2 * MOST as u64 - 1, "")));
    }
}

//! From finished answers to the socket: in the order they are owed, through the outbox, as far as
//! the peer takes them.

use super::connection::Inside;
use super::end::RETRY_AFTER_MS;
use super::source::Transfer;
use super::turn::Turn;
use crate::handler::House;
use crate::wire::{Answer, Id};
use std::io;
use std::time::Instant;

/// What an outbox may hold, in bytes, while the memory of all connections is used up.
const LEAN_OUTBOX: usize = 4 << 10;

impl Turn<'_> {
    /// Moves finished answers to the outbox, and what the socket takes out of it, until there are
    /// none or the socket takes no more: only then does the poller tell when there is room.
    pub(super) fn send(&mut self, inside: &mut Inside) -> io::Result<()> {
        if let Some(stream) = &mut inside.stream {
            match stream.flush() {
                // Reading finds the end, as below.
                Err(error) if has_gone(&error) => inside.readable = true,
                result => result?,
            }
        }
        loop {
            if inside.transfer.is_none() {
                self.collect(inside);
                self.push(inside);
                if inside.outbox.is_empty() {
                    return Ok(());
                }
            }
            if inside.is_muted {
                inside.outbox.clear();
                self.drop_transfer(inside);
                continue;
            }
            match self.transmit(inside) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if has_gone(&error) => {
                    // Without its answers. What it had sent by then may still lie here, and is
                    // served: reading finds the end.
                    tracing::debug!(peer = %inside.session.peer, %error, "a peer left unanswered");
                    inside.is_muted = true;
                    inside.readable = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves to the socket what is in the outbox, then what is in the source behind it. `false`
    /// if some of it must wait.
    fn transmit(&mut self, inside: &mut Inside) -> io::Result<bool> {
        let Some(stream) = &mut inside.stream else {
            return Ok(false);
        };
        inside.was_told = true;
        let more = inside.transfer.as_ref().is_some_and(Transfer::goes_on);
        let before = stream.records_sent();
        let flushed = inside.outbox.flush(stream, more);
        inside.progress += u64::from(stream.records_sent() > before);
        match flushed {
            Ok(progress) => inside.progress += u64::from(progress),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(inside.outbox.is_empty() && self.go_on(inside)?)
    }

    /// Moves answers that may leave to the outbox, as long as it has room.
    pub(super) fn collect(&mut self, inside: &mut Inside) {
        if inside.reader.is_open() {
            return;
        }
        let limit = self.core.house.limits.max_outbox;
        while inside.outbox.len() < limit {
            let Some((id, answer)) = inside.replies.pop() else {
                break;
            };
            match inside.held_back_until(id.as_ref(), &answer) {
                Some(until) => inside.asleep.add(until, id, answer),
                None => self.say(inside, id, &answer),
            }
        }
        if !inside.asleep.is_empty() {
            let now = Instant::now();
            while inside.outbox.len() < limit
                && let Some((id, answer)) = inside.asleep.pop(now)
            {
                self.say(inside, id, &answer);
            }
        }
        if std::mem::take(&mut inside.owes_goodbye) {
            let out = inside.outbox.end();
            inside.conversation.going_away(RETRY_AFTER_MS, out);
        }
        if inside.replies.is_empty() {
            inside.owed = None;
            if let Some(refusal) = inside.last_word.take() {
                inside.conversation.last_word(&refusal, inside.outbox.end());
            }
        }
    }
}

/// Whether writing failed because the peer reads no more.
fn has_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

impl Inside {
    /// Whether nothing is left to say: what is still owed was asked for without an id.
    pub(super) fn has_said_all(&self) -> bool {
        self.outbox.is_empty()
            && self.asleep.is_empty()
            && self.last_word.is_none()
            && !self.owes_goodbye
            && self.replies.is_silent()
            && self.transfer.is_none()
            && self.reader.is_idle()
    }

    /// Whether nothing more is served before the peer has read or answers have left.
    pub(super) fn is_full(&self, house: &House) -> bool {
        let limits = &house.limits;
        // Once the memory of all is used up, nobody's outbox may grow much further.
        let most = if house.budget.is_spent() {
            limits.max_outbox.min(LEAN_OUTBOX)
        } else {
            limits.max_outbox
        };
        self.transfer.is_some()
            || self.outbox.len() >= most
            || self.replies.len() + self.asleep.len() >= self.window
    }

    /// Until when an answer that is ready is held back, if at all.
    fn held_back_until(&self, id: Option<&Id>, answer: &Answer) -> Option<Instant> {
        if !self.has_delays || answer.is_err() {
            return None;
        }
        let delay = self.conversation.delay(id);
        (!delay.is_zero()).then(|| Instant::now() + delay)
    }
}

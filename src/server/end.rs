//! How a connection ends: when it is over, what it is still told, and that a peer gets the last
//! word before the socket goes.

use super::admission::Admission;
use super::connection::{Input, Inside, PERMIT};
use super::shutdown::Phase;
use super::stream::Stream;
use super::turn::{Turn, Verdict};
use super::wait::{Duty, Expired};
use crate::handler::{Order, leave_closed_rooms};
use crate::wire::{Code, Refusal};
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a connection that has nothing more to say is read during a drain.
const FAREWELL: Duration = Duration::from_secs(1);

/// When a client that was told that the server goes away may try again.
pub(super) const RETRY_AFTER_MS: u64 = 1_000;

impl Turn<'_> {
    /// Whether nothing more will be read or said.
    pub(super) fn is_over(&self, inside: &Inside) -> bool {
        inside.input != Input::Open && inside.held.is_none() && inside.has_said_all()
    }

    /// Ends our half once everything is said, in a conversation where that is our part. What the
    /// peer still says is taken until it ends its half too, or for a while.
    pub(super) fn conclude(&mut self, inside: &mut Inside) {
        if inside.has_said_all() && inside.farewell.is_none() {
            self.shut_down_writing(inside);
            inside.farewell = Some(Instant::now() + self.core.house.limits.linger);
        }
    }

    /// Ends a connection that is over.
    pub(super) fn end(&mut self, inside: &mut Inside) -> Verdict {
        if inside.input == Input::Ended || !inside.was_told {
            if inside.stream.as_ref().is_some_and(Stream::is_encrypted) {
                self.shut_down_writing(inside);
            }
            // What says inside TLS that we end must have left before the socket goes.
            if !inside.stream.as_ref().is_some_and(Stream::has_unsent) {
                return self.close(inside);
            }
        }
        // Unread input at close would turn it into a reset, which destroys what was just sent: so
        // the rest is read, for a while, and thrown away.
        self.shut_down_writing(inside);
        if inside.farewell.is_none() {
            inside.farewell = Some(Instant::now() + self.core.house.limits.linger);
        }
        Verdict::Parked
    }

    fn shut_down_writing(&self, inside: &mut Inside) {
        if !std::mem::replace(&mut inside.is_muted, true)
            && let Some(stream) = &mut inside.stream
        {
            stream.shut_down_writing();
        }
    }

    /// During a drain: says goodbye to a connection that has nothing under way.
    pub(super) fn take_leave(&mut self, inside: &mut Inside) -> io::Result<Option<Verdict>> {
        if self.phase == Phase::Running || inside.stream.is_none() {
            return Ok(None);
        }
        if self.phase == Phase::Cutting {
            if inside.transfer.is_some() {
                // Nothing can be said in the middle of a body; that it breaks off says enough.
                let cut_off = &self.core.house.counters.cut_off;
                cut_off.fetch_add(1, Ordering::Relaxed);
                return Ok(Some(self.close(inside)));
            }
            let is_told = inside.farewell.is_some() || inside.input != Input::Open;
            self.cut_off(inside);
            self.send(inside)?;
            if !is_told {
                self.say_goodbye(inside)?;
            }
            // Neither a peer that reads nothing nor one that sends on may hold up the end.
            let last_call = self.core.shutdown.last_call();
            let farewell = inside.farewell.into_iter().chain(last_call).min();
            inside.farewell = farewell;
            if self.is_over(inside) && self.end(inside) == Verdict::Closed {
                return Ok(Some(Verdict::Closed));
            }
        }
        let is_idle = inside.request.is_none()
            && inside.held.is_none()
            && (inside.pending.is_empty() || inside.conversation.may_rest())
            && inside.asleep.is_empty()
            && inside.replies.is_empty()
            && inside.transfer.is_none();
        if !is_idle || inside.input != Input::Open {
            return Ok(None);
        }
        if inside.farewell.is_none() {
            inside.farewell = Some(Instant::now() + FAREWELL);
            self.say_goodbye(inside)?;
        }
        let is_handshaking = inside.stream.as_ref().is_some_and(Stream::is_handshaking);
        if inside.outbox.is_empty() && !is_handshaking {
            // Input is served on until the peer ends it: a client that never reads may not know.
            self.shut_down_writing(inside);
        }
        Ok(None)
    }

    /// Tells a peer that reads what it is told that the server goes away.
    fn say_goodbye(&mut self, inside: &mut Inside) -> io::Result<()> {
        if !inside.reads {
            return Ok(());
        }
        // It is the last that is pushed: what is posted after it a client reads later.
        inside.reader.leave_all(&self.core.house.rooms);
        inside.owes_goodbye = true;
        self.send(inside)
    }

    /// Answers a body that a drain has no time for, and reads no further.
    fn cut_off(&mut self, inside: &mut Inside) {
        let mut refusal = Refusal::new(Code::GoingAway, "the server is shutting down")
            .with("retry_after_ms", RETRY_AFTER_MS);
        let has_begun = inside.request.is_some() || inside.held.is_some();
        if has_begun || !inside.pending.is_empty() {
            self.core
                .house
                .counters
                .cut_off
                .fetch_add(1, Ordering::Relaxed);
        }
        if let Some(held) = inside.held.take() {
            inside.replies.owe(held.header.id, Some(Err(refusal)));
        } else if let Some(request) = inside.request.take()
            && let Some(sink) = request.sink
        {
            self.worker.give_way();
            if !inside.tells_refusals {
                self.core.log_refusal(inside.session.peer, &refusal);
            }
            refusal.fields.extend(sink.cut_off());
            inside.replies.owe(request.id, Some(Err(refusal)));
        }
        inside.asleep.clear();
        inside.pending.clear();
        inside.reader.leave_all(&self.core.house.rooms);
        self.ignore_input(inside);
    }

    /// Closes an idle connection for the sake of newcomers. Who reads is told.
    pub(super) fn make_way(&mut self, inside: &mut Inside) -> Verdict {
        if !inside.reads {
            return self.close(inside);
        }
        let reason = "the server is nearly full, and nothing was said here for long";
        self.break_off(inside, Refusal::busy(reason, Duration::from_secs(1)));
        if self.send(inside).is_err() {
            return self.close(inside);
        }
        match self.is_over(inside) && self.end(inside) == Verdict::Closed {
            true => Verdict::Closed,
            // Its new deadline is set on the way to parking.
            false => Verdict::Again,
        }
    }

    /// Acts on a deadline that has passed.
    pub(super) fn expire(&mut self, inside: &mut Inside, expired: Expired) -> io::Result<Verdict> {
        let limits = &self.core.house.limits;
        let refusal = match expired {
            Expired::Farewell | Expired::Duty(Duty::Read) => return Ok(self.close(inside)),
            Expired::Proxy => return Ok(self.turn_away(inside)),
            Expired::Handshake => {
                let reason = format!("no TLS handshake in {:?}", limits.handshake_timeout);
                let refusal = Refusal::new(Code::BadFrame, reason);
                self.core.log_refusal(inside.session.peer, &refusal);
                return Ok(self.close(inside));
            }
            Expired::Duty(Duty::FinishFrame) => {
                let reason = format!(
                    "a frame that began was not whole in {:?}",
                    limits.frame_timeout
                );
                Refusal::new(Code::BadFrame, reason)
            }
            Expired::Duty(Duty::GoOn) => {
                let reason = format!("a file did not go on for {:?}", limits.upload_timeout);
                Refusal::new(Code::BadFrame, reason)
            }
            Expired::Login => {
                let reason = format!("no login in {:?}", limits.login_timeout);
                Refusal::new(Code::LoginRequired, reason)
            }
        };
        self.break_off(inside, refusal);
        inside.pending.clear();
        self.send(inside)?;
        if self.is_over(inside) && self.end(inside) == Verdict::Closed {
            return Ok(Verdict::Closed);
        }
        // Its new deadline is set on the way to parking.
        Ok(Verdict::Again)
    }

    /// Does what an admin or a change of the account orders. `None` if the connection goes on.
    pub(super) fn obey(&mut self, inside: &mut Inside) -> Option<Verdict> {
        let house = &self.core.house;
        match house.presence.take_order(self.connection.key)? {
            Order::Become(role) => {
                inside.session.role = role;
                leave_closed_rooms(&inside.session, &mut inside.reader, &house.rooms);
                None
            }
            // In the middle of a body nothing can be said, and to who is going away all is said.
            Order::End(_) if inside.transfer.is_some() || inside.input != Input::Open => {
                Some(self.close(inside))
            }
            Order::End(refusal) => {
                self.break_off(inside, refusal);
                inside.pending.clear();
                None
            }
        }
    }

    /// Closes the socket and forgets the connection.
    pub(super) fn close(&mut self, inside: &mut Inside) -> Verdict {
        self.drop_request(inside);
        let has_said_all = inside.transfer.is_none() && !inside.is_muted;
        self.drop_transfer(inside);
        tracing::debug!(peer = %inside.session.peer, "closed");
        inside.guards = None;
        if let Some(stream) = &mut inside.stream
            && inside.outbox.is_empty()
            && has_said_all
        {
            // With TLS it is said that this is the end, as far as that goes without waiting.
            stream.shut_down_writing();
        }
        inside.stream = None;
        inside.input = Input::Ended;
        inside.pending = Vec::new();
        inside.held = None;
        inside.outbox.clear();
        inside.reader.close(&self.core.house.rooms);
        if let Some(user) = &inside.session.user {
            self.core.house.presence.leave(self.connection.key, user);
        }
        self.core.registry.remove(self.connection.key);
        let events = self.connection.mark_closed();
        for redeemed in self.connection.take_inbox() {
            if let Err(refusal) = &redeemed.answer {
                self.core.log_late_refusal(refusal);
            }
        }
        // Whoever waits for a permit behind this connection must not wait for its turn.
        if events & PERMIT != 0
            && let Some(cost) = inside.waits_for.take()
        {
            Admission::call_next(self.core, cost);
        }
        Verdict::Closed
    }
}

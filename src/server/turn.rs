//! One turn of a connection: take in what has happened, read what is there, serve what is whole,
//! send what is owed, and say how it goes on. Nothing here waits for a peer.

use super::admission::{Admission, Permit};
use super::connection::{
    Connection, ENDING, Held, IDLE, INBOX, Input, Inside, ORDER, PERMIT, READABLE, TIMER,
};
use super::core::Core;
use super::shutdown::Phase;
use super::source::TURN_SOURCE;
use super::stream::Received;
use super::worker::Worker;
use crate::dispatch;
use crate::handler::{Cost, Overlap};
use crate::wire::{Code, Refusal};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Bytes that are read in one turn before others get theirs.
pub(super) const TURN_BYTES: usize = 64 << 10;

/// Requests that are served in one turn before others get theirs.
const TURN_REQUESTS: u32 = 32;

/// How much of a header is taken in while the memory of all connections is used up, in bytes.
const LEAN_HEADER: usize = 4 << 10;

/// How a connection goes on after its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Somebody else owns it now, or nobody.
    Parked,
    /// It has more to do and goes to the end of the line.
    Again,
    /// It is gone.
    Closed,
}

/// Why feeding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Everything whole is served.
    Starved,
    /// Earlier answers, a permit or the peer's reading must come first.
    Held,
    /// The turn's share is used up.
    Spent,
}

/// Closes `connection`, which the caller owns.
pub(super) fn close(core: &Core, worker: &mut Worker, connection: &Arc<Connection>) -> Verdict {
    let mut inside = connection.inside();
    let mut turn = Turn::new(core, worker, connection);
    turn.close(&mut inside)
}

/// What a turn has at hand.
pub(super) struct Turn<'a> {
    pub(super) core: &'a Core,
    pub(super) worker: &'a mut Worker,
    pub(super) connection: &'a Arc<Connection>,
    pub(super) permit: Option<Permit<'a>>,
    /// What it was woken for, until it does that.
    pub(super) its_turn: Option<Cost>,
    pub(super) phase: Phase,
    pub(super) requests_left: u32,
    /// Bytes that were pushed.
    pub(super) pushed: usize,
    bytes_left: usize,
    /// Bytes of a source that may still be sent in this turn.
    pub(super) source_left: u64,
}

/// Serves `connection`, which the caller owns.
pub(super) fn serve(core: &Core, worker: &mut Worker, connection: &Arc<Connection>) -> Verdict {
    let events = connection.take_events();
    connection.note_activity(events, worker.now);
    let mut inside = connection.inside();
    let mut turn = Turn::new(core, worker, connection);
    let verdict = turn.run(&mut inside, events);
    drop(turn);
    drop(inside);
    match verdict {
        Verdict::Parked if !connection.park() => Verdict::Again,
        verdict => verdict,
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // However it ends, also by a panic: a turn that was not used goes to the next in that line.
        if let Some(cost) = self.its_turn {
            Admission::call_next(self.core, cost);
        }
    }
}

impl<'a> Turn<'a> {
    pub(super) fn new(
        core: &'a Core,
        worker: &'a mut Worker,
        connection: &'a Arc<Connection>,
    ) -> Self {
        Self {
            core,
            worker,
            connection,
            permit: None,
            its_turn: None,
            phase: core.shutdown.phase(),
            requests_left: TURN_REQUESTS,
            pushed: 0,
            bytes_left: TURN_BYTES,
            source_left: TURN_SOURCE,
        }
    }

    fn run(&mut self, inside: &mut Inside, events: u32) -> Verdict {
        if inside.stream.is_none() {
            return Verdict::Closed;
        }
        inside.readable |= events & READABLE != 0;
        // News of the drain may pass news of input: leave is taken of nobody who was not read.
        inside.readable |= self.phase != Phase::Running && inside.farewell.is_none();
        inside.ending |= events & ENDING != 0;
        if events & PERMIT != 0 {
            self.its_turn = inside.waits_for.take();
        }
        if events & TIMER != 0 {
            inside.armed = None;
        }
        if events & INBOX != 0 {
            for redeemed in self.connection.take_inbox() {
                let is_heard = inside.tells_refusals && inside.replies.is_heard(redeemed.slot);
                if let Err(refusal) = &redeemed.answer
                    && !is_heard
                {
                    self.core.log_refusal(inside.session.peer, refusal);
                }
                inside.replies.fill(redeemed.slot, redeemed.answer);
            }
        }
        if events & ORDER != 0
            && let Some(verdict) = self.obey(inside)
        {
            return verdict;
        }
        if events & (IDLE | READABLE) == IDLE {
            if inside.is_idle() {
                return self.make_way(inside);
            }
            self.connection.stay();
        }
        match self.advance(inside) {
            Ok(verdict) => verdict,
            Err(error) => {
                let peer = inside.session.peer;
                tracing::debug!(%peer, %error, "a connection broke");
                if inside.request.is_some() && !inside.tells_refusals {
                    let reason = format!("the connection broke: {error}");
                    self.core
                        .log_refusal(peer, &Refusal::new(Code::BadFrame, reason));
                }
                self.close(inside)
            }
        }
    }

    /// Goes on until the connection parks, ends, or has used up its share.
    fn advance(&mut self, inside: &mut Inside) -> io::Result<Verdict> {
        let mut scratch = std::mem::take(&mut self.worker.scratch);
        let mut filled = inside.pending.len();
        scratch[..filled].copy_from_slice(&inside.pending);
        inside.pending.clear();
        let result = self.advance_with(inside, &mut scratch, &mut filled);
        // What is half received waits with the connection, and costs nothing when there is none.
        if filled == 0 && inside.pending.capacity() > 0 {
            inside.pending = Vec::new();
        }
        inside.pending.extend_from_slice(&scratch[..filled]);
        self.worker.scratch = scratch;
        match result? {
            Verdict::Parked if self.pushes_on(inside) => self.before_going_on(inside),
            Verdict::Parked => self.before_parking(inside),
            Verdict::Again => self.before_going_on(inside),
            Verdict::Closed => Ok(Verdict::Closed),
        }
    }

    fn advance_with(
        &mut self,
        inside: &mut Inside,
        scratch: &mut [u8],
        filled: &mut usize,
    ) -> io::Result<Verdict> {
        if inside.awaits_proxy
            && let Some(verdict) = self.meet_proxy(inside, scratch)?
        {
            return Ok(verdict);
        }
        loop {
            let mut rest = &scratch[..*filled];
            let stop = self.feed(inside, &mut rest);
            let left = rest.len();
            scratch.copy_within(*filled - left..*filled, 0);
            *filled = left;
            self.send(inside)?;
            if inside.transfer.is_some() && self.source_left == 0 {
                return Ok(Verdict::Again);
            }
            if inside.concludes {
                self.conclude(inside);
            }
            // What is held up may still find something at the end of the input.
            let is_through = stop == Stop::Starved;
            if is_through && self.is_over(inside) && self.end(inside) == Verdict::Closed {
                return Ok(Verdict::Closed);
            }
            match stop {
                Stop::Spent => return Ok(Verdict::Again),
                // Room in the outbox may be what was missing.
                Stop::Held if self.may_go_on(inside) => {}
                Stop::Held => return Ok(Verdict::Parked),
                Stop::Starved if self.bytes_left == 0 && inside.readable => {
                    return Ok(Verdict::Again);
                }
                Stop::Starved => {
                    if !self.read(inside, scratch, filled)? && !inside.conversation.pause() {
                        return Ok(Verdict::Parked);
                    }
                }
            }
        }
    }

    /// Reads once. `false` if there is nothing to read.
    fn read(
        &mut self,
        inside: &mut Inside,
        scratch: &mut [u8],
        filled: &mut usize,
    ) -> io::Result<bool> {
        if !inside.readable || inside.input == Input::Ended || !self.may_open(inside)? {
            return Ok(false);
        }
        if *filled > LEAN_HEADER && self.core.house.budget.is_spent() {
            // It is looked at again after a while, within the time that a frame has.
            inside.waits_for_memory = true;
            return Ok(false);
        }
        let Some(stream) = &mut inside.stream else {
            return Ok(false);
        };
        // Behind what is left over a whole turn's share fits, and a header with it: a body of 64 KiB is
        // then not cut by the header before it.
        let room = &mut scratch[*filled..];
        debug_assert!(
            !room.is_empty(),
            "what is not whole is shorter than the scratch buffer"
        );
        match stream.receive(room, &mut self.worker.records) {
            Ok(Received::End { is_cut_off }) => {
                inside.readable = false;
                inside.input = Input::Ended;
                match is_cut_off {
                    true => inside.conversation.cut_off(),
                    false => inside.conversation.end(),
                }
            }
            Ok(Received::Bytes { count, taken, more }) => {
                // A short read has emptied the socket, and what comes later is told by the poller,
                // as is the end unless it was told already.
                inside.readable = more || inside.ending;
                *filled += count;
                self.bytes_left = self.bytes_left.saturating_sub(taken);
            }
            Ok(Received::Broken(broken)) => self.break_tls(inside, &broken),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                inside.readable = false;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Whether what held feeding up is gone.
    fn may_go_on(&self, inside: &Inside) -> bool {
        inside.waits_for.is_none()
            && !inside.waits_for_memory
            && !inside.is_full(&self.core.house)
            && inside
                .held
                .as_ref()
                .is_none_or(|held| inside.may_begin(held))
    }

    /// A permit for costly work until the end of the turn. Without one the connection parks and is
    /// woken when one may be had.
    pub(super) fn enter(&mut self, inside: &mut Inside, cost: Cost) -> bool {
        if cost == Cost::Quick
            || self
                .permit
                .as_ref()
                .is_some_and(|permit| permit.covers(cost))
        {
            return true;
        }
        if inside.waits_for.is_some() {
            return false;
        }
        self.permit = None;
        // Woken for one kind of work it does not pass those who wait for another.
        let is_its_turn = self.its_turn == Some(cost);
        if is_its_turn {
            self.its_turn = None;
        }
        self.permit = Admission::enter(self.core, cost, self.connection, is_its_turn);
        if self.permit.is_none() {
            inside.waits_for = Some(cost);
            return false;
        }
        self.worker.give_way();
        true
    }

    /// Holds a connection that never parks, because there is always more to read, to the end of a
    /// drain and to its deadlines.
    fn before_going_on(&mut self, inside: &mut Inside) -> io::Result<Verdict> {
        if self.phase >= Phase::Cutting
            && let Some(verdict) = self.take_leave(inside)?
        {
            return Ok(verdict);
        }
        match inside.deadline(&self.core.house.limits) {
            Ok(_) => Ok(Verdict::Again),
            Err(expired) => self.expire(inside, expired),
        }
    }

    /// Sees to it that something will wake the connection, and that no deadline has passed.
    fn before_parking(&mut self, inside: &mut Inside) -> io::Result<Verdict> {
        let kept = inside.pending.len() + inside.conversation.kept();
        if kept != inside.kept.bytes() {
            inside.kept.set(kept);
        }
        if let Some(verdict) = self.take_leave(inside)? {
            return Ok(verdict);
        }
        let deadline = match inside.deadline(&self.core.house.limits) {
            Ok(deadline) => deadline,
            Err(expired) => return self.expire(inside, expired),
        };
        let Some(stream) = &inside.stream else {
            return Ok(Verdict::Closed);
        };
        let (poller, key) = (&self.core.poller, self.connection.key);
        if !inside.is_registered {
            poller.add(stream, key)?;
            inside.is_registered = true;
        }
        let has_output =
            !inside.outbox.is_empty() || inside.transfer.is_some() || stream.has_unsent();
        if !inside.watches_output && has_output {
            poller.watch_output(stream, key)?;
            inside.watches_output = true;
        }
        if let Some(deadline) = deadline {
            self.arm(inside, deadline);
        }
        Ok(Verdict::Parked)
    }

    fn arm(&self, inside: &mut Inside, deadline: Instant) {
        if inside.armed.is_some_and(|armed| armed <= deadline) {
            return;
        }
        inside.armed = Some(deadline);
        if self.core.timers.add(deadline, self.connection.key) {
            self.core.poller.wake();
        }
    }

    /// Breaks the stream off: what is owed leaves, then one last word.
    pub(super) fn break_off(&mut self, inside: &mut Inside, refusal: Refusal) {
        self.core.log_refusal(inside.session.peer, &refusal);
        inside.last_word = Some(refusal);
        inside.reader.leave_all(&self.core.house.rooms);
        self.ignore_input(inside);
    }

    /// Reads no further requests. A body that was under way is lost.
    pub(super) fn ignore_input(&mut self, inside: &mut Inside) {
        if inside.input == Input::Open {
            inside.input = Input::Ignored;
        }
        // What waited for its turn has none any more: kept, it would keep the connection for ever.
        inside.held = None;
        inside.waits_for_memory = false;
        self.drop_request(inside);
    }
}

impl Inside {
    /// Whether `held` need not wait any more: for earlier answers, or for the rest of a push,
    /// which nothing may interrupt.
    pub(super) fn may_begin(&self, held: &Held) -> bool {
        let overlap = dispatch::overlap(held.handler);
        (self.replies.is_empty() && (overlap != Overlap::None || !self.reader.is_open()))
            || (self.owed == Some(overlap) && self.replies.len() < overlap.window())
    }
}

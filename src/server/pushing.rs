//! What is pushed to a connection that joined rooms: moved to the outbox as far as the peer reads,
//! between the replies, and read from the store where there is more.

use super::connection::{Input, Inside, MAIL};
use super::core::Core;
use super::turn::Turn;
use crate::handler::{Cost, refuse};
use crate::rooms::Bell;
use socket2::SockRef;

/// Pushes that an outbox takes at once, in bytes: what a connection that reads nothing has to
/// itself of what is pushed to thousands.
const PIECE: usize = 16 << 10;

/// The same while the memory of all connections is used up.
const LEAN_PIECE: usize = 4 << 10;

/// Bytes that are pushed in one turn before others get theirs.
const TURN_PUSHES: usize = 256 << 10;

/// What the kernel may hold for a connection that joined a room, in bytes. It counts double, for
/// what it needs besides.
const SEND_BUFFER: usize = 256 << 10;

impl Turn<'_> {
    /// Moves what is pushed to the outbox, as far as that has room: what was delivered first, then
    /// what was missed of it, then what lies in the store.
    pub(super) fn push(&mut self, inside: &mut Inside) {
        if !inside.reader.has_joined() {
            return;
        }
        if !std::mem::replace(&mut inside.has_joined, true) {
            inside.become_reader();
        }
        inside.reads_later = false;
        if inside.is_muted {
            inside.reader.close(&self.core.house.rooms);
            return;
        }
        if inside.input != Input::Open {
            // Who says nothing more is sent what was posted by now, and no more.
            inside.reader.wind_up(&self.core.house.rooms);
        }
        let before = inside.outbox.len();
        let most = self.most_at_once();
        // One that has begun is not left open, whatever the turn has done already.
        if before < most && (self.has_share() || inside.reader.is_open()) {
            let room = most - before;
            inside.reader.take(inside.outbox.end(), room);
            if inside.outbox.is_empty() {
                inside.reader.tell_gaps(inside.outbox.end());
            }
            self.read_on(inside);
            self.pushed += inside.outbox.len() - before;
        }
    }

    /// Reads on in the store for a peer that has read everything else.
    fn read_on(&mut self, inside: &mut Inside) {
        if !inside.outbox.is_empty() || !inside.reader.is_behind() || !self.has_share() {
            return;
        }
        let house = &self.core.house;
        if house.budget.is_spent() {
            inside.reads_later = true;
            return;
        }
        if !self.enter(inside, Cost::Blocking) {
            return;
        }
        let out = inside.outbox.end();
        if let Err(error) = inside.reader.read_page(house.messages.as_ref(), out) {
            let refusal = refuse("a backlog is read", &error);
            self.break_off(inside, refusal);
            self.collect(inside);
        }
    }

    /// Whether more is to be pushed at once, and only the others come first.
    pub(super) fn pushes_on(&self, inside: &Inside) -> bool {
        !self.has_share() && inside.outbox.is_empty() && !inside.reader.is_idle()
    }

    fn has_share(&self) -> bool {
        self.pushed < TURN_PUSHES
    }

    fn most_at_once(&self) -> usize {
        let house = &self.core.house;
        let piece = if house.budget.is_spent() {
            LEAN_PIECE
        } else {
            PIECE
        };
        piece.min(house.limits.max_outbox)
    }
}

impl Inside {
    /// Holds what the kernel keeps for a peer that may read slowly, and notes that it reads.
    fn become_reader(&mut self) {
        self.reads = true;
        if let Some(stream) = &self.stream {
            let size = SockRef::from(stream.socket()).set_send_buffer_size(SEND_BUFFER);
            if let Err(error) = size {
                tracing::debug!(peer = %self.session.peer, %error, "a send buffer stays as it is");
            }
        }
    }
}

impl Bell for Core {
    fn ring(&self, connections: &[u64]) {
        self.tell(connections, MAIL);
    }
}

//! One room that is followed: which of its messages have been handed out, and what the next one
//! proves. Knows no connection and no clock.

use super::{Event, Start};
use crate::client::rooms::{Bound, History, Page};
use crate::wire::{Message, RoomName};
use std::collections::VecDeque;

/// A room, and how far it has been followed.
#[derive(Debug)]
pub(super) struct Follow {
    pub(super) room: RoomName,
    start: Start,
    /// Nothing up to here is wanted any more: the seq of the last message handed out, or where it
    /// began. `None` before either is known.
    last: Option<u64>,
    /// Whether a message of this store has been handed out.
    has_begun: bool,
}

/// What to do with a message that came.
pub(super) enum Taken {
    /// It is the next one: hand it out.
    Next(Message),
    /// It has been handed out before, or was never wanted.
    Known,
    /// Something stands between it and the one handed out last.
    Early(Message),
}

impl Follow {
    pub(super) fn new(room: RoomName, start: Start) -> Self {
        let last = match start {
            Start::After(Bound::Seq(seq)) => Some(seq),
            Start::After(Bound::Time(_)) | Start::Now | Start::Newest(_) => None,
        };
        Self {
            room,
            start,
            last,
            has_begun: false,
        }
    }

    /// Forgets the seqs: everything is new.
    pub(super) fn begin_anew(&mut self) {
        (self.last, self.has_begun) = (Some(0), false);
    }

    /// How many messages are to be fetched before the room is joined, if any.
    pub(super) fn wants_newest(&self) -> Option<usize> {
        match (self.last, self.start) {
            (None, Start::Newest(count)) if count > 0 => Some(count),
            _ => None,
        }
    }

    /// Hands out the newest messages of the room, which may have none. They prove each other, and
    /// what stands before the first was not asked for.
    pub(super) fn begin_with(&mut self, newest: Vec<Message>, ready: &mut VecDeque<Event>) {
        self.last = newest.first().map(|first| first.prev);
        for message in newest {
            self.hand_out(message, ready);
        }
        self.last = self.last.or(Some(0));
    }

    /// Where the room is to be joined.
    pub(super) fn since(&self) -> Option<Bound> {
        match (self.last, self.start) {
            (Some(last), _) => Some(Bound::Seq(last)),
            (None, Start::After(bound)) => Some(bound),
            (None, Start::Now | Start::Newest(_)) => None,
        }
    }

    /// The room is joined, and `head` was its last message then. Whether it has to be joined again
    /// because what was handed out is not there any more.
    pub(super) fn joined(&mut self, head: u64, ready: &mut VecDeque<Event>) -> bool {
        let Some(last) = self.last else {
            // With a time nothing is known of what stands before the first message.
            if self.since().is_none() {
                self.last = Some(head);
            }
            return false;
        };
        // A room without messages may have had some that are no longer kept.
        let is_set_back = self.has_begun && (1..last).contains(&head);
        if is_set_back {
            let (room, from, to) = (self.room.clone(), last, head);
            ready.push_back(Event::SetBack { room, from, to });
            self.last = Some(head);
        }
        is_set_back
    }

    pub(super) fn take(&mut self, message: Message) -> Taken {
        match self.last {
            Some(last) if message.seq <= last => Taken::Known,
            Some(last) if message.prev > last => Taken::Early(message),
            _ => {
                (self.last, self.has_begun) = (Some(message.seq), true);
                Taken::Next(message)
            }
        }
    }

    /// Hands out a message before which nothing more will come, and tells what is missing.
    fn hand_out(&mut self, message: Message, ready: &mut VecDeque<Event>) {
        match self.last {
            Some(last) if message.seq <= last => return,
            Some(_) => self.miss(message.prev, ready),
            None => {}
        }
        (self.last, self.has_begun) = (Some(message.seq), true);
        ready.push_back(Event::Message(message));
    }

    /// Nothing up to `last` will come any more.
    fn miss(&mut self, last: u64, ready: &mut VecDeque<Event>) {
        let after = self.last.unwrap_or(0);
        if last > after {
            let room = self.room.clone();
            ready.push_back(Event::Missing { room, after, last });
            self.last = Some(last);
        }
    }
}

/// A part of a room that has to be fetched from its history.
#[derive(Debug)]
pub(super) struct Fill {
    /// Which of the rooms.
    pub(super) follow: usize,
    /// The last seq that is wanted.
    last: u64,
    /// What showed that something is missing, and comes behind it.
    then: Option<Message>,
}

impl Fill {
    /// Up to `last`.
    pub(super) fn up_to(follow: usize, last: u64) -> Self {
        Self {
            follow,
            last,
            then: None,
        }
    }

    /// Up to what stands before `message`, and then that.
    pub(super) fn before(follow: usize, message: Message) -> Self {
        Self {
            follow,
            last: message.prev,
            then: Some(message),
        }
    }

    /// What to ask for next.
    pub(super) fn history(&self, follow: &Follow) -> History {
        let after = follow.since().unwrap_or(Bound::Seq(0));
        History::after(follow.room.clone(), after)
    }

    /// Hands out what was fetched; what is still to be fetched, if anything is.
    pub(super) fn enter(
        self,
        follow: &mut Follow,
        page: Page,
        ready: &mut VecDeque<Event>,
    ) -> Option<Self> {
        let before = follow.last;
        for message in page.messages {
            // What comes behind is sent by itself.
            if message.seq <= self.last {
                follow.hand_out(message, ready);
            }
        }
        let is_whole = follow.last.is_some_and(|last| last >= self.last);
        if page.more && !is_whole && follow.last != before {
            return Some(self);
        }
        follow.miss(self.last, ready);
        if let Some(message) = self.then {
            follow.hand_out(message, ready);
        }
        None
    }
}

//! A house in memory whose connections break, skip, repeat and fall behind as chance will have it.

use super::super::Link;
use crate::client::fake;
use crate::client::pushes::Push;
use crate::client::rooms::{Bound, History, Page, Range};
use crate::client::{Error, Refused};
use crate::time::Random;
use crate::wire::{Code, Fields, Message, RoomName};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Everything that was ever posted, and what connections do.
pub(super) struct House {
    pub(super) store: String,
    pub(super) messages: Vec<Message>,
    /// Messages up to this seq are no longer kept.
    pub(super) expired: u64,
    /// How often out of 100 something goes wrong; 0 for a calm house.
    pub(super) trouble: usize,
    pub(super) random: Random,
    pub(super) waited: Vec<Duration>,
    pub(super) refusal: Option<Code>,
    pub(super) pings: usize,
}

pub(super) type Shared = Arc<Mutex<House>>;

pub(super) const ROOMS: [&str; 2] = ["lobby", "门房"];

impl House {
    pub(super) fn new(trouble: usize, seed: u64) -> Shared {
        Arc::new(Mutex::new(Self {
            store: "first".to_owned(),
            messages: Vec::new(),
            expired: 0,
            trouble,
            random: Random::seeded(seed),
            waited: Vec::new(),
            refusal: None,
            pings: 0,
        }))
    }

    pub(super) fn post(&mut self, room: &str) {
        let seq = self.messages.last().map_or(1, |last| last.seq + 1);
        let prev = self.head(room);
        let text = format!("{room} {seq}");
        self.messages.push(fake::message(room, seq, prev, &text));
    }

    pub(super) fn head(&self, room: &str) -> u64 {
        self.of(room).next_back().map_or(0, |last| last.seq)
    }

    pub(super) fn of(&self, room: &str) -> impl DoubleEndedIterator<Item = &Message> {
        let here = move |message: &&Message| message.room.as_str() == room;
        self.messages.iter().filter(here)
    }

    pub(super) fn kept(&self, room: &str, after: u64) -> Vec<Message> {
        let after = after.max(self.expired);
        self.of(room)
            .filter(|message| message.seq > after)
            .cloned()
            .collect()
    }

    fn troubled(&self) -> bool {
        self.random.below(100) < self.trouble
    }
}

/// A connection to the house: the rooms joined and what was sent of each.
pub(super) struct Wire {
    house: Shared,
    joined: Vec<(RoomName, u64)>,
    pub(super) is_broken: bool,
}

impl Wire {
    /// A connection, if it comes about.
    pub(super) fn open(house: &Shared) -> Result<Self, Error> {
        let mut wire = Self {
            house: Arc::clone(house),
            joined: Vec::new(),
            is_broken: false,
        };
        wire.check().map(|()| wire)
    }

    fn fail<T>(&mut self) -> Result<T, Error> {
        self.is_broken = true;
        Err(Error::Closed { going_away: false })
    }

    /// Breaks the connection now and then, and always stays broken.
    fn check(&mut self) -> Result<(), Error> {
        if self.is_broken || self.house.lock().troubled() {
            return self.fail();
        }
        Ok(())
    }

    /// A push of the room joined as `index`, and now and then what should not be: something skipped
    /// with or without a word, or something told again.
    fn push(&mut self, index: usize) -> Option<Push> {
        let house = self.house.lock();
        let (room, sent) = &mut self.joined[index];
        let next = house.kept(room.as_str(), *sent);
        let chosen = match house.troubled() {
            true => house.random.below(next.len().min(5)),
            false => 0,
        };
        let message = next.get(chosen)?.clone();
        if chosen > 0 && house.random.below(2) == 0 {
            let (first, last) = (next[0].seq, message.seq);
            *sent = last;
            return Some(Push::Gap {
                room: room.clone(),
                first,
                last,
            });
        }
        if !house.troubled() {
            *sent = message.seq;
        }
        Some(Push::Message(message))
    }
}

impl Link for Wire {
    fn store(&mut self) -> Result<Option<String>, Error> {
        self.check()?;
        Ok(Some(self.house.lock().store.clone()))
    }

    fn join(&mut self, room: &RoomName, since: Option<Bound>) -> Result<u64, Error> {
        self.check()?;
        let house = self.house.lock();
        let head = house.head(room.as_str());
        let since = match since {
            None => head,
            Some(Bound::Seq(seq)) => seq,
            Some(Bound::Time(_)) => 0,
        };
        self.joined.retain(|(joined, _)| joined != room);
        self.joined.push((room.clone(), since));
        Ok(head)
    }

    fn history(&mut self, history: &History) -> Result<Page, Error> {
        self.check()?;
        let house = self.house.lock();
        if let Some(code) = house.refusal {
            let (error, fields) = (String::new(), Fields::new());
            return Err(Error::Refused(Refused {
                code: Some(code),
                error,
                fields,
            }));
        }
        // Pages as short as a server may make them.
        let limit = history.limit.min(1 + house.random.below(4));
        let room = history.room.as_str();
        let (mut messages, is_upwards) = match history.range {
            Range::After(Bound::Seq(after)) => (house.kept(room, after), true),
            Range::After(Bound::Time(_)) => (house.kept(room, 0), true),
            Range::Newest | Range::Before(Bound::Time(_)) => (house.kept(room, 0), false),
            Range::Before(Bound::Seq(before)) => {
                let mut all = house.kept(room, 0);
                all.retain(|message| message.seq < before);
                (all, false)
            }
        };
        let more = messages.len() > limit;
        match is_upwards {
            true => messages.truncate(limit),
            false => drop(messages.drain(..messages.len().saturating_sub(limit))),
        }
        Ok(Page { messages, more })
    }

    fn next_push(&mut self, _: Duration) -> Result<Option<Push>, Error> {
        self.check()?;
        if self.house.lock().troubled() {
            return Ok(Some(Push::Other {
                msg_type: "news".to_owned(),
                fields: Fields::new(),
            }));
        }
        let first = self.house.lock().random.below(self.joined.len());
        let order = (first..self.joined.len()).chain(0..first);
        Ok(order.into_iter().find_map(|index| self.push(index)))
    }

    fn ping(&mut self) -> Result<(), Error> {
        self.house.lock().pings += 1;
        self.check()
    }
}

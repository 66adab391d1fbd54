//! Following rooms for as long as one likes: the connection is made anew when it breaks, and what
//! was missed meanwhile is fetched. What a room's messages prove is in `follow`; printing is left
//! to others.

mod follow;
mod link;

pub use link::Link;

use super::pushes::Push;
use super::rooms::{Bound, Page};
use super::waits::Waits;
use super::{Client, Error};
use crate::time::Random;
use crate::wire::{Message, RoomName};
use follow::{Fill, Follow, Taken};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// Where a room is followed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Only what comes from now on.
    Now,
    /// So many of the newest messages, then what comes.
    Newest(usize),
    /// What comes after this, be it there already or not.
    After(Bound),
}

/// What happened to a subscription.
#[derive(Debug)]
pub enum Event {
    /// A message: each one of a room once, and in order.
    Message(Message),
    /// The connection broke. It is being made anew.
    Lost(Error),
    /// The connection is back, and nothing between was missed, unless that is told.
    Back,
    /// Messages of a room that were there and can't be had any more, such as those that the server
    /// no longer keeps.
    Missing {
        /// The room.
        room: RoomName,
        /// The seq after which something is missing; 0 if it is the room's beginning.
        after: u64,
        /// The seq of the last one that is missing.
        last: u64,
    },
    /// The server's store is another one than before: the seqs seen so far mean nothing, and each
    /// room is followed from its beginning.
    OtherStore,
    /// The server has forgotten messages that were handed out, as after a restore from a backup.
    /// The room is followed from what is its last message now.
    SetBack {
        /// The room.
        room: RoomName,
        /// The seq of the last message that was handed out.
        from: u64,
        /// The seq of the room's last message now.
        to: u64,
    },
}

/// Silence for so long is broken by asking whether the server is still there: a peer that vanished
/// without a word would never be missed otherwise.
const SILENCE: Duration = Duration::from_secs(30);

/// A connection that lasts for so long without a word is a sound one. Waits would not grow with a
/// server that takes every connection and ends it at once, if joining were enough.
const SOUND: Duration = Duration::from_secs(1);

type Connect<L> = Box<dyn FnMut() -> Result<L, Error> + Send>;
type Pause = Box<dyn FnMut(Duration) + Send>;

/// Follows rooms over connections that come and go.
///
/// A message is handed out only if its `prev` is the message handed out before it. Where it isn't,
/// what lies between is fetched from the room's history first, and told as [`Event::Missing`]
/// where that has it no more.
pub struct Subscription<L = Client> {
    connect: Connect<L>,
    pause: Pause,
    link: Option<L>,
    store: Option<String>,
    follows: Vec<Follow>,
    ready: VecDeque<Event>,
    fill: Option<Fill>,
    waits: Waits,
    /// How long nothing has come.
    silent: Duration,
}

impl<L> fmt::Debug for Subscription<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let follows = &self.follows;
        f.debug_struct("Subscription")
            .field("follows", follows)
            .finish_non_exhaustive()
    }
}

impl<L: Link> Subscription<L> {
    /// Connects and joins `rooms`. `connect` is called again whenever the connection broke; it logs
    /// in, where that is wanted.
    ///
    /// # Errors
    ///
    /// Whatever keeps the first connection from being of use. Later ones are tried until they are.
    pub fn start(
        connect: impl FnMut() -> Result<L, Error> + Send + 'static,
        rooms: impl IntoIterator<Item = (RoomName, Start)>,
        random: Random,
    ) -> Result<Self, Error> {
        Self::with_pause(connect, rooms, random, std::thread::sleep)
    }

    /// As [`start`](Self::start), with `pause` to wait between tries.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn with_pause(
        connect: impl FnMut() -> Result<L, Error> + Send + 'static,
        rooms: impl IntoIterator<Item = (RoomName, Start)>,
        random: Random,
        pause: impl FnMut(Duration) + Send + 'static,
    ) -> Result<Self, Error> {
        let follow = |(room, start)| Follow::new(room, start);
        let mut subscription = Self {
            connect: Box::new(connect),
            pause: Box::new(pause),
            link: None,
            store: None,
            follows: rooms.into_iter().map(follow).collect(),
            ready: VecDeque::new(),
            fill: None,
            waits: Waits::new(random),
            silent: Duration::ZERO,
        };
        subscription.open()?;
        // What is there already is told in the order in which it was posted, as if it came now.
        let all = subscription.ready.make_contiguous();
        all.sort_by_key(|event| match event {
            Event::Message(message) => message.seq,
            _ => 0,
        });
        Ok(subscription)
    }

    /// Waits for the next event, at most for `patience`. `None` if nothing came; also after a vain
    /// try to connect, which takes as long as it takes.
    ///
    /// # Errors
    ///
    /// What another try would not change: the server refuses, or makes no sense.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.link.is_none() {
                if !self.reopen()? {
                    return Ok(None);
                }
                self.ready.push_back(Event::Back);
                continue;
            }
            match self.advance(patience) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => self.lose(error)?,
            }
        }
    }

    /// Waits and tries to connect once; whether that went well.
    fn reopen(&mut self) -> Result<bool, Error> {
        let wait = self.waits.next();
        (self.pause)(wait);
        match self.open() {
            Ok(()) => Ok(true),
            Err(error) => self.heed(&error).then_some(false).ok_or(error),
        }
    }

    /// Connects, and joins every room where it was left.
    fn open(&mut self) -> Result<(), Error> {
        let mut link = (self.connect)()?;
        let store = link.store()?;
        if self.store.is_some() && self.store != store {
            self.follows.iter_mut().for_each(Follow::begin_anew);
            self.ready.push_back(Event::OtherStore);
        }
        self.store = store;
        for follow in &mut self.follows {
            if let Some(count) = follow.wants_newest() {
                let newest = link.newest(&follow.room, count)?;
                follow.begin_with(newest, &mut self.ready);
            }
            let head = link.join(&follow.room, follow.since())?;
            if follow.joined(head, &mut self.ready) {
                link.join(&follow.room, follow.since())?;
            }
        }
        self.link = Some(link);
        self.silent = Duration::ZERO;
        Ok(())
    }

    /// Does one thing over the connection; whether there was anything to do within `patience`.
    fn advance(&mut self, patience: Duration) -> Result<bool, Error> {
        let Some(link) = &mut self.link else {
            return Ok(true);
        };
        if let Some(fill) = self.fill.take() {
            let history = fill.history(&self.follows[fill.follow]);
            let page = match link.history(&history) {
                Ok(page) => page,
                // What the history does not tell is missing; that is said, and the rest goes on.
                Err(error @ Error::Refused(_)) if !error.is_passing() => Page::default(),
                Err(error) => return Err(error),
            };
            let follow = &mut self.follows[fill.follow];
            self.fill = fill.enter(follow, page, &mut self.ready);
            return Ok(true);
        }
        let wait = patience.min(SILENCE.saturating_sub(self.silent));
        let Some(push) = link.next_push(wait)? else {
            self.silent += wait;
            if self.silent >= SOUND {
                self.waits.reset();
            }
            if self.silent >= SILENCE {
                link.ping()?;
                self.silent = Duration::ZERO;
            }
            return Ok(false);
        };
        self.silent = Duration::ZERO;
        self.hear(push);
        Ok(true)
    }

    fn hear(&mut self, push: Push) {
        match push {
            Push::Message(message) => {
                self.waits.reset();
                let Some(index) = self.index(&message.room) else {
                    return;
                };
                match self.follows[index].take(message) {
                    Taken::Next(message) => self.ready.push_back(Event::Message(message)),
                    Taken::Known => {}
                    Taken::Early(message) => self.fill = Some(Fill::before(index, message)),
                }
            }
            Push::Gap { room, last, .. } => {
                if let Some(index) = self.index(&room) {
                    self.fill = Some(Fill::up_to(index, last));
                }
            }
            Push::GoingAway { retry_after } => {
                if let Some(wait) = retry_after {
                    self.waits.ask(wait);
                }
            }
            Push::Other { .. } => {}
        }
    }

    fn index(&self, room: &RoomName) -> Option<usize> {
        self.follows.iter().position(|follow| follow.room == *room)
    }

    /// Gives the connection up. What was being fetched comes again behind the next join.
    fn lose(&mut self, error: Error) -> Result<(), Error> {
        (self.link, self.fill) = (None, None);
        if !self.heed(&error) {
            return Err(error);
        }
        self.ready.push_back(Event::Lost(error));
        Ok(())
    }

    /// Whether another try may help after `error`, and not before the time that it names.
    fn heed(&mut self, error: &Error) -> bool {
        if let Error::Refused(refused) = error
            && let Some(wait) = refused.retry_after()
        {
            self.waits.ask(wait);
        }
        error.is_passing()
    }
}

#[cfg(test)]
mod tests;

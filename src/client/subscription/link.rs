//! What a subscription needs of a connection. A [`Client`] is one.

use crate::client::pushes::Push;
use crate::client::rooms::{Bound, History, MAX_PAGE, Page, Range};
use crate::client::{Client, Error};
use crate::wire::{Message, RoomName};
use std::time::Duration;

/// A connection over which rooms can be followed.
pub trait Link {
    /// The random id of the server's store.
    ///
    /// # Errors
    ///
    /// See [`Error`], as everywhere here.
    fn store(&mut self) -> Result<Option<String>, Error>;

    /// Joins `room` and tells its head. Messages after `since`, or new ones, come as pushes.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    fn join(&mut self, room: &RoomName, since: Option<Bound>) -> Result<u64, Error>;

    /// A page of a room's history.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    fn history(&mut self, history: &History) -> Result<Page, Error>;

    /// The next push; `None` if none came within `patience`.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    fn next_push(&mut self, patience: Duration) -> Result<Option<Push>, Error>;

    /// Asks for a sign of life.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    fn ping(&mut self) -> Result<(), Error>;

    /// The newest `count` messages of `room`, or as many as there are, ascending.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    fn newest(&mut self, room: &RoomName, count: usize) -> Result<Vec<Message>, Error> {
        let mut history = History::newest(room.clone());
        // Page by page downwards; each is turned round so that the newest stands first.
        let mut found: Vec<Message> = Vec::new();
        while found.len() < count {
            history.limit = (count - found.len()).min(MAX_PAGE);
            let page = self.history(&history)?;
            let Some(first) = page.messages.first() else {
                break;
            };
            history.range = Range::Before(Bound::Seq(first.seq));
            found.extend(page.messages.into_iter().rev());
            if !page.more {
                break;
            }
        }
        found.reverse();
        Ok(found)
    }
}

impl Link for Client {
    fn store(&mut self) -> Result<Option<String>, Error> {
        Ok(self.hello()?.store)
    }

    fn join(&mut self, room: &RoomName, since: Option<Bound>) -> Result<u64, Error> {
        Ok(Self::join(self, room, since)?.head)
    }

    fn history(&mut self, history: &History) -> Result<Page, Error> {
        Self::history(self, history)
    }

    fn next_push(&mut self, patience: Duration) -> Result<Option<Push>, Error> {
        Self::next_push(self, patience)
    }

    fn ping(&mut self) -> Result<(), Error> {
        Self::ping(self)
    }
}

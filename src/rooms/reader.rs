//! One connection as a reader of rooms: what its owner does with it.

use super::Rooms;
use super::mail::{Mail, Open};
use crate::store::{Messages, Query, Range, StoreError};
use crate::wire::RoomName;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Messages that are read from the store at once.
const PAGE: usize = 100;

/// Bytes of their texts, unless one alone is longer.
const PAGE_BYTES: usize = 64 << 10;

/// What one connection has joined and not been sent yet. It belongs to the connection's owner, who
/// calls [`close`](Self::close) before it goes.
#[derive(Debug, Default)]
pub struct Reader {
    /// `None` until the first join.
    mail: Option<Arc<Mail>>,
    /// What is read from the store, each room in its turn.
    backlogs: VecDeque<Backlog>,
    open: Option<Open>,
}

/// A room of which the store has more.
#[derive(Debug)]
struct Backlog {
    room: RoomName,
    /// The seq of the last message that was sent.
    after: u64,
}

/// Why a room was not joined.
#[derive(Debug)]
pub enum JoinError {
    /// So many rooms are joined already.
    TooMany(usize),
    /// The store can't be read.
    Store(StoreError),
}

impl From<StoreError> for JoinError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(most) => write!(f, "at most {most} rooms can be joined at once"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for JoinError {}

impl Reader {
    /// Joins `room` for `connection`: what comes after the seq `since` is to be sent to it, or
    /// what is posted from now on. Joined again, it begins anew. May block. The room's last seq.
    ///
    /// # Errors
    ///
    /// [`JoinError`]; what was joined before stays as it was.
    pub fn join(
        &mut self,
        rooms: &Rooms,
        messages: &dyn Messages,
        connection: u64,
        room: &RoomName,
        since: Option<u64>,
    ) -> Result<u64, JoinError> {
        let mail = self.mail.get_or_insert_with(|| {
            let charge = rooms.budget.charge();
            Arc::new(Mail::new(connection, charge))
        });
        let is_new = !mail.has_joined(room);
        if is_new {
            let most = rooms.bounds.joins;
            if mail.joined() >= most {
                return Err(JoinError::TooMany(most));
            }
            // First this and then the look into the store: what it does not have yet is delivered.
            mail.register(room);
            rooms.members.add(room, mail);
        }
        let head = match messages.head(room) {
            Ok(head) => head,
            Err(error) => {
                if is_new {
                    self.leave(rooms, room);
                }
                return Err(error.into());
            }
        };
        // Beyond the head there is nothing to leave out, but for who mistakes this store for
        // another one.
        let after = since.map_or(head, |since| since.min(head));
        let is_behind = mail.begin(room, after, head);
        self.backlogs.retain(|backlog| backlog.room != *room);
        if is_behind {
            let room = room.clone();
            self.backlogs.push_back(Backlog { room, after });
        }
        Ok(head)
    }

    /// Leaves `room`, if it was joined. Nothing of it follows, but for the end of a push of which
    /// a part has left.
    pub fn leave(&mut self, rooms: &Rooms, room: &RoomName) {
        if let Some(mail) = &self.mail {
            rooms.members.remove(room, mail);
            mail.leave(room);
            self.backlogs.retain(|backlog| backlog.room != *room);
        }
    }

    /// Leaves every room that `is_closed`, as [`leave`](Self::leave) does.
    pub fn leave_where(&mut self, rooms: &Rooms, is_closed: impl Fn(&RoomName) -> bool) {
        let joined = self.mail.as_ref().map(|mail| mail.rooms());
        for room in joined.into_iter().flatten().filter(|room| is_closed(room)) {
            self.leave(rooms, &room);
        }
    }

    /// Leaves every room. What was posted before is still sent.
    pub fn wind_up(&mut self, rooms: &Rooms) {
        if let Some(mail) = &self.mail {
            for room in mail.leave_all() {
                rooms.members.remove(&room, mail);
            }
        }
    }

    /// Leaves every room. Nothing is sent any more but the end of a push of which a part has left.
    pub fn leave_all(&mut self, rooms: &Rooms) {
        self.wind_up(rooms);
        self.backlogs.clear();
        if let Some(mail) = &self.mail {
            mail.clear();
        }
    }

    /// Leaves every room, and forgets also a push of which a part has left.
    pub fn close(&mut self, rooms: &Rooms) {
        self.leave_all(rooms);
        *self = Self::default();
    }

    /// Whether it has joined a room since it was made or closed.
    #[must_use]
    pub fn has_joined(&self) -> bool {
        self.mail.is_some()
    }

    /// Whether a part of a push has left and the rest has not: nothing else may be said before.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether the store has more for it.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.backlogs.is_empty()
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let has_mail = self.mail.as_ref().is_some_and(|mail| !mail.is_empty());
        !self.is_open() && !self.is_behind() && !has_mail
    }

    /// Appends what was delivered to `out`, about `most` bytes. A push may be cut;
    /// [`is_open`](Self::is_open) then says so.
    pub fn take(&mut self, out: &mut Vec<u8>, most: usize) {
        let end = out.len() + most;
        if let Some(open) = &mut self.open {
            if !open.take(out, most) {
                return;
            }
            self.open = None;
        }
        if let Some(mail) = &self.mail
            && out.len() < end
        {
            self.open = mail.take(out, end - out.len());
        }
    }

    /// Appends to `out` what a reader that has read everything else is told of what it missed.
    pub fn tell_gaps(&self, out: &mut Vec<u8>) {
        if let Some(mail) = &self.mail
            && self.open.is_none()
        {
            mail.tell_gaps(out);
        }
    }

    /// Appends the next page from the store to `out`, if the store has more for it: at most 100
    /// pushes, and 64 KiB of texts unless one alone is longer. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; that room is then left out of what follows, and its reader must be told.
    pub fn read_page(
        &mut self,
        messages: &dyn Messages,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let (Some(mail), Some(mut backlog)) = (&self.mail, self.backlogs.pop_front()) else {
            return Ok(());
        };
        let known = mail.newest(&backlog.room);
        let page = messages.page(&Query {
            room: backlog.room.clone(),
            range: Range::After(backlog.after),
            limit: PAGE,
            max_bytes: PAGE_BYTES,
            search: None,
        })?;
        for message in &page.messages {
            message.write_push(out);
            backlog.after = message.seq;
        }
        if page.more || !mail.catch_up(&backlog.room, backlog.after, known) {
            self.backlogs.push_back(backlog);
        }
        Ok(())
    }
}

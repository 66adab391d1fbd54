//! Rooms: joining and leaving them, their history, and what comes unasked. What to do when a
//! connection breaks is left to [`super::Subscription`].

use super::pushes::Push;
use super::{Client, Error, Reply};
use crate::wire::{Header, Message, RoomName};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime};

/// The most messages or rooms that a server gives in one page.
pub const MAX_PAGE: usize = 1_000;

/// The longest that a push is waited for at once: a year. Beyond it the clock's sums end.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The last second of the year 9999, since 1970.
const LAST_TIME: Duration = Duration::from_secs(253_402_300_799);

/// A place between the messages of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// At this seq.
    Seq(u64),
    /// At this time, to the millisecond.
    Time(SystemTime),
}

impl From<Bound> for Value {
    fn from(bound: Bound) -> Self {
        match bound {
            Bound::Seq(seq) => seq.into(),
            Bound::Time(time) => {
                // No other time has a form; before the first of them there is no message.
                let time = time.clamp(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + LAST_TIME);
                humantime::format_rfc3339_millis(time).to_string().into()
            }
        }
    }
}

/// What a server says when a room is joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The seq of the room's last message, 0 if it has none.
    pub head: u64,
    /// The store's random id: seqs mean something only while it is the same.
    pub store: Option<String>,
}

/// Which part of a room is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The room.
    pub room: RoomName,
    /// Which part of it.
    pub range: Range,
    /// The most messages of one page, 1 to [`MAX_PAGE`].
    pub limit: usize,
    /// Only messages whose text holds this.
    pub search: Option<String>,
}

/// The parts of a room. Bounds are exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The newest messages.
    Newest,
    /// The newest before this.
    Before(Bound),
    /// The oldest after this.
    After(Bound),
}

/// A part of a room.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Its messages, ascending.
    pub messages: Vec<Message>,
    /// Whether there are more in the same range: older ones, or newer ones for [`Range::After`].
    pub more: bool,
}

/// A room, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name.
    pub name: RoomName,
    /// The seq of its last message.
    pub head: u64,
    /// How many connections have joined it.
    pub members: u64,
}

impl History {
    /// The newest messages of `room`, in pages as large as the server gives.
    #[must_use]
    pub fn newest(room: RoomName) -> Self {
        Self {
            room,
            range: Range::Newest,
            limit: MAX_PAGE,
            search: None,
        }
    }

    /// What comes after `bound`, in pages as large as the server gives.
    #[must_use]
    pub fn after(room: RoomName, bound: Bound) -> Self {
        Self {
            range: Range::After(bound),
            ..Self::newest(room)
        }
    }

    fn header(&self) -> Header {
        let mut header = Header::new("history").with("room", self.room.as_str());
        header = match self.range {
            Range::Newest => header,
            Range::Before(bound) => header.with("before", bound),
            Range::After(bound) => header.with("after", bound),
        };
        header = header.with("limit", self.limit.clamp(1, MAX_PAGE));
        match &self.search {
            Some(search) => header.with("search", search.as_str()),
            None => header,
        }
    }

    /// Where the page behind `page` begins; `None` if there is none.
    fn next(&self, page: &Page) -> Option<Range> {
        if !page.more {
            return None;
        }
        Some(match self.range {
            Range::After(_) => Range::After(Bound::Seq(page.messages.last()?.seq)),
            Range::Newest | Range::Before(_) => {
                Range::Before(Bound::Seq(page.messages.first()?.seq))
            }
        })
    }
}

impl Client {
    /// Joins a room: its messages come as pushes from now on, those after `since` first. Without
    /// it only new ones come. Again, it begins anew at another place.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn join(&mut self, room: &RoomName, since: Option<Bound>) -> Result<Joined, Error> {
        let mut header = Header::new("join").with("room", room.as_str());
        if let Some(since) = since {
            header = header.with("since", since);
        }
        self.ask(header, None)?.try_into()
    }

    /// Leaves a room: no push of it comes after those that are here already.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn leave(&mut self, room: &RoomName) -> Result<(), Error> {
        let header = Header::new("leave").with("room", room.as_str());
        self.ask(header, None).map(|_| ())
    }

    /// One page of a room's history.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn history(&mut self, history: &History) -> Result<Page, Error> {
        self.ask(history.header(), None)?.try_into()
    }

    /// All pages of a room's history, asked for one by one: upwards for [`Range::After`],
    /// otherwise downwards, the messages of each ascending.
    pub fn pages(&mut self, history: History) -> Pages<'_> {
        Pages {
            client: self,
            next: Some(history),
        }
    }

    /// The rooms that have messages and may be seen, in the order of their names' bytes.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn rooms(&mut self) -> Result<Vec<Room>, Error> {
        let mut rooms: Vec<Room> = Vec::new();
        loop {
            let mut header = Header::new("rooms").with("limit", MAX_PAGE);
            if let Some(last) = rooms.last() {
                header = header.with("after", last.name.as_str());
            }
            let reply = self.ask(header, None)?;
            let more = reply.flag("more")?;
            let page = list(&reply, "a list of rooms", Room::read)?;
            let is_empty = page.is_empty();
            rooms.extend(page);
            if !more || is_empty {
                return Ok(rooms);
            }
        }
    }

    /// Waits for what the server says unasked, at most for `patience`; `None` if nothing came. What
    /// came while answers were awaited comes first. Requests may be asked in between.
    ///
    /// # Errors
    ///
    /// See [`Error`]; a connection that ends is one, but not before all that came has been taken.
    pub fn next_push(&mut self, patience: Duration) -> Result<Option<Push>, Error> {
        let deadline = Instant::now() + patience.min(LONGEST_WAIT);
        let has_push = super::ledger::Ledger::has_push;
        self.connection.wait_until_or(deadline, has_push)?;
        Ok(self.connection.ledger().take_push())
    }
}

/// The pages of a history; see [`Client::pages`]. After a failure there are no more.
#[derive(Debug)]
pub struct Pages<'a> {
    client: &'a mut Client,
    next: Option<History>,
}

impl Iterator for Pages<'_> {
    type Item = Result<Page, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let history = self.next.take()?;
        let page = match self.client.history(&history) {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        if let Some(range) = history.next(&page) {
            self.next = Some(History { range, ..history });
        }
        Some(Ok(page))
    }
}

impl TryFrom<Reply> for Joined {
    type Error = Error;

    fn try_from(reply: Reply) -> Result<Self, Error> {
        let head = reply.number("head")?;
        Ok(Self {
            head: head.ok_or_else(|| Error::Nonsense("a room without its head".to_owned()))?,
            store: reply.text("store")?,
        })
    }
}

impl TryFrom<Reply> for Page {
    type Error = Error;

    fn try_from(reply: Reply) -> Result<Self, Error> {
        let read = |object: &Value| Message::read(object, None);
        Ok(Self {
            messages: list(&reply, "a page of messages", read)?,
            more: reply.flag("more")?,
        })
    }
}

impl Room {
    fn read(object: &Value) -> Option<Self> {
        Some(Self {
            name: RoomName::new(object.get("room")?.as_str()?).ok()?,
            head: object.get("head")?.as_u64()?,
            members: object.get("members").and_then(Value::as_u64).unwrap_or(0),
        })
    }
}

/// The object in the server's list.
impl Serialize for Room {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("room", self.name.as_str())?;
        map.serialize_entry("head", &self.head)?;
        map.serialize_entry("members", &self.members)?;
        map.end()
    }
}

/// Reads the JSON array in a reply's body.
fn list<T>(reply: &Reply, what: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, Error> {
    let nonsense = || Error::Nonsense(format!("{what} that cannot be read"));
    let array: Vec<Value> = serde_json::from_slice(&reply.body).map_err(|_| nonsense())?;
    array
        .iter()
        .map(|object| read(object).ok_or_else(nonsense))
        .collect()
}

#[cfg(test)]
mod tests;

//! What a server answers, typed.

use super::{Error, Refused};
use crate::wire::{Digest, FieldError, Fields, Token};
use std::time::{Duration, SystemTime};

/// The answer to one pipelined request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The id that [`Client::send`](super::Client::send) returned.
    pub id: u64,
    /// What the server said.
    pub outcome: Result<Reply, Refused>,
}

/// A positive answer, as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Its fields, without `id` and `ok`.
    pub fields: Fields,
    /// Its body, empty where it has none.
    pub body: Vec<u8>,
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Greeting {
    /// The program's name.
    pub server: String,
    /// Its version.
    pub version: String,
    /// The protocol's version.
    pub proto: u64,
    /// The store's random id, if there is one: a remembered `seq` means something only while it
    /// is the same.
    pub store: Option<String>,
    /// Whether a login is `off`, `optional` or `required` here.
    pub login: String,
    /// What goes before a password before it is hashed.
    pub salt: String,
    /// The longest header taken, in bytes.
    pub max_header: Option<u64>,
    /// The longest text taken, in bytes.
    pub max_text: Option<u64>,
    /// The bots that answer.
    pub bots: Vec<String>,
    /// `running` or `draining`.
    pub state: String,
}

/// The proof that a message was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// The room it went to.
    pub room: String,
    /// Its number in the store; `None` if the receipt came before the commit
    /// ([`Ack::Received`](super::Ack::Received)).
    pub seq: Option<u64>,
    /// The number of the message before it in the same room, 0 for the first; `None` where the
    /// poster may not know.
    pub prev: Option<u64>,
    /// When it was taken.
    pub time: Option<SystemTime>,
    /// `durable` or `received`.
    pub ack: Option<String>,
    /// It had been taken before, under the same key; this is the first receipt again.
    pub duplicate: bool,
}

/// The proof that a file was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The name under which it is kept, which another file of the asked name may have changed.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, if the server has one.
    pub digest: Option<Digest>,
    /// The same file had been taken before.
    pub duplicate: bool,
    /// The number of the message that it became, if it was posted to a room.
    pub seq: Option<u64>,
    /// The number of the message before that one in the room, 0 for the first.
    pub prev: Option<u64>,
}

/// What a login made of the connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Welcome {
    /// The server's sentence. Foreign text: escape it before it reaches a terminal.
    pub text: String,
    /// Who the connection is now.
    pub user: String,
    /// `user` or `admin`.
    pub role: String,
    /// For the next login, in place of the password. As good as that.
    pub token: Option<Token>,
    /// How long the token lasts from now on, be it this one or the one that was used.
    pub expires_in: Option<Duration>,
}

fn nonsense(error: &FieldError) -> Error {
    Error::Nonsense(format!("a reply that cannot be read: {error}"))
}

impl Reply {
    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, Error> {
        let text = self.fields.text(name).map_err(|error| nonsense(&error))?;
        Ok(text.map(str::to_owned))
    }

    pub(super) fn required_text(&self, name: &'static str) -> Result<String, Error> {
        let text = self.fields.required_text(name);
        text.map(str::to_owned).map_err(|error| nonsense(&error))
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, Error> {
        self.fields.number(name).map_err(|error| nonsense(&error))
    }

    pub(super) fn digest(&self) -> Result<Option<Digest>, Error> {
        let digest = self
            .fields
            .text("digest")
            .map_err(|error| nonsense(&error))?;
        let wrong = |_| Error::Nonsense("a digest that is none".to_owned());
        digest
            .map(|digest| digest.parse().map_err(wrong))
            .transpose()
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Error> {
        let flag = self.fields.flag(name).map_err(|error| nonsense(&error))?;
        Ok(flag.unwrap_or(false))
    }

    pub(super) fn into_text(self) -> Result<String, Error> {
        String::from_utf8(self.body)
            .map_err(|_| Error::Nonsense("an answer that is not UTF-8".to_owned()))
    }
}

impl TryFrom<Reply> for Greeting {
    type Error = Error;

    fn try_from(reply: Reply) -> Result<Self, Error> {
        let bots = reply.fields.get("bots").and_then(|bots| bots.as_array());
        let bots = bots.into_iter().flatten();
        Ok(Self {
            server: reply.required_text("server")?,
            version: reply.required_text("version")?,
            proto: reply.number("proto")?.unwrap_or(1),
            store: reply.text("store")?,
            login: reply.required_text("login")?,
            salt: reply.required_text("salt")?,
            max_header: reply.number("max_header")?,
            max_text: reply.number("max_text")?,
            bots: bots
                .filter_map(|bot| bot.as_str().map(str::to_owned))
                .collect(),
            state: reply.required_text("state")?,
        })
    }
}

impl TryFrom<Reply> for Receipt {
    type Error = Error;

    fn try_from(reply: Reply) -> Result<Self, Error> {
        let time = reply.text("time")?.map(|time| {
            humantime::parse_rfc3339(&time)
                .map_err(|_| Error::Nonsense(format!("a receipt of the time {time:?}")))
        });
        Ok(Self {
            room: reply.required_text("room")?,
            seq: reply.number("seq")?,
            prev: reply.number("prev")?,
            time: time.transpose()?,
            ack: reply.text("ack")?,
            duplicate: reply.flag("duplicate")?,
        })
    }
}

impl TryFrom<Reply> for Stored {
    type Error = Error;

    fn try_from(reply: Reply) -> Result<Self, Error> {
        let size = reply.number("size")?;
        let size = size.ok_or_else(|| Error::Nonsense("a receipt without a size".to_owned()))?;
        Ok(Self {
            name: reply.required_text("name")?,
            size,
            digest: reply.digest()?,
            duplicate: reply.flag("duplicate")?,
            seq: reply.number("seq")?,
            prev: reply.number("prev")?,
        })
    }
}

impl TryFrom<Reply> for Welcome {
    type Error = Error;

    fn try_from(reply: Reply) -> Result<Self, Error> {
        Ok(Self {
            text: reply.text("text")?.unwrap_or_default(),
            user: reply.required_text("user")?,
            role: reply.required_text("role")?,
            // One of another form is of no use, and the login is good without.
            token: reply.text("token")?.and_then(|token| token.parse().ok()),
            expires_in: reply.number("expires_in")?.map(Duration::from_secs),
        })
    }
}

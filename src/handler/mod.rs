//! What the service does, one file a request type. A handler knows no socket and no JSON text: it
//! takes typed fields and a session and returns an [`Outcome`].
//!
//! To add a type: a file here with a unit struct that implements [`Handler`], and its entry in
//! [`HANDLERS`]. Tests over the table then ask for its section in the protocol document and its
//! golden conversations. Look-up, preconditions and the fence against panics are left to
//! [`crate::dispatch`].

mod ack;
mod bot;
mod bound;
mod file;
mod get;
mod hello;
mod history;
mod house;
mod join;
mod kick;
mod leave;
mod list;
mod login;
mod logout;
mod message;
mod offset;
mod paging;
mod ping;
mod presence;
mod reading;
mod refuse;
mod remove;
mod rooms;
mod secrecy;
mod source;
mod text;
mod viewer;

pub use ack::Ack;
pub use house::{Counters, Hidden, House, Show, rooms, watch, watch_files};
pub use presence::{Order, Presence, Ring};
pub use reading::leave_closed_rooms;
pub use refuse::{refuse, refuse_file};
pub use source::Source;
pub use text::TextSink;

use crate::rooms::Reader;
use crate::session::{Right, Session};
use crate::store::Account;
use crate::ticket::{Redeemer, Ticket};
use crate::wire::{Answer, Code, Fields, Refusal, Reply, TokenHash};
use std::sync::Arc;

/// Every request type that is served, in the order in which the protocol document lists them.
/// Types that the protocol knows and this table does not are answered `unknown_type`.
pub const HANDLERS: &[&dyn Handler] = &[
    &hello::Hello,
    &message::Message,
    &join::Join,
    &leave::Leave,
    &history::History,
    &rooms::ListRooms,
    &file::File,
    &offset::Offset,
    &get::Get,
    &list::List,
    &remove::Remove,
    &login::Login,
    &logout::Logout,
    &bot::Bot,
    &ping::Ping,
    &kick::Kick,
];

/// What serving a request may cost the thread that does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Memory only: any worker serves it at once.
    Quick,
    /// May wait for the disk or another program: runs where it holds up nobody.
    Blocking,
    /// Computes a password hash: as blocking, and on at most as many threads as there are cores.
    Hashing,
    /// Goes on with a TLS handshake, which no handler does: as hashing, on threads of its own.
    Handshaking,
}

/// Which body follows a request's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// None.
    None,
    /// Exactly one frame.
    Frame,
    /// One frame, or with `size` in the header frames whose sum is exactly `size` − `offset`.
    File,
}

/// Which requests of one connection may be under way at once. Those of one class take effect in
/// their order even so; one of another class begins when all that precede it are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// It waits for all earlier answers, and all later requests wait for its own.
    None,
    /// Posts: the store of messages takes them in the order in which they come.
    Posts,
    /// Files: their bodies come one after the other, and they are published in that order. Each
    /// keeps an open file until then, so that fewer may wait than of posts.
    Files,
}

impl Overlap {
    /// How many requests of this class may wait for their answers.
    #[must_use]
    pub const fn window(self) -> usize {
        match self {
            Self::None => 1,
            Self::Posts => usize::MAX,
            Self::Files => 64,
        }
    }
}

/// What dispatch must know of a request type before it is handled.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name on the wire.
    pub msg_type: &'static str,
    /// What follows the header.
    pub body: Body,
    /// What serving it may cost.
    pub cost: Cost,
    /// What its asker must have the right to; `None` if anybody may ask.
    pub right: Option<Right>,
    /// Whether it is served before the login that a listener requires.
    pub before_login: bool,
    /// Which earlier requests of its connection may still wait for their answers when it begins.
    pub overlap: Overlap,
}

/// One request type.
pub trait Handler: Sync {
    /// What dispatch must know of it.
    fn spec(&self) -> Spec;

    /// What serving a request with these fields may cost, where that depends on them.
    fn cost(&self, fields: &Fields) -> Cost {
        let _ = fields;
        self.spec().cost
    }

    /// Begins a request: checks its fields and, where no body follows, serves it.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]; the body, if one follows, is then skipped.
    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal>;
}

/// What becomes of a request.
pub enum Outcome {
    /// It is answered.
    Reply(Reply),
    /// It is answered, with a body that is read while the peer takes it. Not for types that
    /// overlap.
    Source(Reply, Box<dyn Source>),
    /// The ticket made by [`Call::ticket`] was handed on; who has it answers.
    Ticket,
    /// The body is wanted.
    Sink(Box<dyn Sink>),
}

/// Where a request's body goes, piece by piece. Dropped before its end, it undoes what it began.
pub trait Sink: Send {
    /// Told before the first byte if the size of the body is known: `bytes` will follow.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]; the body is then skipped.
    fn announce(&mut self, bytes: u64) -> Result<(), Refusal> {
        let _ = bytes;
        Ok(())
    }

    /// Takes the next piece.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]; the rest of the body is then skipped.
    fn write(&mut self, piece: &[u8]) -> Result<(), Refusal>;

    /// Takes fields that the header should have had instead. Some conversations know only at the
    /// end of a body what it was.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]; the body is then skipped.
    fn amend(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let _ = fields;
        Err(Refusal::internal())
    }

    /// Serves the request, now that its body is whole. Another [`Outcome::Sink`] is a fault.
    ///
    /// # Errors
    ///
    /// A [`Refusal`].
    fn finish(self: Box<Self>, call: &mut Call<'_>) -> Result<Outcome, Refusal>;

    /// Told instead of [`finish`](Self::finish) when a shutdown cuts the body off: what the
    /// `going_away` refusal says besides.
    fn cut_off(self: Box<Self>) -> Vec<(&'static str, crate::wire::Datum)> {
        Vec::new()
    }
}

/// One request, as a handler sees it.
pub struct Call<'a> {
    /// What all handlers share.
    pub house: &'a House,
    /// Who asks; a login changes it.
    pub session: &'a mut Session,
    redeemer: &'a Arc<dyn Redeemer>,
    connection: u64,
    slot: u64,
    issued: bool,
    reader: Option<&'a mut Reader>,
}

impl<'a> Call<'a> {
    /// A call for request `slot` of `connection`.
    pub fn new(
        house: &'a House,
        session: &'a mut Session,
        redeemer: &'a Arc<dyn Redeemer>,
        connection: u64,
        slot: u64,
    ) -> Self {
        Self {
            house,
            session,
            redeemer,
            connection,
            slot,
            issued: false,
            reader: None,
        }
    }

    /// This call, by a connection that can read rooms.
    #[must_use]
    pub fn with_reader(mut self, reader: &'a mut Reader) -> Self {
        self.reader = Some(reader);
        self
    }

    /// The connection as a reader of rooms, and its key.
    ///
    /// # Errors
    ///
    /// `forbidden` where nothing can be pushed.
    pub fn reader(&mut self) -> Result<(&mut Reader, u64), Refusal> {
        let connection = self.connection;
        let reader = self.reader.as_deref_mut();
        reader.map(|reader| (reader, connection)).ok_or_else(|| {
            let reason = "nothing can be pushed to this connection";
            Refusal::new(Code::Forbidden, reason)
        })
    }

    /// Makes the session that of `account`. `token` is what it was opened with or is to be given.
    pub fn sign_in(&mut self, account: &Account, token: Option<TokenHash>) {
        self.sign_out();
        let mark = account.secret.mark();
        let presence = &self.house.presence;
        presence.enter(self.connection, &account.name, mark, account.role);
        self.session.user = Some(account.name.clone());
        self.session.role = account.role;
        self.session.mark = Some(mark);
        self.session.token = token;
    }

    /// Makes the session a guest's.
    pub fn sign_out(&mut self) {
        if let Some(user) = &self.session.user {
            self.house.presence.leave(self.connection, user);
        }
        self.session.log_out();
    }

    /// The ticket for this request's answer, for an outcome of [`Outcome::Ticket`].
    pub fn ticket(&mut self) -> Ticket {
        self.issued = true;
        Ticket::new(Arc::clone(self.redeemer), self.connection, self.slot)
    }

    /// Whether a ticket was made, so that the answer comes from elsewhere.
    #[must_use]
    pub fn has_issued(&self) -> bool {
        self.issued
    }
}

/// An answer that is there at once.
impl From<Outcome> for Option<Answer> {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Reply(reply) => Some(Ok(reply)),
            Outcome::Source(..) | Outcome::Ticket | Outcome::Sink(_) => None,
        }
    }
}

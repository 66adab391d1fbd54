//! The client: one method a request type, and the pipelined pair beneath them.

use super::connection::Connection;
use super::stream::Stream;
use super::{Address, Answer, Error, Greeting, Receipt, Reply, Stop, Welcome};
use crate::conversation::framed::{write_close, write_request};
use crate::wire::{Header, Token, frame, proof};
use std::time::Duration;

/// Requests of one connection that may wait for their answers at once; a server reads no further
/// beyond that many.
pub const WINDOW: usize = 1024;

/// Written requests are sent once they are this many bytes, or when somebody waits.
const GATHER: usize = 64 * 1024;

/// A connection to a server.
///
/// Dropped without [`close`](Self::close), it may destroy what it sent last and did not wait for.
#[derive(Debug)]
pub struct Client {
    pub(super) connection: Connection,
    next_id: u64,
    insecure: bool,
}

/// When a message's receipt comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ack {
    /// Once neither a crash nor a loss of power can lose the message.
    #[default]
    Durable,
    /// As soon as the server has it.
    Received,
}

impl Ack {
    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Received => "received",
        }
    }
}

/// How a message is posted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Post {
    /// The room; the server's `lobby` if none is named.
    pub room: Option<String>,
    /// Makes the post exactly-once: a message with the same key is taken only the first time. Up
    /// to 128 bytes, best random.
    pub key: Option<String>,
    /// When the receipt comes.
    pub ack: Ack,
}

impl Post {
    /// The header of a message posted so.
    #[must_use]
    pub fn header(&self) -> Header {
        let mut header = Header::new("msg");
        if let Some(room) = &self.room {
            header = header.with("room", room.as_str());
        }
        if let Some(key) = &self.key {
            header = header.with("key", key.as_str());
        }
        match self.ack {
            Ack::Durable => header,
            Ack::Received => header.with("ack", self.ack.word()),
        }
    }
}

impl Client {
    /// Connects to `server`: `host:port`, `framed://host:port` or `framed+tls://host:port`. `timeout` bounds the connecting,
    /// and later how long nothing may move in either direction while something is waited for; it
    /// is no bound on a transfer as a whole.
    ///
    /// # Errors
    ///
    /// [`Error::Address`], [`Error::Connect`] or [`Error::Untrusted`].
    pub fn connect(server: &str, timeout: Duration) -> Result<Self, Error> {
        Self::connect_to(&server.parse()?, timeout)
    }

    /// Connects to an address that was read before, as [`connect`](Self::connect) does.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] or [`Error::Untrusted`].
    pub fn connect_to(server: &Address, timeout: Duration) -> Result<Self, Error> {
        Ok(Self {
            connection: Connection::new(server.connect(timeout)?, timeout)?,
            next_id: 1,
            insecure: false,
        })
    }

    /// This client, sending a password's proof over an unencrypted connection to another machine
    /// as well if `insecure`. Whoever reads the proof can log in with it.
    #[must_use]
    pub fn with_insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// This client, whose every call fails with [`Error::Stopped`] soon after `stop` is uttered.
    #[must_use]
    pub fn with_stop(mut self, stop: Stop) -> Self {
        self.connection.stop_by(stop);
        self
    }

    /// Whether requests may still be answered. What the server did since the last call shows only
    /// at the next.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    /// What the server says of itself.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn hello(&mut self) -> Result<Greeting, Error> {
        let client = concat!("gatepost ", env!("CARGO_PKG_VERSION"));
        let header = Header::new("hello").with("proto", 1).with("client", client);
        self.ask(header, None)?.try_into()
    }

    /// Posts a message and waits for its receipt.
    ///
    /// # Errors
    ///
    /// See [`Error`]. Where no answer came the message may have been taken; [`Post::key`] makes
    /// it safe to post it again.
    pub fn say(&mut self, text: &str, post: &Post) -> Result<Receipt, Error> {
        self.ask(post.header(), Some(text.as_bytes()))?.try_into()
    }

    /// Asks a bot, the server's `dongmei` if none is named.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn bot(&mut self, bot: Option<&str>, text: &str) -> Result<String, Error> {
        let mut header = Header::new("bot");
        if let Some(bot) = bot {
            header = header.with("bot", bot);
        }
        self.ask(header, Some(text.as_bytes()))?.into_text()
    }

    /// Logs in, with the proof that the server's salt makes of the password.
    ///
    /// # Errors
    ///
    /// [`Error::Insecure`], before anything is sent, if the server is on another machine, nothing is
    /// encrypted, and [`with_insecure`](Self::with_insecure) did not allow it; otherwise see [`Error`].
    pub fn login(&mut self, user: &str, password: &str) -> Result<Welcome, Error> {
        self.check_secrecy()?;
        let salt = self.hello()?.salt;
        let header = Header::new("login")
            .with("username", user)
            .with("password", proof(&salt, password));
        self.ask(header, None)?.try_into()
    }

    /// Logs in with a token that an earlier login was told.
    ///
    /// # Errors
    ///
    /// [`Error::Insecure`] as [`login`](Self::login) has it; otherwise see [`Error`]. Refused as
    /// `bad_login`, the token is of no more use.
    pub fn login_with_token(&mut self, token: &Token) -> Result<Welcome, Error> {
        self.check_secrecy()?;
        let header = Header::new("login").with("token", token.text());
        self.ask(header, None)?.try_into()
    }

    /// Makes this connection a guest's again, and ends `token`, or the one that it was given or
    /// logged in with.
    ///
    /// # Errors
    ///
    /// [`Error::Insecure`] as [`login`](Self::login) has it, if there is a `token`; otherwise see
    /// [`Error`].
    pub fn logout(&mut self, token: Option<&Token>) -> Result<(), Error> {
        let mut header = Header::new("logout");
        if let Some(token) = token {
            self.check_secrecy()?;
            header = header.with("token", token.text());
        }
        self.ask(header, None).map(|_| ())
    }

    /// Ends every connection of `user`, for admins. How many there were.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn kick(&mut self, user: &str) -> Result<u64, Error> {
        let reply = self.ask(Header::new("kick").with("user", user), None)?;
        let count = reply.number("count")?;
        count.ok_or_else(|| Error::Nonsense("a kick without a count".to_owned()))
    }

    /// Sees to it that what is as good as a password may be sent here.
    fn check_secrecy(&self) -> Result<(), Error> {
        if !self.insecure && !self.connection.stream().is_private()? {
            return Err(Error::Insecure);
        }
        Ok(())
    }

    /// Asks for nothing but an answer.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn ping(&mut self) -> Result<(), Error> {
        self.ask(Header::new("ping"), None).map(|_| ())
    }

    /// Sends any request and waits for its answer.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn ask(&mut self, header: Header, body: Option<&[u8]>) -> Result<Reply, Error> {
        let id = self.send(header, body)?;
        self.wait_for(id)
    }

    /// Sends a request without waiting for its answer, which [`receive`](Self::receive) will
    /// return. It may be gathered with others; [`flush`](Self::flush) and whatever waits send
    /// what is gathered. Waits while [`WINDOW`] requests are unanswered. Answers that come
    /// meanwhile are kept until they are received.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn send(&mut self, header: Header, body: Option<&[u8]>) -> Result<u64, Error> {
        let bytes = body.map_or(0, <[u8]>::len);
        if bytes > frame::MAX_PAYLOAD {
            return Err(Error::TooLong(bytes));
        }
        let id = self.next(|header, out| write_request(&header, body, out), header)?;
        if self.connection.output().len() >= GATHER {
            self.connection.flush()?;
        }
        Ok(id)
    }

    /// Sends what is gathered.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.connection.flush()
    }

    /// Waits for the next answer, in the order of the requests; `None` if all are answered.
    ///
    /// # Errors
    ///
    /// See [`Error`]; a refusal is in the answer, not here.
    pub fn receive(&mut self) -> Result<Option<Answer>, Error> {
        self.wait_for_first()?;
        Ok(self.connection.ledger().take_first())
    }

    /// Waits until there is an answer to be received, if one is owed.
    pub(super) fn wait_for_first(&mut self) -> Result<(), Error> {
        if self.connection.ledger().unanswered() == 0 {
            return Ok(());
        }
        let has_answer = super::ledger::Ledger::has_answer;
        self.connection.wait_until(has_answer)
    }

    /// The next answer if one was found while something else was done. Reads nothing; see
    /// [`glance`](Self::glance).
    pub fn received(&mut self) -> Option<Answer> {
        self.connection.ledger().take_first()
    }

    /// Reads what has come, without waiting: answers, and whether the server has gone.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn glance(&mut self) -> Result<(), Error> {
        self.connection.glance()
    }

    /// Requests that are not answered yet.
    #[must_use]
    pub fn unanswered(&mut self) -> usize {
        self.connection.ledger().unanswered()
    }

    /// Says goodbye and waits until the server has closed as well: what was sent before has
    /// arrived then. Answers that were not received are dropped.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn close(mut self) -> Result<(), Error> {
        self.connection.check_open()?;
        write_close(self.connection.output());
        self.connection.wait_for_end()
    }

    /// The socket, non-blocking, for who wants to drive it differently. Every answer has to be
    /// received before.
    pub(super) fn into_stream(self) -> Stream {
        self.connection.into_stream()
    }

    /// Writes a request that will be answered and returns its id.
    pub(super) fn next(
        &mut self,
        write: impl FnOnce(Header, &mut Vec<u8>),
        header: Header,
    ) -> Result<u64, Error> {
        self.connection.check_open()?;
        if self.connection.ledger().unanswered() >= WINDOW {
            self.connection
                .wait_until(|ledger| ledger.unanswered() < WINDOW)?;
        }
        let id = self.next_id;
        self.next_id += 1;
        write(header.with_id(id), self.connection.output());
        self.connection.ledger().expect(id);
        Ok(id)
    }

    /// Waits for the answer to `id`, the newest request; earlier answers stay to be received.
    pub(super) fn wait_for(&mut self, id: u64) -> Result<Reply, Error> {
        self.connection
            .wait_until(|ledger| ledger.is_answered(id))?;
        let answer = self.connection.ledger().take_last();
        match answer.map(|answer| answer.outcome) {
            Some(outcome) => outcome.map_err(Error::Refused),
            None => Err(Error::Nonsense("no answer".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;

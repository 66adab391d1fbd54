//! One connection of the ping row: keeps so many requests in flight, checks
//! each answer, and notes how long it took. When it may read or write is left
//! to `load`, which owns the waiting.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::dialect::{Dialect, first_id, next_id};
use crate::inbox::Inbox;

/// A request that has not been answered.
#[derive(Debug)]
struct Asked {
    id: u32,
    at: Instant,
}

/// A client's end of one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    dialect: Dialect,
    inbox: Inbox,
    outbox: Vec<u8>,
    in_flight: VecDeque<Asked>,
    next_id: u32,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, dialect: Dialect) -> anyhow::Result<Self> {
        let mut stream =
            TcpStream::connect(address).with_context(|| format!("reaching {address}"))?;
        stream.set_nodelay(true)?;
        let dialect = dialect.greet(&mut stream)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            dialect,
            inbox: Inbox::new(),
            outbox: Vec::new(),
            in_flight: VecDeque::new(),
            next_id: first_id(),
        })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Asks until `depth` requests are in flight; all of them leave in one
    /// write, and `now` counts as the moment of each.
    pub(crate) fn ask(&mut self, depth: usize, now: Instant) -> anyhow::Result<()> {
        while self.in_flight.len() < depth {
            let id = self.next_id;
            self.dialect.ask(id, &mut self.outbox);
            self.in_flight.push_back(Asked { id, at: now });
            self.next_id = next_id(id);
        }
        self.flush()
    }

    /// Whether something is left for when the socket takes bytes again.
    pub(crate) fn wants_to_write(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Writes as much as the socket takes.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        let mut sent = 0;
        while sent < self.outbox.len() {
            match self.stream.write(&self.outbox[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("sending a request"),
            }
        }
        // All of it, all but always: then nothing is moved.
        self.outbox.drain(..sent);
        Ok(())
    }

    /// Reads once and hands the send time of every request answered to
    /// `answered`, with the moment of the read.
    pub(crate) fn receive(
        &mut self,
        mut answered: impl FnMut(Instant, Instant) -> anyhow::Result<()>,
    ) -> anyhow::Result<Instant> {
        match self.stream.read(self.inbox.space()) {
            Ok(0) => bail!("the server closed a connection with requests in flight"),
            Ok(count) => self.inbox.received(count),
            Err(error) if is_for_later(error.kind()) => {}
            Err(error) => return Err(error).context("reading an answer"),
        }
        let now = Instant::now();
        let mut used = 0;
        while let Some(asked) = self.in_flight.front() {
            let rest = &self.inbox.bytes()[used..];
            let Some(length) = self.dialect.answer(asked.id, rest)? else {
                break;
            };
            used += length;
            answered(asked.at, now)?;
            self.in_flight.pop_front();
        }
        self.inbox.used(used);
        if self.in_flight.is_empty() && !self.inbox.bytes().is_empty() {
            bail!("the server sent more than it was asked for");
        }
        Ok(now)
    }
}

fn is_for_later(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

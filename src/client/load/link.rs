//! One connection under load: requests written, answers read and checked.

use super::report::Tally;
use super::{Kind, Plan};
use crate::client::Error;
use crate::client::inbox::Inbox;
use crate::client::ledger::Ledger;
use crate::client::stream::Stream;
use crate::client::{Answer, Post, Reply};
use crate::conversation::framed::{Talking, write_request};
use crate::wire::Header;
use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

/// What all connections have in common.
#[derive(Debug)]
pub(super) struct Work {
    round: Vec<Kind>,
    text: String,
    file: Vec<u8>,
    /// Sets this load's file names apart from another's.
    run: String,
    /// A user and proof.
    pub(super) login: Option<(String, String)>,
    pub(super) depth: usize,
    pub(super) timeout: Duration,
}

impl Work {
    pub(super) fn new(plan: &Plan, run: &str) -> Self {
        let letters = ('a'..='z').cycle();
        Self {
            round: plan.mix.round(),
            text: letters.take(plan.text_bytes).collect(),
            file: (0..plan.file_bytes).map(|n| (n % 251) as u8).collect(),
            run: run.to_owned(),
            login: None,
            depth: plan.depth,
            timeout: plan.timeout,
        }
    }

    fn write(&self, kind: Kind, connection: usize, id: u64, out: &mut Vec<u8>) {
        let header = Header::new(kind.word()).with_id(id);
        let text = Some(self.text.as_bytes());
        let (header, body) = match kind {
            Kind::Ping | Kind::Hello => (header, None),
            Kind::Bot => (header, text),
            Kind::Msg => (Post::default().header().with_id(id), text),
            Kind::File => {
                let name = format!("bench-{}-{connection}-{id}.bin", self.run);
                let header = header.with("file_name", name).with("size", self.file.len());
                let body = (!self.file.is_empty()).then_some(self.file.as_slice());
                (header, body)
            }
            Kind::Login => {
                let (user, proof) = self.login.as_ref().map_or(("", ""), |(u, p)| (u, p));
                (header.with("username", user).with("password", proof), None)
            }
        };
        write_request(&header, body, out);
    }

    /// What is wrong with `reply`, if something is.
    pub(super) fn check(&self, kind: Kind, reply: Reply, last_seq: &mut u64) -> Result<(), String> {
        let number = |name| reply.fields.number(name).ok().flatten();
        let text = |name| reply.fields.text(name).ok().flatten();
        let right = match kind {
            Kind::Ping => reply.body.is_empty(),
            Kind::Hello => number("proto") == Some(1),
            Kind::Msg => {
                let before = std::mem::replace(last_seq, number("seq").unwrap_or(0));
                text("room") == Some("lobby") && *last_seq > before
            }
            Kind::File => {
                number("size") == Some(self.file.len() as u64)
                    && text("name").is_some_and(|name| name.contains(&self.run))
            }
            Kind::Bot => std::str::from_utf8(&reply.body).is_ok_and(|said| self.bot_said(said)),
            Kind::Login => self.login.as_ref().map(|(user, _)| user.as_str()) == text("user"),
        };
        if right {
            Ok(())
        } else {
            Err(format!("a wrong reply: {reply:?}"))
        }
    }

    /// 冬梅 replaces every occurrence of one character.
    fn bot_said(&self, said: &str) -> bool {
        let mut tried = [false; 128];
        self.text.chars().any(|c| {
            let first = !std::mem::replace(&mut tried[c as usize % 128], true);
            first && self.text.replace(c, "什么") == said
        })
    }
}

#[derive(Debug)]
struct Flight {
    kind: Kind,
    since: Instant,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) stream: Stream,
    number: usize,
    talking: Talking,
    inbox: Inbox,
    ledger: Ledger,
    flights: VecDeque<Flight>,
    output: Vec<u8>,
    written: usize,
    /// Whether the poller was told to report when more can be written.
    pub(super) polled_for_output: bool,
    next_id: u64,
    last_seq: u64,
}

impl Link {
    /// A link over a non-blocking stream on which nothing is under way.
    pub(super) fn new(stream: Stream, number: usize) -> Self {
        Self {
            stream,
            number,
            talking: Talking::new(),
            inbox: Inbox::new(),
            ledger: Ledger::default(),
            flights: VecDeque::new(),
            output: Vec::new(),
            written: 0,
            polled_for_output: false,
            next_id: 0,
            last_seq: 0,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.flights.is_empty()
    }

    /// Whether it waits to write more.
    pub(super) fn has_output(&self) -> bool {
        self.written < self.output.len()
    }

    /// Since when the oldest request waits.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        self.flights.front().map(|flight| flight.since)
    }

    /// Writes new requests up to the depth, as far as the socket takes them.
    pub(super) fn fill(&mut self, work: &Work) -> Result<(), Error> {
        // What does not fit yet is not added to: a file's bytes are held once, not once a request.
        while self.flights.len() < work.depth && !self.has_output() {
            self.output.clear();
            self.written = 0;
            let since = Instant::now();
            while self.flights.len() < work.depth && self.output.len() < 64 * 1024 {
                let turn = self.number + usize::try_from(self.next_id).unwrap_or(0);
                let kind = work.round[turn % work.round.len()];
                let id = self.next_id;
                self.next_id += 1;
                work.write(kind, self.number, id, &mut self.output);
                self.ledger.expect(id);
                self.flights.push_back(Flight { kind, since });
            }
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what the socket takes.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        while self.has_output() {
            match (&mut self.stream).write(&self.output[self.written..]) {
                Ok(sent) => self.written += sent,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => break,
                    ErrorKind::Interrupted => {}
                    _ => return Err(error.into()),
                },
            }
        }
        Ok(())
    }

    /// Reads what has come and checks it.
    pub(super) fn read(&mut self, work: &Work, tally: &mut Tally) -> Result<(), Error> {
        loop {
            match self.inbox.read_from(&mut self.stream) {
                Ok(0) => return Err(self.why_closed()),
                Ok(_) => {}
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::Interrupted => continue,
                    _ => return Err(error.into()),
                },
            }
            let more = self.inbox.is_full();
            let now = Instant::now();
            let mut input = self.inbox.unread();
            while let Some(event) = self.talking.advance(&mut input)? {
                self.ledger.enter(event)?;
                if let Some(answer) = self.ledger.take_first() {
                    let flight = self.flights.pop_front().expect("the ledger counts as well");
                    settle(work, &flight, answer, now, &mut self.last_seq, tally);
                }
            }
            let left = input.len();
            self.inbox.keep(left);
            if !more {
                return Ok(());
            }
        }
    }

    /// Counts all that is under way as failed.
    pub(super) fn fail(&mut self, why: &Error, tally: &mut Tally) {
        for flight in self.flights.drain(..) {
            tally.failed(flight.kind, why);
        }
    }

    fn why_closed(&self) -> Error {
        match self.ledger.last_word() {
            Some(last_word) => Error::Refused(last_word.clone()),
            None => Error::Closed {
                going_away: self.ledger.is_going_away(),
            },
        }
    }
}

fn settle(
    work: &Work,
    flight: &Flight,
    answer: Answer,
    now: Instant,
    last_seq: &mut u64,
    tally: &mut Tally,
) {
    match answer.outcome {
        Err(refused) => tally.failed(flight.kind, &refused),
        Ok(reply) => match work.check(flight.kind, reply, last_seq) {
            Err(why) => tally.failed(flight.kind, &why),
            Ok(()) => tally.answered(flight.kind, now - flight.since),
        },
    }
}

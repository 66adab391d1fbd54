//! The workers: leader and followers. One idle worker at a time, the leader, sleeps on the poller,
//! takes what is ready and serves it itself; the others sleep in the queue. The lead is passed on
//! when there is more than one thread can do, and before anything that may block, so that few
//! threads run while nothing blocks and all of them can when much does.

use super::connection::{Connection, ENDING, Inside, Notified, READABLE, TIMER, WRITABLE};
use super::core::Core;
use super::poller::{BATCH, Event, EventBuffer};
use super::queue::{Accepted, Job};
use super::serving;
use super::shutdown::Phase;
use super::stream::Stream;
use super::turn::{self, TURN_BYTES, Verdict};
use crate::config::Scheme;
use crate::session::Session;
use crate::ticket::Redeemer;
use crate::wire::frame;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One worker's own things.
pub(super) struct Worker {
    core: Arc<Core>,
    /// The core again, as those see it who redeem tickets.
    pub(super) redeemer: Arc<dyn Redeemer>,
    /// Where every turn's input is read to.
    pub(super) scratch: Vec<u8>,
    /// Where records are read to before they are opened; empty until there are any.
    pub(super) records: Vec<u8>,
    /// Connections that this worker owns and will serve.
    line: VecDeque<Arc<Connection>>,
    leads: bool,
    events: EventBuffer,
    found: Vec<Event>,
    passed: Vec<u64>,
    /// When it last looked at the clock, in milliseconds of the server's life.
    pub(super) now: u64,
}

impl Worker {
    pub(super) fn new(core: Arc<Core>) -> Self {
        // A turn's share behind the longest thing that can be left over from the turn before.
        let scratch = vec![0; TURN_BYTES + frame::PREFIX + longest_header(&core)];
        Self {
            redeemer: Arc::clone(&core) as Arc<dyn Redeemer>,
            core,
            scratch,
            records: Vec::new(),
            line: VecDeque::new(),
            leads: false,
            events: EventBuffer::with_capacity(BATCH),
            found: Vec::with_capacity(BATCH),
            passed: Vec::new(),
            now: 0,
        }
    }

    /// Works until told to stop.
    pub(super) fn run(&mut self) {
        loop {
            if self.leads {
                if self.core.shutdown.phase() == Phase::Stopped {
                    return;
                }
                self.poll();
            } else if self.line.is_empty() {
                match self.core.queue.take() {
                    Job::Stop => return,
                    job => self.accept(job),
                }
            } else if let Some(job) = self.core.queue.try_take() {
                if matches!(job, Job::Stop) {
                    return;
                }
                self.accept(job);
            }
            self.serve_line();
        }
    }

    fn accept(&mut self, job: Job) {
        match job {
            Job::Lead => self.leads = true,
            Job::Accepted(accepted) => self.adopt(accepted),
            Job::Ready(connections) => self.line.extend(connections),
            Job::Stop => {}
        }
    }

    /// Hands on what this worker can't get to, because what it does next may block.
    pub(super) fn give_way(&mut self) {
        self.pass_lead();
        self.core.queue.push_ready(self.line.drain(..).collect());
    }

    fn pass_lead(&mut self) {
        if std::mem::take(&mut self.leads) {
            self.core.queue.push(Job::Lead);
        }
    }

    /// Serves everybody in the line once.
    fn serve_line(&mut self) {
        self.now = self.core.age(Instant::now());
        for _ in 0..self.line.len() {
            let Some(connection) = self.line.pop_front() else {
                return;
            };
            let core = Arc::clone(&self.core);
            let turn = AssertUnwindSafe(|| turn::serve(&core, self, &connection));
            let verdict = catch_unwind(turn).unwrap_or_else(|_| self.abandon(&connection));
            if verdict == Verdict::Again {
                self.line.push_back(connection);
            }
        }
    }

    /// Drops a connection in whose turn something panicked outside of any handler.
    fn abandon(&mut self, connection: &Arc<Connection>) -> Verdict {
        tracing::error!(
            key = connection.key,
            "a turn panicked; its connection is closed"
        );
        if self.scratch.is_empty() {
            self.scratch = vec![0; TURN_BYTES + frame::PREFIX + longest_header(&self.core)];
        }
        turn::close(&Arc::clone(&self.core), self, connection)
    }

    /// Waits on the poller, or only looks if somebody is in the line already, and puts into the
    /// line who is ready.
    fn poll(&mut self) {
        let timeout = if self.line.is_empty() {
            let until = self.core.timers.fall_asleep();
            until.map(|until| until.saturating_duration_since(Instant::now()))
        } else {
            Some(Duration::ZERO)
        };
        let (core, found) = (&self.core, &mut self.found);
        match core
            .poller
            .wait(&mut self.events, timeout, |event| found.push(event))
        {
            Ok(taken) if taken == BATCH => self.pass_lead(),
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "the poller failed");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        let core = Arc::clone(&self.core);
        core.timers.wake_up(Instant::now, &mut self.passed);
        let line = &mut self.line;
        let mut tell = |connection: &Arc<Connection>, events| {
            if connection.notify(events) == Notified::Owner {
                line.push_back(Arc::clone(connection));
            }
        };
        core.registry.find(
            self.found.drain(..),
            |event| event.key,
            |event, connection| {
                let readable = if event.readable { READABLE } else { 0 };
                let writable = if event.writable { WRITABLE } else { 0 };
                let ending = if event.ending { ENDING } else { 0 };
                tell(connection, readable | writable | ending);
            },
        );
        core.registry.find(
            self.passed.drain(..),
            |key| *key,
            |_, connection| {
                tell(connection, TIMER);
            },
        );
    }

    /// Takes a new connection on and puts it into the line.
    fn adopt(&mut self, accepted: Accepted) {
        let Accepted {
            stream,
            peer,
            listener,
            guard,
            seat,
        } = accepted;
        tracing::debug!(%peer, "connected");
        let core = &self.core;
        let (limits, listen) = (&core.house.limits, &core.listeners[listener]);
        let mut session = Session::new(peer, listen.login);
        session.is_encrypted = listen.tls;
        let stream = match (&core.shown, listen.tls) {
            (_, false) => Stream::plain(stream),
            (Some(shown), true) => match shown.accept() {
                Ok(channel) => Stream::encrypted(stream, channel, core.house.budget.charge()),
                Err(error) => return tracing::error!(%error, "TLS can't begin"),
            },
            // Starting sees to it that there is one.
            (None, true) => return,
        };
        if let Some(room) = &listen.room {
            session.room = room.clone();
        }
        session.takes_tokens = listen.scheme == Scheme::Framed;
        let has_small_headers = session.owes_login();
        let max_header = if has_small_headers {
            limits.max_header_before_login
        } else {
            limits.max_header
        };
        let Some(conversation) = serving::begin(listen, limits, max_header) else {
            return;
        };
        let budget = &core.house.budget;
        let mut inside = Inside::new(stream, session, conversation, limits, budget, (guard, seat));
        inside.awaits_proxy = !listen.proxy.is_empty();
        self.line
            .push_back(core.registry.add(|key| Connection::new(key, inside)));
    }
}

/// The longest header that any connection may send.
fn longest_header(core: &Core) -> usize {
    let limits = &core.house.limits;
    limits.max_header.max(limits.max_header_before_login)
}

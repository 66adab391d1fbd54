//! A server on messages in memory, and clients that read rooms.

use super::brittle::Brittle;
use crate::support::{Peer, limits};
use gatepost::budget::Budget;
use gatepost::config::{COURSE_SALT, Config};
use gatepost::gate::Gate;
use gatepost::handler::{Counters, Hidden, House, Presence, Show, rooms, watch};
use gatepost::server::{Handle, Server, Summary};
use gatepost::session::Role;
use gatepost::store::{Account, MemoryFiles, MemoryUsers, Messages, Secret};
use gatepost::time::{Clock, Random};
use gatepost::wire::UserName;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// A running server. Dropped, it is drained.
pub(super) struct Lodge {
    pub(super) messages: Arc<Brittle>,
    pub(super) budget: Budget,
    handle: Handle,
    end: Option<JoinHandle<Summary>>,
    address: SocketAddr,
}

/// Limits by key, in bytes, things or milliseconds.
pub(super) type Limits<'a> = &'a [(&'a str, u64)];

impl Lodge {
    /// Opens one that knows these accounts, by name and role; their passwords are `123`.
    #[track_caller]
    pub(super) fn open(accounts: &[(&str, Role)], set: Limits<'_>) -> Self {
        let mut config = Config::at("nowhere");
        let set = set.iter().map(|(key, value)| ((*key).to_owned(), *value));
        config.limits = limits(&set.collect::<Vec<_>>());
        config.limits.workers = 6;
        let (clock, random) = (Clock::system(), Random::seeded(1));
        let account = |(name, role): &(&str, Role)| Account {
            name: UserName::new(*name).unwrap(),
            secret: Secret::Md5(crate::support::proof("123")),
            role: *role,
        };
        let users = MemoryUsers::new(accounts.iter().map(account));
        let messages = Arc::new(Brittle::new(clock.clone(), &random));
        let (show, counters): (Arc<dyn Show>, Arc<Counters>) = (Arc::new(Hidden), Arc::default());
        let budget = Budget::new(config.limits.max_buffers);
        let rooms = rooms(&config.limits, &budget);
        messages.observe(watch(&show, &counters, &rooms));
        let house = House {
            messages: messages.clone(),
            files: Arc::new(MemoryFiles::new()),
            rooms,
            gate: Gate::with(Arc::new(users), clock.clone(), random.clone()),
            presence: Presence::default(),
            show,
            budget: budget.clone(),
            limits: config.limits.clone(),
            salt: COURSE_SALT.to_owned(),
            insecure: false,
            clock,
            random,
            counters,
            draining: false.into(),
        };
        let server = Server::with_house(&config, house).expect("the server starts");
        Self {
            messages,
            budget,
            handle: server.handle(),
            address: server.addresses()[0].address,
            end: Some(thread::spawn(|| server.wait())),
        }
    }

    /// A new client.
    #[track_caller]
    pub(super) fn peer(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// Asks it to end.
    pub(super) fn begin_drain(&self) {
        self.handle.drain();
    }

    /// Its end.
    #[track_caller]
    pub(super) fn drain(mut self) -> Summary {
        self.begin_drain();
        let end = self.end.take().expect("it ends once");
        end.join().expect("the server does not panic")
    }
}

impl Drop for Lodge {
    fn drop(&mut self) {
        self.begin_drain();
        if let Some(end) = self.end.take() {
            // A panic in it has been told already.
            let _ = end.join();
        }
    }
}

/// What a reader of rooms asks and is told.
pub(super) trait Reads {
    /// Joins a room and returns its head.
    fn join(&mut self, room: &str, since: Option<u64>) -> u64;
    /// The next push, with its text as `text`.
    fn pushed(&mut self) -> Value;
    /// Posts without waiting.
    fn post(&mut self, room: &str, text: &str);
}

impl Reads for Peer {
    #[track_caller]
    fn join(&mut self, room: &str, since: Option<u64>) -> u64 {
        let join = json!({"msg_type": "join", "id": "join", "room": room, "since": since});
        let reply = self.ask(&join);
        assert_eq!(reply["ok"], true, "{reply}");
        reply["head"].as_u64().expect("a head")
    }

    #[track_caller]
    fn pushed(&mut self) -> Value {
        let mut push = self.answer();
        if push["body"].as_u64().is_some_and(|body| body > 0) {
            let text = String::from_utf8(self.next()).expect("a text");
            assert_eq!(push["body"].as_u64(), Some(text.len() as u64));
            push["text"] = text.into();
        }
        push
    }

    #[track_caller]
    fn post(&mut self, room: &str, text: &str) {
        let header = json!({"msg_type": "msg", "room": room});
        self.request(&header, text.as_bytes());
    }
}

/// Follows what a reader is pushed of one room, and sees to it that nothing is missing or twice.
#[derive(Debug)]
pub(super) struct Thread {
    /// The seq of the last message that was told, be it in a gap.
    pub(super) last: u64,
    /// Messages that lay in gaps.
    pub(super) gaps: Vec<(u64, u64)>,
    /// Messages that came.
    pub(super) came: u64,
}

impl Thread {
    /// Begins after the seq `last`.
    pub(super) fn after(last: u64) -> Self {
        Self {
            last,
            gaps: Vec::new(),
            came: 0,
        }
    }

    /// Takes the next push of the room.
    #[track_caller]
    pub(super) fn take(&mut self, push: &Value) {
        let number = |name: &str| push[name].as_u64().unwrap_or_else(|| panic!("{push}"));
        if push["msg_type"] == "gap" {
            let (first, last) = (number("first"), number("last"));
            assert!(self.last < first && first <= last, "{self:?}: {push}");
            self.gaps.push((first, last));
            self.last = last;
        } else {
            assert_eq!(push["msg_type"], "msg", "{push}");
            assert_eq!(number("prev"), self.last, "{self:?}: {push}");
            self.last = number("seq");
            self.came += 1;
        }
    }
}

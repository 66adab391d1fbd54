//! One reader under every order of events: whatever is posted, delivered, joined, left and read
//! when, what it is told has no gap that is not told and no overlap.

use super::{Bounds, Reader, Rooms, Silent};
use crate::budget::Budget;
use crate::store::conformance::message;
use crate::store::{
    Kept, MemoryMessages, Messages, NewMessage, Page, Pending, PersonalRooms, Query, RoomHead,
    StoreError, Witness,
};
use crate::time::{Clock, Random};
use crate::wire::{RoomName, frame};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const ROOMS: [&str; 2] = ["a", "b"];

/// What the mail takes: about three of the longest pushes.
const MAIL: usize = 4 << 10;

#[derive(Debug, Clone)]
enum Event {
    /// A message with so long a text is committed, in one of the rooms.
    Post(usize, usize),
    /// What was committed is delivered.
    Deliver,
    /// A room is joined, so many seqs before the head, or for what is posted from then on.
    Join(usize, Option<u64>),
    Leave(usize),
    /// So many bytes are taken.
    Take(usize),
    /// Everything that was sent is read, so that the gaps are told.
    Drain,
    /// A page is read from the store.
    ReadPage,
}

fn event() -> impl Strategy<Value = Event> {
    let room = 0..ROOMS.len();
    prop_oneof![
        6 => (room.clone(), prop_oneof![0usize..100, 900usize..1_100])
            .prop_map(|(room, text)| Event::Post(room, text)),
        4 => Just(Event::Deliver),
        2 => (room.clone(), prop::option::of(0u64..12))
            .prop_map(|(room, behind)| Event::Join(room, behind)),
        1 => room.prop_map(Event::Leave),
        2 => (1usize..3_000).prop_map(Event::Take),
        2 => Just(Event::Drain),
        3 => Just(Event::ReadPage),
    ]
}

/// A store in which things happen just before and just after it is read.
struct Restless {
    messages: MemoryMessages,
    rooms: Arc<Rooms>,
    /// What happens at the next reads.
    meanwhile: Mutex<Vec<Event>>,
}

impl Restless {
    fn post(&self, room: usize, text: usize) {
        let text = "x".repeat(text);
        let message = message(ROOMS[room], "", "", &text);
        self.messages.post(message, None);
    }

    fn stir(&self) {
        let event = self.meanwhile.lock().pop();
        match event {
            Some(Event::Post(room, text)) => self.post(room, text),
            Some(Event::Deliver) => self.rooms.work_off(&Silent),
            _ => {}
        }
    }
}

impl Messages for Restless {
    fn post(&self, message: NewMessage, pending: Option<Pending>) {
        self.messages.post(message, pending);
    }
    fn observe(&self, witness: Arc<dyn Witness>) {
        self.messages.observe(witness);
    }
    fn id(&self) -> &str {
        self.messages.id()
    }
    fn head(&self, room: &RoomName) -> Result<u64, StoreError> {
        self.stir();
        let head = self.messages.head(room);
        self.stir();
        self.stir();
        head
    }
    fn last_before(&self, time: SystemTime) -> Result<u64, StoreError> {
        self.messages.last_before(time)
    }
    fn page(&self, query: &Query) -> Result<Page, StoreError> {
        self.stir();
        let page = self.messages.page(query);
        self.stir();
        self.stir();
        page
    }
    fn rooms(
        &self,
        after: Option<&RoomName>,
        limit: usize,
        personal: PersonalRooms<'_>,
    ) -> Result<Vec<RoomHead>, StoreError> {
        self.messages.rooms(after, limit, personal)
    }
    fn close(&self) {}
}

struct Hand(Arc<Rooms>);

impl Witness for Hand {
    fn kept(&self, batch: Vec<Kept>) {
        self.0.deliver(batch);
    }
}

/// What one reader has been told, held against what there is.
struct Trial {
    store: Restless,
    rooms: Arc<Rooms>,
    budget: Budget,
    reader: Reader,
    /// What was sent and not looked at: the pushes.
    out: Vec<u8>,
    /// The last seq that each joined room has told of.
    told: HashMap<String, u64>,
    gaps: u32,
}

impl Trial {
    fn new(meanwhile: Vec<Event>) -> Self {
        let budget = Budget::new(1 << 30);
        let bounds = Bounds {
            mail: MAIL,
            lean_mail: MAIL / 4,
            joins: 2,
        };
        let rooms = Arc::new(Rooms::new(bounds, budget.clone()));
        let clock = Clock::from_fn(|| UNIX_EPOCH);
        let messages = MemoryMessages::new(clock, &Random::seeded(1));
        messages.observe(Arc::new(Hand(Arc::clone(&rooms))));
        let store = Restless {
            messages,
            rooms: Arc::clone(&rooms),
            meanwhile: Mutex::new(meanwhile),
        };
        Self {
            store,
            rooms,
            budget,
            reader: Reader::default(),
            out: Vec::new(),
            told: HashMap::new(),
            gaps: 0,
        }
    }

    fn head(&self, room: usize) -> u64 {
        let room = RoomName::new(ROOMS[room]).unwrap();
        self.store.messages.head(&room).unwrap()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Post(room, text) => self.store.post(room, text),
            Event::Deliver => self.rooms.work_off(&Silent),
            Event::Join(room, behind) => {
                let since = behind.map(|behind| self.head(room).saturating_sub(behind));
                let name = RoomName::new(ROOMS[room]).unwrap();
                self.finish_open();
                let head = (self.reader)
                    .join(&self.rooms, &self.store, 1, &name, since)
                    .unwrap();
                self.look();
                let since = since.unwrap_or(head);
                self.told.insert(ROOMS[room].to_owned(), since);
            }
            Event::Leave(room) => {
                self.finish_open();
                let name = RoomName::new(ROOMS[room]).unwrap();
                self.reader.leave(&self.rooms, &name);
                self.look();
                self.told.remove(ROOMS[room]);
            }
            Event::Take(most) => self.reader.take(&mut self.out, most),
            Event::Drain => {
                while self.reader.is_open() {
                    self.reader.take(&mut self.out, 1_000);
                }
                self.reader.take(&mut self.out, usize::MAX / 2);
                self.reader.tell_gaps(&mut self.out);
            }
            Event::ReadPage => {
                if !self.reader.is_open() {
                    let read = self.reader.read_page(&self.store, &mut self.out);
                    read.unwrap();
                }
            }
        }
        self.look();
    }

    /// A reply comes after the push that has begun to leave.
    fn finish_open(&mut self) {
        while self.reader.is_open() {
            self.reader.take(&mut self.out, 1);
        }
        self.look();
    }

    /// Looks at what was sent, as far as it is whole.
    fn look(&mut self) {
        let out = std::mem::take(&mut self.out);
        let mut rest = out.as_slice();
        loop {
            let mut next = rest;
            let Ok(Some(header)) = frame::split(&mut next, 1 << 20) else {
                break;
            };
            let header: Value = serde_json::from_slice(header).unwrap();
            if header["body"].as_u64().is_some_and(|body| body > 0)
                && frame::split(&mut next, 1 << 20) == Ok(None)
            {
                break;
            }
            rest = next;
            self.hear(&header);
        }
        self.out = rest.to_vec();
    }

    fn hear(&mut self, header: &Value) {
        let number = |name: &str| header[name].as_u64().unwrap();
        let room = header["room"].as_str().unwrap();
        let told = self.told.get_mut(room);
        let told = told.unwrap_or_else(|| panic!("not joined, and told {header}"));
        if header["msg_type"] == "gap" {
            assert!(*told < number("first") && number("first") <= number("last"));
            *told = number("last");
            self.gaps += 1;
        } else {
            // A bound may lie between two messages.
            assert!(
                number("prev") <= *told && *told < number("seq"),
                "{told} {header}"
            );
            *told = number("seq");
        }
    }

    /// Lets everything happen that still is to, and compares.
    fn end(&mut self) {
        self.store.meanwhile.lock().clear();
        self.happen(Event::Deliver);
        while !self.reader.is_idle() {
            self.happen(Event::Drain);
            self.happen(Event::ReadPage);
        }
        for (room, name) in ROOMS.iter().enumerate() {
            if let Some(told) = self.told.get(*name) {
                assert_eq!(*told, self.head(room), "room {name}");
            }
        }
        assert!(self.out.is_empty());
        self.reader.close(&self.rooms);
        assert_eq!(self.budget.used(), 0);
        let joined = self.rooms.joined(None, 9, |_| true);
        assert!(joined.is_empty(), "{joined:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn a_reader_misses_nothing_and_hears_nothing_twice(
        events in prop::collection::vec(event(), 0..60),
        meanwhile in prop::collection::vec(event(), 0..40),
    ) {
        let mut trial = Trial::new(meanwhile);
        for event in events {
            trial.happen(event);
        }
        trial.end();
    }
}

#[test]
fn a_full_mail_leaves_a_gap_that_is_told_once_the_rest_is_read() {
    let mut trial = Trial::new(Vec::new());
    trial.happen(Event::Join(0, None));
    trial.happen(Event::Join(1, None));
    // Three fit, whatever room they are of; the first one after that is the gap's first.
    for text in [1_000, 1_000, 1_000, 1_000, 1_000, 0] {
        trial.happen(Event::Post(0, text));
    }
    trial.happen(Event::Post(1, 0));
    trial.happen(Event::Deliver);
    trial.reader.tell_gaps(&mut trial.out);
    assert!(trial.out.is_empty(), "not before the mail is read");
    trial.happen(Event::Drain);
    assert_eq!((trial.told["a"], trial.told["b"]), (6, 7));
    assert_eq!(trial.gaps, 1);
    trial.happen(Event::Post(0, 0));
    trial.end();
    assert_eq!((trial.told["a"], trial.gaps), (8, 1));
}

#[test]
fn while_the_memory_is_used_up_a_mail_takes_less() {
    let mut trial = Trial::new(Vec::new());
    trial.happen(Event::Join(0, None));
    let mut charge = trial.budget.charge();
    charge.grow(1 << 30);
    for _ in 0..3 {
        trial.happen(Event::Post(0, 500));
    }
    trial.happen(Event::Deliver);
    trial.happen(Event::Take(MAIL));
    assert_eq!((trial.told["a"], trial.gaps), (1, 0));
    trial.happen(Event::Drain);
    assert_eq!((trial.told["a"], trial.gaps), (3, 1));
    drop(charge);
    trial.end();
}

#[test]
fn an_empty_mail_takes_any_one_push_and_shares_it() {
    let mut trial = Trial::new(Vec::new());
    trial.happen(Event::Join(0, None));
    let mut other = Reader::default();
    let room = RoomName::new(ROOMS[0]).unwrap();
    other
        .join(&trial.rooms, &trial.store, 2, &room, None)
        .unwrap();
    trial.happen(Event::Post(0, 10 * MAIL));
    trial.happen(Event::Deliver);
    let used = trial.budget.used();
    assert!(used < 11 * MAIL, "{used} bytes for one push and two mails");
    let mut out = Vec::new();
    other.take(&mut out, 100);
    assert!(other.is_open() && out.len() == 100);
    while !other.is_idle() {
        other.take(&mut out, 1_000);
    }
    assert!(out.len() > 10 * MAIL);
    other.close(&trial.rooms);
    trial.end();
    assert_eq!(trial.gaps, 0);
}

#[test]
fn what_nobody_reads_is_not_kept() {
    let trial = Trial::new(Vec::new());
    trial.store.post(0, 1_000);
    assert!(trial.rooms.work.1.is_empty());
    assert_eq!(trial.budget.used(), 0);
}

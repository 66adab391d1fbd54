//! What is let go: what is too old or too much, from the oldest on, but never the newest message of
//! a room; and what stays true then.

use super::{MessagesUnderTest, message, open, post};
use crate::store::{Messages, PersonalRooms, Query, Range, Receipt, Retention};
use crate::time::Clock;
use crate::wire::RoomName;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An engine whose clock is set by hand, in seconds since 1970.
struct Stage<E> {
    engine: E,
    store: Arc<dyn Messages>,
    now: Arc<Mutex<SystemTime>>,
}

impl<E: MessagesUnderTest> Stage<E> {
    fn keeping(retention: Retention) -> Self {
        let now = Arc::new(Mutex::new(UNIX_EPOCH));
        let clock = now.clone();
        let engine = E::keeping(Clock::from_fn(move || *clock.lock()), retention);
        let store = engine.store();
        Self { engine, store, now }
    }

    fn set_clock(&self, seconds: u64) {
        *self.now.lock() = UNIX_EPOCH + Duration::from_secs(seconds);
    }

    fn post(&self, room: &str, key: &str, text: &str) -> Receipt {
        post(&self.store, message(room, "", key, text)).unwrap()
    }

    /// The seqs that are kept.
    fn kept(&self) -> Vec<u64> {
        self.engine.prune();
        self.engine.kept().iter().map(|kept| kept.seq).collect()
    }

    /// The seqs of a part of the room `a`, those that hold an `x` if it is a `search`.
    fn page(&self, range: Range, search: bool) -> Vec<u64> {
        let query = Query {
            room: RoomName::new("a").unwrap(),
            range,
            limit: 99,
            max_bytes: 1 << 20,
            search: search.then(|| "x".to_owned()),
        };
        let page = self.store.page(&query).unwrap();
        assert!(!page.more);
        page.messages.iter().map(|message| message.seq).collect()
    }
}

fn age(seconds: u64) -> Retention {
    Retention::new(Duration::from_secs(seconds), 0)
}

pub(crate) fn what_is_too_old_is_let_go<E: MessagesUnderTest>() {
    let stage = Stage::<E>::keeping(age(100));
    for (seconds, room) in [(1, "a"), (2, "b"), (3, "a"), (60, "a"), (60, "c")] {
        stage.set_clock(seconds);
        stage.post(room, "", "x");
    }
    assert_eq!(stage.kept(), [1, 2, 3, 4, 5]);
    stage.set_clock(101);
    assert_eq!(stage.kept(), [1, 2, 3, 4, 5], "it is not older than that");
    stage.set_clock(103);
    // The second is the newest of its room.
    assert_eq!(stage.kept(), [2, 3, 4, 5]);
    for search in [false, true] {
        assert_eq!(stage.page(Range::Newest, search), [3, 4]);
        assert_eq!(stage.page(Range::After(0), search), [3, 4]);
        assert_eq!(stage.page(Range::After(1), search), [3, 4]);
        assert_eq!(stage.page(Range::Before(4), search), [3]);
        assert!(stage.page(Range::Before(3), search).is_empty());
    }
    stage.set_clock(1_000);
    assert_eq!(stage.kept(), [2, 4, 5]);
    let heads = stage.store.rooms(None, 9, PersonalRooms::None).unwrap();
    let heads: Vec<_> = heads.iter().map(|it| (it.room.as_str(), it.head)).collect();
    assert_eq!(heads, [("a", 4), ("b", 2), ("c", 5)]);
    let next = stage.post("b", "", "y");
    assert_eq!((next.seq, next.prev), (6, 2));
    assert_eq!(stage.kept(), [4, 5, 6], "the second is not the newest now");
    let next = stage.post("a", "", "x");
    assert_eq!((next.seq, next.prev), (7, 4));
    assert_eq!(stage.kept(), [5, 6, 7]);
}

pub(crate) fn the_oldest_beyond_the_bytes_are_let_go<E: MessagesUnderTest>() {
    let stage = Stage::<E>::keeping(Retention::new(Duration::ZERO, 10));
    for (room, text) in [("b", "你"), ("a", "xx"), ("a", ""), ("a", "xxxxx")] {
        stage.post(room, "", text);
    }
    assert_eq!(stage.kept(), [1, 2, 3, 4]);
    stage.post("a", "", "x");
    // One byte too many; the first is the newest of its room.
    assert_eq!(stage.kept(), [1, 3, 4, 5]);
    stage.post("a", "", "xxxx");
    assert_eq!(stage.kept(), [1, 5, 6]);
    assert_eq!(stage.page(Range::Newest, true), [5, 6]);
    // Whatever its length, the newest stays.
    stage.post("c", "", &"x".repeat(99));
    assert_eq!(stage.kept(), [1, 6, 7]);
    let next = stage.post("a", "", "");
    assert_eq!((next.seq, next.prev), (8, 6));
    assert_eq!(stage.kept(), [1, 7, 8]);
}

pub(crate) fn a_key_is_kept_as_long_as_its_message<E: MessagesUnderTest>() {
    let stage = Stage::<E>::keeping(age(10));
    let first = stage.post("a", "k", "x");
    stage.post("a", "", "x");
    stage.set_clock(10);
    assert_eq!(stage.kept(), [1, 2]);
    let again = stage.post("a", "k", "x");
    assert_eq!((again.seq, again.duplicate), (first.seq, true));
    stage.set_clock(11);
    assert_eq!(stage.kept(), [2]);
    let anew = stage.post("a", "k", "x");
    assert_eq!((anew.seq, anew.prev, anew.duplicate), (3, 2, false));
}

pub(crate) fn without_bounds_all_is_kept<E: MessagesUnderTest>() {
    let (engine, store) = open::<E>();
    assert!(Retention::new(Duration::ZERO, 0).is_for_ever());
    for _ in 0..3 {
        post(&store, message("a", "", "", "x")).unwrap();
    }
    assert_eq!(engine.kept().len(), 3);
}

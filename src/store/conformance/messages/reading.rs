//! What is read back: pages, searches, rooms and their heads, and where in the count a time lies.

use super::{MessagesUnderTest, message, open, post, with_file};
use crate::store::{Messages, Page, PersonalRooms, Query, Range};
use crate::time::Clock;
use crate::wire::{FileName, FileTag, Message, RoomName, UserName};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn room(name: &str) -> RoomName {
    RoomName::new(name).unwrap()
}

fn query(range: Range, limit: usize) -> Query {
    Query {
        room: room("a"),
        range,
        limit,
        max_bytes: 1 << 20,
        search: None,
    }
}

/// The seqs of a page, and whether there is more.
fn seqs(store: &Arc<dyn Messages>, query: &Query) -> (Vec<u64>, bool) {
    let Page { messages, more } = store.page(query).unwrap();
    (messages.iter().map(|message| message.seq).collect(), more)
}

fn fill(store: &Arc<dyn Messages>, posts: &[(&str, &str)]) {
    for (room, text) in posts {
        post(store, message(room, "", "", text)).unwrap();
    }
}

pub(crate) fn a_page_is_a_part_of_a_room<E: MessagesUnderTest>() {
    let (_engine, store) = open::<E>();
    assert_eq!(
        store.page(&query(Range::Newest, 9)).unwrap(),
        Page::default()
    );
    // Room `a` has the odd ones of 1 to 9.
    for _ in 0..5 {
        fill(&store, &[("a", ""), ("b", "")]);
    }
    for (range, limit, expected, more) in [
        (Range::Newest, 9, &[1, 3, 5, 7, 9][..], false),
        (Range::Newest, 5, &[1, 3, 5, 7, 9], false),
        (Range::Newest, 2, &[7, 9], true),
        (Range::Before(5), 9, &[1, 3], false),
        (Range::Before(6), 2, &[3, 5], true),
        (Range::Before(1), 9, &[], false),
        (Range::Before(u64::MAX), 1, &[9], true),
        (Range::After(0), 2, &[1, 3], true),
        (Range::After(5), 9, &[7, 9], false),
        (Range::After(6), 1, &[7], true),
        (Range::After(9), 9, &[], false),
        (Range::After(u64::MAX), 9, &[], false),
    ] {
        let found = seqs(&store, &query(range, limit));
        assert_eq!(found, (expected.to_vec(), more), "{range:?}, {limit}");
    }
}

pub(crate) fn a_page_ends_at_its_bounds<E: MessagesUnderTest>() {
    let (_engine, store) = open::<E>();
    let texts = ["xxxx", "yyy", "zz", "w"].map(|text| ("a", text));
    fill(&store, &texts);
    for (range, max_bytes, expected, more) in [
        (Range::Newest, 10, &[1, 2, 3, 4][..], false),
        (Range::Newest, 9, &[2, 3, 4], true),
        (Range::Newest, 0, &[4], true),
        (Range::After(0), 7, &[1, 2], true),
        (Range::After(0), 6, &[1], true),
        (Range::After(0), 0, &[1], true),
        (Range::After(3), 0, &[4], false),
    ] {
        let query = Query {
            max_bytes,
            ..query(range, 9)
        };
        assert_eq!(
            seqs(&store, &query),
            (expected.to_vec(), more),
            "{range:?}, {max_bytes}"
        );
    }
}

pub(crate) fn a_search_finds_any_script<E: MessagesUnderTest>() {
    let (_engine, store) = open::<E>();
    fill(
        &store,
        &[
            ("a", "我叫马冬梅你好"),
            ("b", "你好"),
            ("a", "Hello World"),
            ("a", "100% _sure_ \"not\" OR NEAR *"),
            ("a", "hello"),
            ("a", "É"),
        ],
    );
    for (needle, expected) in [
        ("你好", &[1][..]),
        ("马冬", &[1]),
        ("HELLO", &[3, 5]),
        ("lo wo", &[3]),
        ("% _", &[4]),
        ("\"not\" OR", &[4]),
        ("*", &[4]),
        ("é", &[]),
        ("nowhere", &[]),
        ("l", &[3, 5]),
    ] {
        let query = Query {
            search: Some(needle.to_owned()),
            ..query(Range::Newest, 9)
        };
        assert_eq!(seqs(&store, &query), (expected.to_vec(), false), "{needle}");
    }
    let hello = |range| Query {
        search: Some("hello".to_owned()),
        ..query(range, 1)
    };
    assert_eq!(seqs(&store, &hello(Range::Newest)), (vec![5], true));
    assert_eq!(seqs(&store, &hello(Range::Before(5))), (vec![3], false));
    assert_eq!(seqs(&store, &hello(Range::After(0))), (vec![3], true));
}

/// The names of a list of rooms.
fn names(
    store: &Arc<dyn Messages>,
    after: Option<&str>,
    limit: usize,
    personal: PersonalRooms<'_>,
) -> Vec<String> {
    let after = after.map(room);
    let rooms = store.rooms(after.as_ref(), limit, personal).unwrap();
    rooms
        .into_iter()
        .map(|head| head.room.into_string())
        .collect()
}

pub(crate) fn heads_and_rooms_are_listed<E: MessagesUnderTest>() {
    let (_engine, store) = open::<E>();
    assert_eq!(store.head(&room("a")).unwrap(), 0);
    fill(
        &store,
        &[("b", ""), ("a", ""), ("大厅", ""), ("aa", ""), ("b", "")],
    );
    assert_eq!(store.head(&room("b")).unwrap(), 5);
    assert_eq!(store.head(&room("c")).unwrap(), 0);
    let heads = store.rooms(None, 9, PersonalRooms::None).unwrap();
    let heads: Vec<_> = heads.iter().map(|it| (it.room.as_str(), it.head)).collect();
    assert_eq!(heads, [("a", 2), ("aa", 4), ("b", 5), ("大厅", 3)]);
    let names = |after, limit| names(&store, after, limit, PersonalRooms::None);
    assert_eq!(names(None, 1), ["a"]);
    assert_eq!(names(Some("a"), 2), ["aa", "b"]);
    assert_eq!(names(Some("aaa"), 9), ["b", "大厅"]);
    assert!(names(Some("大厅"), 9).is_empty());
    assert!(names(None, 0).is_empty());
}

pub(crate) fn personal_rooms_are_listed_as_asked<E: MessagesUnderTest>() {
    let (_engine, store) = open::<E>();
    let all = ["!", "@", "@ann", "@bob", "@bob2", "@zoe", "A", "z"];
    fill(&store, &all.map(|name| (name, "")));
    let user = |name: &str| UserName::new(name).unwrap();
    let names = |after, limit, personal| names(&store, after, limit, personal);
    assert_eq!(names(None, 99, PersonalRooms::All), all);
    assert_eq!(names(None, 99, PersonalRooms::None), ["!", "A", "z"]);
    assert_eq!(names(None, 2, PersonalRooms::None), ["!", "A"]);
    assert_eq!(names(Some("@bob"), 1, PersonalRooms::None), ["A"]);
    let (bob, eve) = (user("bob"), user("eve"));
    assert_eq!(
        names(None, 99, PersonalRooms::Of(&bob)),
        ["!", "@bob", "A", "z"]
    );
    assert_eq!(names(Some("@ann"), 1, PersonalRooms::Of(&bob)), ["@bob"]);
    assert_eq!(names(Some("@bob"), 99, PersonalRooms::Of(&bob)), ["A", "z"]);
    assert_eq!(names(None, 99, PersonalRooms::Of(&eve)), ["!", "A", "z"]);
}

fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

pub(crate) fn a_time_is_a_place_in_the_count<E: MessagesUnderTest>() {
    let now = Arc::new(Mutex::new(at(0)));
    let clock = now.clone();
    let engine = E::open(Clock::from_fn(move || *clock.lock()));
    let store = engine.store();
    assert_eq!(store.last_before(at(1)).unwrap(), 0);
    for millis in [10, 20, 20, 20, 30] {
        *now.lock() = at(millis);
        fill(&store, &[("a", "")]);
    }
    for (millis, expected) in [(0, 0), (10, 0), (11, 1), (20, 1), (21, 4), (30, 4), (31, 5)] {
        assert_eq!(store.last_before(at(millis)).unwrap(), expected, "{millis}");
    }
    assert_eq!(store.last_before(at(1 << 40)).unwrap(), 5);
}

pub(crate) fn a_message_reads_back_whole<E: MessagesUnderTest>() {
    let engine = E::open(Clock::from_fn(|| at(1_500)));
    let store = engine.store();
    let tag = |digest: Option<&str>| FileTag {
        name: FileName::new("相片.png").unwrap(),
        size: 1 << 40,
        digest: digest.map(|digest| digest.parse().unwrap()),
    };
    let blake3 = format!("blake3:{}", "0f".repeat(32));
    for file in [tag(None), tag(Some(&blake3))] {
        post(&store, with_file("a", file)).unwrap();
    }
    let message = |seq: u64, digest| Message {
        room: room("a"),
        seq,
        prev: seq - 1,
        time: at(1_500),
        from: UserName::new("李四").ok(),
        text: String::new(),
        file: Some(tag(digest)),
    };
    let page = store.page(&query(Range::Newest, 9)).unwrap();
    assert_eq!(page.messages, [message(1, None), message(2, Some(&blake3))]);
}

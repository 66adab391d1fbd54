//! Files as senders see them, over a store in memory.

use super::*;
use crate::handler::house::tests::{Shown, TestHouse};
use crate::store::MemoryFiles;
use crate::wire::UserName;
use std::sync::atomic::Ordering;

const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn named(name: &str) -> Fields {
    Fields::new().with("file_name", name)
}

/// The file `abc` as one that can be resumed.
fn proven() -> Fields {
    named("abc").with("size", 3).with("digest", ABC)
}

fn sent(house: &mut TestHouse, fields: &Fields, pieces: &[&str]) -> Answer {
    let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    house.serve(&File, fields, &pieces)
}

fn reply(name: &str, size: u64, digest: impl Into<Datum>, ack: &'static str) -> Reply {
    Reply::new()
        .with("name", name.to_owned())
        .with("size", size)
        .with("digest", digest)
        .with("ack", ack)
}

#[test]
fn a_file_is_published_shown_counted_and_answered() {
    let mut house = TestHouse::new();
    house.session.user = UserName::new("张三").ok();
    let fields = named("a.txt").with("size", 4);
    let answer = sent(&mut house, &fields, &["ab", "cd"]);
    assert_eq!(answer, Ok(reply("a.txt", 4, Datum::Null, "durable")));
    let fields = named("a.txt").with("ack", "received").with("offset", 0);
    let answer = sent(&mut house, &fields, &["x"]);
    assert_eq!(answer, Ok(reply("a (2).txt", 1, Datum::Null, "received")));
    let answer = sent(&mut house, &named("empty").with("size", 0), &[]);
    assert_eq!(answer, Ok(reply("empty", 0, Datum::Null, "durable")));
    assert_eq!(house.files.content("a.txt").unwrap(), b"abcd");
    assert_eq!(house.files.content("empty").unwrap(), b"");
    let shown = [("a.txt", 4), ("a (2).txt", 1), ("empty", 0)];
    let shown = shown.map(|(name, bytes)| Shown::File(name.to_owned(), bytes));
    assert_eq!(house.shown(), shown);
    assert_eq!(house.house.counters.files.load(Ordering::Relaxed), 3);
}

#[test]
fn a_digest_is_verified_or_computed() {
    let mut house = TestHouse::new();
    let answer = sent(&mut house, &proven(), &["ab", "c"]);
    assert_eq!(answer, Ok(reply("abc", 3, ABC, "durable")));
    let again = sent(&mut house, &proven(), &["abc"]);
    let expected = reply("abc", 3, ABC, "durable").with("duplicate", true);
    assert_eq!(again, Ok(expected));
    let asked = named("other").with("digest", "sha256");
    let answer = sent(&mut house, &asked, &["abc"]);
    assert_eq!(answer, Ok(reply("other", 3, ABC, "durable")));
    let wrong = sent(&mut house, &proven().with("file_name", "x"), &["abd"]);
    assert_eq!(wrong.unwrap_err().code, Code::DigestMismatch);
    assert_eq!(house.files.names(), ["abc", "other"]);
}

#[test]
fn a_file_goes_on_where_it_broke_off_and_nowhere_else() {
    let mut house = TestHouse::new();
    let mut sink = house.sink(&File, &proven());
    sink.announce(3).unwrap();
    sink.write(b"ab").unwrap();
    assert_eq!(sink.cut_off(), [("offset", Datum::Number(2))]);
    for offset in [1, 3, 4, u64::MAX] {
        let fields = proven().with("offset", offset);
        let mut sink = house.sink(&File, &fields);
        let refused = sink.announce(3u64.saturating_sub(offset)).unwrap_err();
        assert_eq!(refused.code, Code::Conflict, "{offset}");
        assert_eq!(refused.fields, [("offset", Datum::Number(2))]);
    }
    let mut late = house.sink(&File, &proven().with("offset", 2));
    late.announce(1).unwrap();
    let answer = sent(&mut house, &proven().with("offset", 2), &["c"]);
    assert_eq!(answer, Ok(reply("abc", 3, ABC, "durable")));
    assert_eq!(late.write(b"x").unwrap_err().code, Code::Conflict);
    assert_eq!(house.files.content("abc").unwrap(), b"abc");
}

#[test]
fn an_offset_without_what_tells_the_partial_is_refused() {
    let mut house = TestHouse::new();
    for fields in [
        named("a").with("offset", 1),
        named("a").with("offset", 1).with("size", 2),
        named("a").with("offset", 1).with("digest", ABC),
        proven().with("offset", 1).with("digest", "sha256"),
    ] {
        let refused = sent(&mut house, &fields, &["x"]).unwrap_err();
        assert_eq!(refused.code, Code::BadHeader, "{fields:?}");
    }
}

#[test]
fn a_file_with_a_room_is_posted_there() {
    let mut house = TestHouse::new();
    let answer = sent(&mut house, &named("a").with("room", "album"), &["x"]);
    let expected = reply("a", 1, Datum::Null, "durable");
    assert_eq!(answer, Ok(expected.with("seq", 1).with("prev", 0)));
    let answer = sent(&mut house, &named("b").with("room", "@lisi"), &["x"]);
    let expected = reply("b", 1, Datum::Null, "durable");
    assert_eq!(answer, Ok(expected.with("seq", 2)));
    let fields = named("c").with("room", "album").with("ack", "received");
    let answer = sent(&mut house, &fields, &["x"]);
    assert_eq!(answer, Ok(reply("c", 1, Datum::Null, "received")));
    let posted = house.messages.stored();
    let tags = posted.iter().map(|post| post.file.as_ref());
    let names: Vec<_> = tags.map(|tag| tag.map(|tag| tag.name.as_str())).collect();
    assert_eq!(names, [Some("a"), Some("b"), Some("c")]);
    assert_eq!(house.house.budget.used(), 0);
}

#[test]
fn a_file_with_a_key_is_taken_once() {
    let mut house = TestHouse::new();
    let fields = || named("a").with("key", "k").with("room", "album");
    let first = sent(&mut house, &fields(), &["x"]).unwrap();
    let again = sent(&mut house, &fields(), &["y"]).unwrap();
    assert!(!first.fields.contains(&("duplicate", Datum::Flag(true))));
    assert!(again.fields.contains(&("duplicate", Datum::Flag(true))));
    assert!(again.fields.contains(&("seq", Datum::Number(1))));
    assert_eq!(house.files.names(), ["a"]);
    assert_eq!(house.messages.stored().len(), 1);
}

#[test]
fn a_file_that_turns_out_otherwise_is_amended() {
    let mut house = TestHouse::new();
    let fields = named("b");
    for (number, (amendment, expected)) in [
        (named("0").with("front", "a"), "abcd"),
        (named("1").with("skip", 1), "cd"),
        (named("2"), "bcd"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut sink = house.sink(&File, &fields);
        sink.write(b"bcd").unwrap();
        sink.amend(&amendment).unwrap();
        house.finish(sink).unwrap();
        let content = house.files.content(&number.to_string()).unwrap();
        assert_eq!(content, expected.as_bytes());
    }
    let mut sink = house.sink(&File, &fields);
    assert_eq!(sink.amend(&named("../x")).unwrap_err().code, Code::BadName);
    assert_eq!(
        sink.amend(&Fields::new()).unwrap_err().code,
        Code::BadHeader
    );
}

#[test]
fn wrong_names_and_fields_are_refused() {
    let mut house = TestHouse::new();
    for name in ["../x", "/etc/passwd", "a\0b", ".", ""] {
        let refused = sent(&mut house, &named(name), &["x"]);
        assert_eq!(refused.unwrap_err().code, Code::BadName, "{name:?}");
    }
    for (fields, code) in [
        (Fields::new(), Code::BadHeader),
        (named("a").with("ack", "maybe"), Code::BadHeader),
        (named("a").with("digest", "md5"), Code::BadHeader),
        (named("a").with("digest", "blake3:00"), Code::BadHeader),
        (named("a").with("key", ""), Code::BadHeader),
        (named("a").with("room", "a b"), Code::BadRoom),
    ] {
        let refused = sent(&mut house, &fields, &["x"]);
        assert_eq!(refused.unwrap_err().code, code, "{fields:?}");
    }
    assert!(house.files.names().is_empty());
}

#[test]
fn a_full_disk_is_told_at_the_announcement_or_on_the_way() {
    let mut house = TestHouse::new();
    house.put_files(MemoryFiles::with_space(3));
    let fields = named("a");
    let mut sink = house.sink(&File, &fields);
    assert_eq!(sink.announce(4).unwrap_err().code, Code::NoSpace);
    let mut sink = house.sink(&File, &fields);
    sink.write(b"abc").unwrap();
    assert_eq!(sink.write(b"d").unwrap_err().code, Code::NoSpace);
    drop(sink);
    assert!(sent(&mut house, &fields, &["abc"]).is_ok());
}

#[test]
fn what_is_cut_off_without_a_digest_leaves_nothing_to_resume() {
    let mut house = TestHouse::new();
    let mut sink = house.sink(&File, &named("a").with("size", 4));
    sink.announce(4).unwrap();
    sink.write(b"ab").unwrap();
    assert_eq!(house.files.under_way(), 1);
    assert_eq!(sink.cut_off(), [("offset", Datum::Number(0))]);
    assert_eq!(house.files.under_way(), 0);
    assert!(house.files.names().is_empty());
}

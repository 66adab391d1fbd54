//! Rooms over sockets: who joined is pushed what is posted, whatever comes in between.

mod brittle;
mod lodge;
mod retention;

use crate::support::{PATIENCE, Peer, frame, proof, until};
use gatepost::session::Role;
use lodge::{Lodge, Reads, Thread};
use serde_json::json;
use std::time::Instant;

#[test]
fn what_one_posts_another_reads_and_so_does_the_poster() {
    let lodge = Lodge::open(&[], &[]);
    let (mut one, mut two) = (lodge.peer(), lodge.peer());
    assert_eq!((one.join("a", None), two.join("a", None)), (0, 0));
    one.post("a", "你好");
    one.post("b", "nobody is there");
    one.post("a", "");
    for peer in [&mut one, &mut two] {
        let push = peer.pushed();
        assert_eq!(
            (&push["msg_type"], &push["room"]),
            (&json!("msg"), &json!("a"))
        );
        assert_eq!((&push["seq"], &push["prev"]), (&json!(1), &json!(0)));
        assert_eq!(
            (&push["text"], &push["from"]),
            (&json!("你好"), &json!(null))
        );
        let push = peer.pushed();
        assert_eq!((&push["seq"], &push["prev"]), (&json!(3), &json!(1)));
        assert_eq!(push["body"], 0);
        peer.assert_in_step();
    }
}

/// Reads `room` since `since` to the seq `last`.
#[track_caller]
fn read_to(peer: &mut Peer, since: u64, last: u64) {
    let mut thread = Thread::after(since);
    while thread.last < last {
        thread.take(&peer.pushed());
    }
    assert_eq!((thread.last, thread.gaps.len()), (last, 0));
}

#[test]
fn a_backlog_meets_what_is_posted_without_a_gap_or_an_overlap() {
    const BEFORE: u64 = 500;
    const LAST: u64 = 3_000;
    let lodge = Lodge::open(&[], &[]);
    let mut poster = lodge.peer();
    let text = "x".repeat(300);
    (0..BEFORE).for_each(|_| poster.post("a", &text));
    poster.assert_in_step();
    std::thread::scope(|scope| {
        for behind in [0, 1, 100, 250] {
            let lodge = &lodge;
            scope.spawn(move || {
                let mut peer = lodge.peer();
                let (mut head, mut since) = (0, BEFORE - behind);
                // Again and again, so that each time it meets the live edge somewhere else.
                while head < LAST {
                    head = peer.join("a", Some(since));
                    read_to(&mut peer, since, LAST.min(head + 50));
                    peer.header(&json!({"msg_type": "leave", "id": "left", "room": "a"}));
                    while peer.answer()["id"] != "left" {
                        peer.next();
                    }
                    since = head - behind;
                }
            });
        }
        for _ in BEFORE..LAST {
            poster.post("a", &text);
        }
        poster.assert_in_step();
    });
}

#[test]
fn no_push_of_a_room_follows_the_reply_to_its_leave() {
    let lodge = Lodge::open(&[], &[]);
    let (mut reader, mut poster) = (lodge.peer(), lodge.peer());
    reader.join("a", None);
    reader.join("b", None);
    for round in 0..20 {
        (0..20).for_each(|_| poster.post("a", "x"));
        poster.post("b", &round.to_string());
        reader.header(&json!({"msg_type": "leave", "id": 1, "room": "a"}));
        let mut is_left = false;
        loop {
            let push = reader.pushed();
            if push["id"] == 1 {
                is_left = true;
            } else if push["room"] == "b" {
                assert_eq!(push["text"], round.to_string());
                if is_left {
                    break;
                }
                while reader.answer()["id"] != 1 {
                    reader.next();
                }
                break;
            } else {
                assert!(!is_left, "{push}");
            }
        }
        poster.assert_in_step();
        reader.join("a", None);
    }
}

#[test]
fn joined_again_a_room_begins_anew() {
    let lodge = Lodge::open(&[], &[]);
    let mut peer = lodge.peer();
    (0..3).for_each(|_| peer.post("a", "x"));
    peer.assert_in_step();
    for since in [0, 1, 0] {
        assert_eq!(peer.join("a", Some(since)), 3);
        read_to(&mut peer, since, 3);
    }
    assert_eq!(peer.join("a", None), 3);
    // Beyond the head there is nothing to leave out.
    assert_eq!(peer.join("a", Some(u64::MAX)), 3);
    peer.post("a", "y");
    read_to(&mut peer, 3, 4);
    peer.assert_in_step();
}

#[test]
fn somebodys_own_room_is_read_by_that_user_and_admins() {
    let accounts = [
        ("lisi", Role::User),
        ("zhangsan", Role::User),
        ("root", Role::Admin),
    ];
    let lodge = Lodge::open(&accounts, &[]);
    let logged_in = |name: &str| {
        let mut peer = lodge.peer();
        let login =
            json!({"msg_type": "login", "id": 1, "username": name, "password": proof("123")});
        assert_eq!(peer.ask(&login)["ok"], true);
        peer
    };
    let (mut lisi, mut root) = (logged_in("lisi"), logged_in("root"));
    lisi.join("@lisi", None);
    root.join("@lisi", None);
    for mut other in [logged_in("zhangsan"), lodge.peer()] {
        for msg_type in ["join", "history"] {
            let refused = other.ask(&json!({"msg_type": msg_type, "id": 1, "room": "@lisi"}));
            assert_eq!(refused["code"], "forbidden", "{refused}");
        }
        other.post("@lisi", "psst");
        let rooms = other.ask(&json!({"msg_type": "rooms", "id": 2}));
        assert_eq!((&rooms["count"], other.next()), (&json!(0), b"[]".to_vec()));
    }
    for reader in [&mut lisi, &mut root] {
        read_to(reader, 0, 2);
        reader.header(&json!({"msg_type": "rooms", "id": 2}));
        assert_eq!(reader.answer()["count"], 1);
        assert_eq!(reader.next(), br#"[{"room":"@lisi","head":2,"members":2}]"#);
    }
}

#[test]
fn who_ends_its_half_gets_the_backlog_and_then_the_end() {
    let lodge = Lodge::open(&[], &[]);
    let mut peer = lodge.peer();
    (0..1_000).for_each(|_| peer.post("a", &"x".repeat(1_000)));
    peer.assert_in_step();
    peer.header(&json!({"msg_type": "join", "room": "a", "since": 0}));
    peer.end();
    read_to(&mut peer, 0, 1_000);
    peer.assert_eof();
}

#[test]
fn who_joined_is_told_that_the_server_goes_away() {
    let lodge = Lodge::open(&[], &[]);
    let mut peer = lodge.peer();
    // Without an id nobody would be told but for the room.
    peer.header(&json!({"msg_type": "join", "room": "a"}));
    peer.post("a", "x");
    read_to(&mut peer, 0, 1);
    lodge.begin_drain();
    assert_eq!(peer.answer()["msg_type"], "going_away");
    peer.assert_eof();
    drop(peer);
    assert_eq!(lodge.drain().stuck, 0);
}

#[test]
fn a_reader_that_stalls_is_told_of_the_gap_and_slows_nobody() {
    let limits = [("max_outbox", 256 << 10)];
    let lodge = Lodge::open(&[], &limits);
    let (mut stalled, mut other, mut poster) = (lodge.peer(), lodge.peer(), lodge.peer());
    stalled.join("a", None);
    stalled.join("b", None);
    other.join("a", None);
    let text = "x".repeat(10_000);
    let mut read = Thread::after(0);
    // Far more than the sockets and the mail of one that reads nothing can hold, and never more
    // at once than the mail of one that reads.
    for _ in 0..400 {
        (0..10).for_each(|_| poster.post("a", &text));
        (0..10).for_each(|_| read.take(&other.pushed()));
    }
    assert_eq!((read.came, read.gaps.len()), (4_000, 0));
    let held = lodge.budget.used();
    assert!(held < 1 << 20, "{held} bytes are held for one reader");

    let mut thread = Thread::after(0);
    while thread.gaps.is_empty() {
        thread.take(&stalled.pushed());
    }
    assert_eq!(thread.last, 4_000, "nothing was posted meanwhile");
    assert!(thread.came > 20, "{thread:?}");
    poster.post("b", "and on");
    assert_eq!(stalled.pushed()["room"], "b");
    poster.post("a", "and on");
    thread.take(&stalled.pushed());
    assert_eq!((thread.last, thread.gaps.len()), (4_002, 1));
    // What lay in the gap is in the history.
    let (first, last) = thread.gaps[0];
    let ask = json!({"msg_type": "history", "id": 1, "room": "a", "after": first - 1, "limit": 1});
    assert_eq!(stalled.ask(&ask)["count"], 1);
    let page: serde_json::Value = serde_json::from_slice(&stalled.next()).unwrap();
    assert_eq!(page[0]["seq"], first);
    assert!(last == 4_000);
    stalled.assert_in_step();
}

#[test]
fn no_reply_comes_inside_of_a_push() {
    const PINGS: u64 = 2_000;
    const POSTS: u64 = 30;
    let lodge = Lodge::open(&[], &[]);
    let (mut reader, mut poster) = (lodge.peer(), lodge.peer());
    reader.join("a", None);
    // Neither fits into the sockets, and nothing is read before all of it is under way.
    std::thread::scope(|scope| {
        let mut asking = reader.again();
        scope.spawn(move || {
            for id in 0..PINGS {
                asking.header(&json!({"msg_type": "ping", "id": id}));
            }
        });
        let text = "x".repeat(300_000);
        (0..POSTS).for_each(|_| poster.post("a", &text));
        poster.assert_in_step();
        let (mut thread, mut pongs) = (Thread::after(0), 0);
        while thread.last < POSTS || pongs < PINGS {
            let said = reader.pushed();
            if said.get("msg_type").is_some() {
                thread.take(&said);
            } else {
                assert_eq!(said, json!({"id": pongs, "ok": true}));
                pongs += 1;
            }
        }
    });
    reader.assert_in_step();
}

#[test]
fn a_backlog_waits_for_memory_and_goes_on() {
    let lodge = Lodge::open(&[], &[]);
    let mut peer = lodge.peer();
    peer.post("a", "x");
    peer.assert_in_step();
    let mut charge = lodge.budget.charge();
    charge.grow(1 << 30);
    assert_eq!(peer.join("a", Some(0)), 1);
    peer.assert_in_step();
    drop(charge);
    read_to(&mut peer, 0, 1);
}

#[test]
fn a_reader_that_stalls_does_not_hold_up_the_end() {
    let limits = [("drain_timeout", 3_000)];
    let lodge = Lodge::open(&[], &limits);
    let (mut stalled, mut behind, mut poster) = (lodge.peer(), lodge.peer(), lodge.peer());
    stalled.join("a", None);
    (0..20).for_each(|_| poster.post("a", &"x".repeat(1_000_000)));
    poster.assert_in_step();
    behind.join("a", Some(0));
    assert_eq!(lodge.drain().stuck, 0);
}

#[test]
fn a_reader_that_reads_nothing_for_too_long_is_closed() {
    let limits = [("max_outbox", 64 << 10), ("output_timeout", 300)];
    let lodge = Lodge::open(&[], &limits);
    let (mut stalled, mut poster) = (lodge.peer(), lodge.peer());
    stalled.join("a", None);
    let text = "x".repeat(100_000);
    let members = |poster: &mut Peer| {
        poster.header(&json!({"msg_type": "rooms", "id": 1}));
        poster.answer();
        let rooms: serde_json::Value = serde_json::from_slice(&poster.next()).unwrap();
        rooms[0]["members"].as_u64().unwrap()
    };
    let begun = Instant::now();
    while members(&mut poster) > 0 {
        poster.post("a", &text);
        assert!(begun.elapsed() < PATIENCE, "it is still there");
    }
    until("its memory is given back", || lodge.budget.used() == 0);
}

#[test]
fn backlogs_of_several_rooms_take_turns() {
    let lodge = Lodge::open(&[], &[]);
    let mut peer = lodge.peer();
    for room in ["a", "b"] {
        (0..1_000).for_each(|_| peer.post(room, &"x".repeat(1_000)));
    }
    peer.assert_in_step();
    // As one segment, or the first might be through before the second comes.
    let join = |room| json!({"msg_type": "join", "room": room, "since": 0}).to_string();
    peer.raw(&["a", "b"].map(|room| frame(join(room).as_bytes())).concat());
    let mut turns = 0;
    let mut room = json!("a");
    for _ in 0..2_000 {
        let push = peer.pushed();
        turns += u32::from(push["room"] != room);
        room = push["room"].clone();
    }
    assert!(turns > 10, "they came one after the other");
    peer.assert_in_step();
}

#[test]
fn a_backlog_that_cannot_be_read_ends_with_a_last_word() {
    let lodge = Lodge::open(&[], &[]);
    let (mut peer, mut other) = (lodge.peer(), lodge.peer());
    peer.post("a", "x");
    peer.assert_in_step();
    lodge.messages.break_pages();
    assert_eq!(peer.join("a", Some(0)), 1);
    peer.assert_last_word("internal");
    other.join("a", None);
    other.post("a", "y");
    read_to(&mut other, 1, 2);
}

//! The bounds on what all connections share, at the bound and one past it: memory, room for
//! newcomers, and what is read of a body that nobody wants.

use crate::support::{Peer, Served};
use serde_json::json;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// A text of `length` bytes that has begun: its header, and so many bytes of its frame.
fn begin_text(peer: &mut Peer, id: Option<u64>, length: i32, sent: usize) {
    let mut header = json!({"msg_type": "msg"});
    if let Some(id) = id {
        header["id"] = id.into();
    }
    peer.header(&header);
    peer.raw(&length.to_le_bytes());
    peer.raw(&vec![b'x'; sent]);
}

/// Posts until one is refused, which must be for lack of memory.
fn post_until_busy(peer: &mut Peer) {
    loop {
        let answer = peer.ask_with(&json!({"msg_type": "msg", "id": 1}), b"small");
        if answer["ok"] == false {
            assert_eq!(answer["code"], "busy", "{answer}");
            return;
        }
    }
}

/// Posts until one is taken.
fn post_until_taken(peer: &mut Peer) {
    while peer.ask_with(&json!({"msg_type": "msg", "id": 1}), b"small")["ok"] != true {}
}

#[test]
fn texts_that_have_begun_go_on_when_new_ones_are_refused() {
    let served = Served::start(|config| config.limits.max_buffers = 1 << 20);
    let (mut first, mut second, mut other) = (served.peer(), served.peer(), served.peer());
    let length = 1_000 << 10;
    begin_text(&mut first, None, length, 600 << 10);
    begin_text(&mut second, Some(7), length, 500 << 10);
    post_until_busy(&mut other);
    first.raw(&vec![b'x'; 400 << 10]);
    second.raw(&vec![b'x'; 500 << 10]);
    first.assert_in_step();
    let taken = second.answer();
    assert_eq!(taken["ok"], true, "{taken}");
    post_until_taken(&mut other);
    let history =
        other.ask(&json!({"msg_type": "history", "id": 2, "room": "lobby", "search": "xxxx"}));
    assert_eq!(history["count"], 2, "{history}");
}

#[test]
fn a_text_that_exhausts_the_memory_of_all_is_held_to_its_time() {
    let served = Served::start(|config| {
        config.limits.max_buffers = 1 << 20;
        config.limits.max_text = 4 << 20;
        config.limits.frame_timeout = Duration::from_secs(2);
    });
    let (mut quiet, mut heard, mut other) = (served.peer(), served.peer(), served.peer());
    begin_text(&mut heard, Some(7), 4 << 20, 10);
    begin_text(&mut quiet, None, 4 << 20, 3 << 20);
    // Who hears of it is refused in the middle, and what it had is given back.
    heard
        .stream()
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    let refused = loop {
        heard.raw(b"x");
        match heard.try_next() {
            Ok(answer) => break answer.expect("an answer comes before the end"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    };
    let refused: serde_json::Value = serde_json::from_slice(&refused).unwrap();
    assert_eq!(
        (&refused["id"], &refused["code"]),
        (&7.into(), &"busy".into())
    );
    // Who doesn't waits, but not for ever: it may be what all wait for.
    post_until_busy(&mut other);
    quiet.assert_last_word("bad_frame");
    post_until_taken(&mut other);
}

#[test]
fn half_headers_count_too() {
    let served = Served::start(|config| {
        config.limits.max_buffers = 1 << 20;
        config.limits.max_header = 1 << 20;
        config.limits.frame_timeout = Duration::from_millis(500);
    });
    let mut other = served.peer();
    let mut begun: Vec<_> = (0..2).map(|_| served.peer()).collect();
    for peer in &mut begun {
        peer.raw(&(1_i32 << 20).to_le_bytes());
        peer.raw(&vec![b' '; 600 << 10]);
    }
    post_until_busy(&mut other);
    for peer in &mut begun {
        peer.assert_last_word("bad_frame");
    }
    post_until_taken(&mut other);
}

#[test]
fn a_body_that_is_refused_midway_is_thrown_away_up_to_a_bound() {
    let served = Served::start(|config| {
        config.limits.max_buffers = 1 << 20;
        config.limits.max_text = 64 << 20;
        config.limits.max_discard = 256 << 10;
        config.limits.linger = Duration::ZERO;
    });
    let mut peer = served.peer();
    let length = 64 << 20;
    begin_text(&mut peer, Some(1), length, 0);
    // It is refused where it exhausts the memory, at 2 MiB; what the sockets hold comes on top.
    let piece = vec![b'x'; 64 << 10];
    let mut sent = 0;
    while peer.try_raw(&piece).is_ok() {
        sent += piece.len();
        assert!(sent < 32 << 20, "all of it was read");
    }
    assert!(sent > 2 << 20, "it was closed after {sent} bytes");
}

/// Lets newcomers in, each of whom goes again, until `waiting` is told something.
fn crowd_until_told(served: &Served, waiting: &mut Peer) -> Vec<u8> {
    let patience = Some(Duration::from_millis(5));
    waiting.stream().set_read_timeout(patience).unwrap();
    loop {
        served.peer().assert_in_step();
        match waiting.try_next() {
            Ok(told) => return told.expect("a last word comes before the end"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn who_was_idle_for_longest_makes_way_for_newcomers() {
    let served = Served::start(|config| {
        config.limits.max_connections = 20;
        config.limits.idle_timeout = Duration::from_millis(10);
    });
    // With the newcomer there is one more than nine tenths.
    let mut there: Vec<_> = (0..18).map(|_| served.peer()).collect();
    there[0].assert_in_step();
    // Idleness is counted in milliseconds, and nobody else must have as many.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(20) {
        there[17].assert_in_step();
    }
    there[1..].iter_mut().for_each(Peer::assert_in_step);
    let told = crowd_until_told(&served, &mut there[0]);
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(
        (&told["msg_type"], &told["code"]),
        (&"error".into(), &"busy".into())
    );
    there[17].assert_in_step();
}

#[test]
fn nobody_is_closed_for_silence_while_there_is_room() {
    let served = Served::start(|config| {
        config.limits.max_connections = 40;
        config.limits.idle_timeout = Duration::from_millis(10);
    });
    let mut silent: Vec<_> = (0..18).map(|_| served.peer()).collect();
    for _ in 0..100 {
        served.peer().assert_in_step();
    }
    silent.iter_mut().for_each(Peer::assert_in_step);
}

#[test]
fn who_is_not_idle_for_long_enough_stays_and_newcomers_wait() {
    let served = Served::start(|config| config.limits.max_connections = 4);
    let mut there: Vec<_> = (0..4).map(|_| served.peer()).collect();
    there.iter_mut().for_each(Peer::assert_in_step);
    let mut newcomer = served.peer();
    newcomer.header(&json!({"msg_type": "ping", "id": 1}));
    let patience = Some(Duration::from_millis(200));
    newcomer.stream().set_read_timeout(patience).unwrap();
    let waits = newcomer.try_next().unwrap_err().kind();
    assert_eq!(waits, ErrorKind::WouldBlock);
    drop(there.pop());
    newcomer
        .stream()
        .set_read_timeout(Some(crate::support::PATIENCE))
        .unwrap();
    assert_eq!(newcomer.answer()["id"], 1);
    there.iter_mut().for_each(Peer::assert_in_step);
}

#[test]
fn half_a_character_is_no_reason_to_stay() {
    let served = Served::start(|config| {
        config.listen = vec!["sink://127.0.0.1:0".parse().unwrap()];
        config.limits.max_connections = 20;
        config.limits.idle_timeout = Duration::from_millis(10);
    });
    let mut there: Vec<_> = (0..18).map(|_| served.peer()).collect();
    for peer in &mut there {
        peer.raw("你".as_bytes().split_at(1).0);
        let patience = Some(Duration::from_millis(1));
        peer.stream().set_read_timeout(patience).unwrap();
    }
    // One of them makes way for a newcomer who stays.
    let newcomer = served.peer();
    let has_gone = |peer: &mut Peer| matches!(peer.try_next(), Ok(None));
    while !there.iter_mut().any(has_gone) {
        drop(served.peer());
    }
    drop(newcomer);
}

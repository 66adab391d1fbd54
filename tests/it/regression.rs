//! Bugs that were found once, a test each, named after what went wrong.

use crate::support::{Peer, Served};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Sends `bytes` over and over, as fast as they are taken, until told or until it breaks.
fn flood(peer: &Peer, bytes: Vec<u8>) -> (Arc<AtomicBool>, JoinHandle<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (told, mut stream) = (Arc::clone(&stop), peer.stream().try_clone().unwrap());
    let flood = move || {
        while !told.load(Ordering::Relaxed) && stream.write_all(&bytes).is_ok() {}
    };
    (stop, thread::spawn(flood))
}

/// A connection that always has more to read never parks, and only on the way to parking was it
/// asked whether its time is up: a sender at full speed outlived the drain and counted as stuck.
#[test]
fn a_fast_sender_outlived_the_drain() {
    let served = Served::start(|config| {
        config.limits.drain_timeout = Duration::from_secs(2);
        config.limits.linger = Duration::from_millis(100);
    });
    let mut peer = served.peer();
    peer.assert_in_step();
    let silent = crate::support::frame(br#"{"msg_type":"ping"}"#);
    let (_stop, flood) = flood(&peer, silent.repeat(4_096));
    served.begin_drain();
    assert_eq!(peer.answer()["msg_type"], "going_away");
    // Ends by itself only when the connection is closed under it.
    flood.join().unwrap();
    let (summary, _home) = served.drain();
    assert_eq!(summary.stuck, 0);
}

/// The same, without a drain: who breaks the stream and goes on sending at full speed is read only
/// for as long as a peer may linger.
#[test]
fn a_broken_stream_that_never_ends_is_closed() {
    let served = Served::start(|config| {
        config.limits.linger = Duration::from_millis(100);
    });
    let peer = served.peer();
    let (_stop, flood) = flood(&peer, b"\xff".repeat(64 << 10));
    // Ends by itself only when the connection is closed under it.
    flood.join().unwrap();
    served.peer().assert_in_step();
}

/// Answers that did not fit into the outbox at once were not looked at again when the socket took
/// all of it: nothing more would wake the connection, and they were never sent.
#[test]
fn answers_beyond_the_outbox_were_forgotten() {
    let served = Served::start(|config| config.limits.max_outbox = 4 << 10);
    let mut peer = served.peer();
    // The receipts of many messages come in one batch, and far exceed the outbox together.
    let id = "x".repeat(100);
    let header = format!(r#"{{"msg_type":"msg","id":"{id}"}}"#);
    let request = [header.as_bytes(), b"text"]
        .map(crate::support::frame)
        .concat();
    peer.raw(&request.repeat(1_000));
    for _ in 0..1_000 {
        assert_eq!(peer.answer()["ok"], true);
    }
}

/// Where headers may be longer before a login than after it, a worker had no room for one: the
/// read of no bytes passed for the end of the stream.
#[test]
fn a_long_header_before_the_login_was_an_end() {
    let served = Served::start(|config| {
        config.limits.max_header = 256;
        config.limits.max_header_before_login = 1 << 20;
        config.listen = vec!["framed://127.0.0.1:0?login=required".parse().unwrap()];
    });
    let mut peer = served.peer();
    let pad = "x".repeat(1_000_000);
    let answer = peer.ask(&serde_json::json!({"msg_type": "ping", "id": 1, "pad": pad}));
    assert_eq!(answer["ok"], true);
}

/// A login that waited its turn for a thread to hash on ran out of time for the login, through no
/// fault of its own; and what it had held kept its connection for ever.
#[test]
fn a_login_expired_while_it_waited_for_the_server() {
    let account = ("zhangsan".to_owned(), "123".to_owned());
    let served = Served::with_accounts(&[account], |config| {
        config.limits.login_timeout = Duration::from_millis(100);
        config.listen = vec!["framed://127.0.0.1:0?login=required".parse().unwrap()];
    });
    let login = serde_json::json!({
        "msg_type": "login", "id": 1, "username": "zhangsan",
        "password": crate::support::proof("123"),
    });
    // Far more than the cores can hash in that time; all of them ask at once.
    let mut peers: Vec<_> = (0..60)
        .map(|_| {
            let mut peer = served.peer();
            peer.header(&login);
            peer
        })
        .collect();
    for peer in &mut peers {
        assert_eq!(peer.answer()["role"], "user");
    }
    drop(peers);
    let (summary, _home) = served.drain();
    assert_eq!((summary.served, summary.stuck), (60, 0));
}

/// A message without an id is owed no answer, so a connection that waited only for its commit
/// passed for over: the last word to a stream that broke meanwhile was never said.
#[test]
fn a_last_word_was_lost_behind_a_silent_message() {
    let served = Served::start(|_| {});
    let silent = [&br#"{"msg_type":"msg"}"#[..], b"text"].map(crate::support::frame);
    let broken = [&silent.concat()[..], b"\xff\xff\xff\xff"].concat();
    for _ in 0..20 {
        let mut peer = served.peer();
        peer.raw(&broken);
        peer.assert_last_word("bad_frame");
    }
}

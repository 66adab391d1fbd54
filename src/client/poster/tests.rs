//! Tests of posting over connections that break, at a server that follows a script.

use super::*;
use crate::client::fake::{PATIENCE, Peer};
use crate::wire::{Id, Refusal, Reply};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

/// A poster, the waits that it made, and its server, which does `script` with all its connections.
fn poster<T: Send + 'static>(
    script: impl FnOnce(&TcpListener) -> T + Send + 'static,
) -> (Poster, Receiver<Duration>, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || script(&listener));
    let (waited, waits) = channel();
    let connect = move || Client::connect(&address, PATIENCE);
    let poster = Poster::new(connect, PATIENCE, Random::seeded(1)).with_pause(move |wait| {
        // Whoever wants to know may be gone.
        let _ = waited.send(wait);
    });
    (poster, waits, server)
}

/// A message as the server sees it: its id, its key and its text.
fn message(peer: &mut Peer) -> (Id, String, Vec<u8>) {
    let (header, id) = peer.header("msg");
    let key = header.fields.required_text("key").unwrap().to_owned();
    (id, key, peer.frame())
}

fn receipt(seq: u64, duplicate: bool) -> Reply {
    let reply = Reply::new().with("room", "lobby").with("seq", seq);
    reply.with("duplicate", duplicate)
}

#[test]
fn what_has_no_receipt_is_sent_again_under_its_key() {
    let (mut poster, _, server) = poster(|listener| {
        let mut peer = Peer::accept(listener);
        let first: Vec<_> = (0..3).map(|_| message(&mut peer)).collect();
        peer.reply(&first[0].0, &receipt(1, false));
        drop(peer);
        let mut peer = Peer::accept(listener);
        let again: Vec<_> = (0..2).map(|_| message(&mut peer)).collect();
        for (seq, (id, key, text)) in (2..).zip(&again) {
            let (_, first_key, first_text) = &first[seq - 1];
            assert_eq!((key, text), (first_key, first_text));
            peer.reply(id, &receipt(seq as u64, seq == 2));
        }
        let keys: Vec<_> = first.into_iter().map(|(_, key, _)| key).collect();
        assert!(keys.iter().all(|key| key.len() == 32) && keys[0] != keys[1]);
    });
    for text in ["a", "b", "c"] {
        poster.send(text.into(), &Post::default()).unwrap();
    }
    for seq in 1..=3 {
        let receipt = poster.receive().unwrap().unwrap().unwrap();
        assert_eq!((receipt.seq, receipt.duplicate), (Some(seq), false));
    }
    assert!(poster.receive().unwrap().is_none());
    server.join().unwrap();
}

#[test]
fn a_key_that_was_given_is_kept_and_its_duplicates_are_told() {
    let (mut poster, _, server) = poster(|listener| {
        let mut peer = Peer::accept(listener);
        let (id, key, _) = message(&mut peer);
        peer.reply(&id, &receipt(7, true));
        key
    });
    let key = Some("mine".to_owned());
    let post = Post {
        key,
        ..Post::default()
    };
    assert!(poster.say("x", &post).unwrap().duplicate);
    assert_eq!(server.join().unwrap(), "mine");
}

#[test]
fn a_server_that_is_going_away_is_waited_for() {
    let (mut poster, waits, server) = poster(|listener| {
        let mut peer = Peer::accept(listener);
        let (id, ..) = message(&mut peer);
        let refusal = Refusal::new(Code::GoingAway, "bye").with("retry_after_ms", 3_000u64);
        peer.refuse(&id, &refusal);
        let mut peer = Peer::accept(listener);
        let (id, ..) = message(&mut peer);
        peer.reply(&id, &receipt(1, false));
    });
    assert_eq!(poster.say("x", &Post::default()).unwrap().seq, Some(1));
    let waited = waits.recv().unwrap();
    assert!((3_000..=3_750).contains(&waited.as_millis()), "{waited:?}");
    server.join().unwrap();
}

#[test]
fn a_refusal_is_told_and_nothing_is_sent_again() {
    let (mut poster, waits, server) = poster(|listener| {
        let mut peer = Peer::accept(listener);
        for code in [Code::TooLarge, Code::Busy] {
            let (id, ..) = message(&mut peer);
            peer.refuse(&id, &Refusal::new(code, "no"));
        }
    });
    for code in [Code::TooLarge, Code::Busy] {
        let error = poster.say("x", &Post::default()).unwrap_err();
        assert!(matches!(error, Error::Refused(refused) if refused.code == Some(code)));
    }
    assert!(waits.try_recv().is_err());
    server.join().unwrap();
}

#[test]
fn patience_has_an_end_that_says_how_it_began() {
    let (mut poster, waits, server) = poster(|listener| {
        let mut peer = Peer::accept(listener);
        message(&mut peer);
    });
    poster.send(b"x".to_vec(), &Post::default()).unwrap();
    poster.flush().unwrap();
    // Nobody listens any more when the connection ends.
    server.join().unwrap();
    let error = poster.receive().unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error:?}");
    assert_eq!(poster.unanswered(), 0, "it is told, and forgotten");
    let waited: Vec<Duration> = waits.try_iter().collect();
    assert!(waited.len() > 4 && waited.iter().sum::<Duration>() <= PATIENCE);
}

#[test]
fn what_is_held_is_bounded() {
    const LONG: usize = 8 * 1024 * 1024 + 1;
    let (mut poster, _, server) = poster(|listener| {
        let mut peer = Peer::accept(listener);
        for seq in 1..=3 {
            let (id, ..) = message(&mut peer);
            peer.reply(&id, &receipt(seq, false));
        }
    });
    for sent in 1..=3 {
        poster.send(vec![b'x'; LONG], &Post::default()).unwrap();
        assert!(poster.held_bytes <= MOST_HELD && poster.receipts.len() >= sent - 1);
    }
    while poster.receive().unwrap().is_some() {}
    server.join().unwrap();
}

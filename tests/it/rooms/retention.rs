//! Messages that are no longer kept: who joins or reads begins at the oldest that is, and the
//! counting goes on where it was, also after a restart.

use crate::support::{Peer, Served, until};
use serde_json::{Value, json};

/// Texts of 100 bytes; ten of them are kept.
const TEXT: [u8; 100] = [b'x'; 100];
const BYTES: u64 = 1_000;

/// Posts to `room` and returns seq and prev.
#[track_caller]
fn post(peer: &mut Peer, room: &str) -> (u64, u64) {
    let header = json!({"msg_type": "msg", "id": 1, "room": room});
    let reply = peer.ask_with(&header, &TEXT);
    let number = |name: &str| reply[name].as_u64().unwrap();
    (number("seq"), number("prev"))
}

/// The seqs and prevs that the history of `room` has after `after`.
#[track_caller]
fn history(peer: &mut Peer, room: &str, after: u64) -> Vec<(u64, u64)> {
    let reply = peer.ask(&json!({
        "msg_type": "history", "id": 1, "room": room, "after": after,
    }));
    assert_eq!(
        (&reply["ok"], &reply["more"]),
        (&json!(true), &json!(false))
    );
    let messages: Vec<Value> = serde_json::from_slice(&peer.next()).unwrap();
    let number = |message: &Value, name: &str| message[name].as_u64().unwrap();
    let place = |message| (number(message, "seq"), number(message, "prev"));
    messages.iter().map(place).collect()
}

#[test]
fn what_is_let_go_leaves_the_rest_and_the_counting_as_they_were() {
    let served = Served::start(|_| {});
    let mut peer = served.peer();
    assert_eq!(post(&mut peer, "quiet"), (1, 0));
    for seq in 2..=40 {
        assert_eq!(post(&mut peer, "a").0, seq);
    }
    assert_eq!(
        history(&mut peer, "a", 0).len(),
        39,
        "none is let go unasked"
    );
    drop(peer);
    let (_, home) = served.drain();

    // The bound is set, and holds for what is there already.
    let bound = |config: &mut gatepost::config::Config| config.limits.messages_kept_bytes = BYTES;
    let served = Served::at(home, bound);
    let mut peer = served.peer();
    until("the oldest are let go", || {
        history(&mut peer, "a", 0).len() == 9
    });
    let kept: Vec<_> = (32..=40).map(|seq| (seq, seq - 1)).collect();
    assert_eq!(history(&mut peer, "a", 0), kept);
    assert_eq!(history(&mut peer, "a", 5), kept);
    assert_eq!(history(&mut peer, "quiet", 0), [(1, 0)]);
    // Who joins at one that is gone begins at the oldest there is.
    let join = json!({"msg_type": "join", "id": 2, "room": "a", "since": 5});
    assert_eq!(peer.ask(&join)["head"], 40);
    for (seq, prev) in kept {
        let push = peer.answer();
        assert_eq!((&push["seq"], &push["prev"]), (&json!(seq), &json!(prev)));
        peer.next();
    }
    drop(peer);

    // As posts go on, so does letting go: now all of `a` but its last.
    let mut peer = served.peer();
    for seq in 41..=60 {
        assert_eq!(post(&mut peer, "b").0, seq);
    }
    until("all but the last", || {
        history(&mut peer, "a", 0) == [(40, 39)]
    });
    drop(peer);
    let (_, home) = served.drain();
    let served = Served::at(home, bound);
    let mut peer = served.peer();
    let rooms = peer.ask(&json!({"msg_type": "rooms", "id": 3}));
    assert_eq!(rooms["count"], 3);
    peer.next();
    assert_eq!(post(&mut peer, "quiet"), (61, 1));
    assert_eq!(post(&mut peer, "a"), (62, 40));
    until("what was the last", || {
        post(&mut peer, "c");
        history(&mut peer, "quiet", 0) == [(61, 1)] && history(&mut peer, "a", 0) == [(62, 40)]
    });
}

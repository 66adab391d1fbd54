//! Searches in the history over sockets: while messages are posted, page by page, after a restart,
//! and when the index was lost or spoilt in between.

use crate::support::{Peer, Served};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

/// Enough for some blocks of the index and a rest; the last is one that is looked for.
const MESSAGES: u64 = 9_800;

/// One of so many is looked for.
const EVERY: u64 = 700;

const INDEX: &str = "gatepost-index.db";

/// Posts the message with this number, which becomes its seq, and waits for the receipt of one
/// that is looked for.
#[track_caller]
fn post(peer: &mut Peer, number: u64) {
    let (room, text) = match number % EVERY {
        0 => ("lobby", format!("第{number}次: 我叫马冬梅你好, \"OK*\"")),
        1 => ("kitchen", format!("第{number}次: 你好")),
        _ => ("lobby", format!("{number} 你们好, 马梅冬 \"ok\"")),
    };
    let mut header = json!({"msg_type": "msg", "room": room});
    if number.is_multiple_of(EVERY) {
        header["id"] = json!(number);
        assert_eq!(peer.ask_with(&header, text.as_bytes())["seq"], number);
    } else {
        peer.request(&header, text.as_bytes());
    }
}

/// A page of what is found of `needle`, and whether there is more.
#[track_caller]
fn page(peer: &mut Peer, needle: &str, bound: (&str, u64), limit: u64) -> (Vec<u64>, bool) {
    let mut header = json!({
        "msg_type": "history", "id": 1, "room": "lobby", "search": needle, "limit": limit,
    });
    header[bound.0] = json!(bound.1);
    let reply = peer.ask(&header);
    assert_eq!(reply["ok"], true, "{reply}");
    let messages: Vec<Value> = serde_json::from_slice(&peer.next()).unwrap();
    assert_eq!(reply["count"], messages.len());
    let seq = |message: &Value| message["seq"].as_u64().unwrap();
    (messages.iter().map(seq).collect(), reply["more"] == true)
}

/// All that is found of `needle`, from both ends, must be the messages that are looked for.
#[track_caller]
fn check(peer: &mut Peer, needle: &str) {
    let expected: BTreeSet<u64> = (1..=MESSAGES / EVERY).map(|nth| nth * EVERY).collect();
    let (mut after, mut up) = (0, BTreeSet::new());
    let (mut before, mut down) = (MESSAGES + 1, BTreeSet::new());
    loop {
        let (seqs, more) = page(peer, needle, ("after", after), 3);
        after = seqs.last().copied().unwrap_or(after);
        up.extend(seqs);
        if !more {
            break;
        }
    }
    loop {
        let (seqs, more) = page(peer, needle, ("before", before), 4);
        before = seqs.first().copied().unwrap_or(before);
        down.extend(seqs);
        if !more {
            break;
        }
    }
    assert_eq!((&up, &down), (&expected, &expected), "{needle}");
}

#[test]
fn what_was_posted_is_found_whatever_becomes_of_the_index() {
    let served = Served::start(|_| {});
    let (mut poster, mut reader) = (served.peer(), served.peer());
    for number in 1..=MESSAGES {
        post(&mut poster, number);
        if number.is_multiple_of(EVERY) {
            // At once, wherever the index may be.
            let found = page(&mut reader, "马冬梅", ("after", number - 1), 10);
            assert_eq!(found, (vec![number], false));
        }
    }
    let needles = ["冬梅你", "我叫马冬梅你好", "ok*", ": 我"];
    needles.iter().for_each(|needle| check(&mut reader, needle));
    for nowhere in ["冬梅 你", "OR", "*\"*", "第1次"] {
        assert_eq!(
            page(&mut reader, nowhere, ("after", 0), 10),
            (vec![], false)
        );
    }

    let (_, mut home) = served.drain();
    let spoil = [
        |index: &[u8]| Some(index.to_vec()),
        |index: &[u8]| Some(index.iter().map(|byte| byte.rotate_left(1)).collect()),
        |index: &[u8]| Some(index[..index.len() / 2].to_vec()),
        |_: &[u8]| None,
    ];
    for (way, spoil) in spoil.into_iter().enumerate() {
        let index = home.path().join(INDEX);
        match spoil(&fs::read(&index).unwrap()) {
            Some(bytes) => fs::write(&index, bytes).unwrap(),
            None => fs::remove_file(&index).unwrap(),
        }
        let served = Served::at(home, |_| {});
        let mut reader = served.peer();
        needles.iter().for_each(|needle| check(&mut reader, needle));
        home = served.drain().1;
        assert!(home.path().join(INDEX).exists(), "after way {way}");
    }
}

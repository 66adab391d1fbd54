//! Files that are handed in: many on one connection, such as break off and go on, and what their
//! senders are told.

use super::{ask_for, body, offset, proven, sha256};
use crate::support::{Daemon, Served, frame, partials, until, uploads};
use crate::trial::content;
use serde_json::json;
use std::fs;

#[test]
fn small_files_are_sent_without_waiting_and_answered_in_order() {
    const FILES: u64 = 200;
    let served = Served::start(|_| {});
    let mut peer = served.peer();
    for number in 0..FILES {
        let bytes = content::bytes(number, 4_096 + number as usize);
        peer.request(&proven(number, &format!("{number:03}"), &bytes), &bytes);
    }
    for number in 0..FILES {
        let bytes = content::bytes(number, 4_096 + number as usize);
        let answer = peer.answer();
        let expected = json!({
            "id": number, "ok": true, "name": format!("{number:03}"), "size": bytes.len(),
            "digest": sha256(&bytes), "ack": "durable",
        });
        assert_eq!(answer, expected);
    }
    for number in 0..FILES {
        let path = served.home().join(format!("uploads/{number:03}"));
        content::assert_file(&path, number, 4_096 + number);
    }
}

#[test]
fn what_is_asked_behind_a_file_finds_it() {
    let served = Served::start(|_| {});
    let mut peer = served.peer();
    let named = |kind: &str, id: u64| json!({"msg_type": kind, "id": id, "file_name": "a"});
    peer.request(&named("file", 1), b"one");
    peer.request(&named("file", 2), b"two");
    peer.header(&named("get", 3));
    peer.header(&json!({"msg_type": "list", "id": 4}));
    peer.request(&json!({"msg_type": "msg", "id": 5}), b"text");
    peer.request(&named("file", 6), b"three");
    assert_eq!(peer.answer()["name"], "a");
    assert_eq!(peer.answer()["name"], "a (2)");
    let answer = peer.answer();
    assert_eq!(
        (&answer["id"], body(&mut peer, &answer)),
        (&3.into(), b"one".to_vec())
    );
    let answer = peer.answer();
    assert_eq!(answer["count"], 2);
    body(&mut peer, &answer);
    assert_eq!(peer.answer()["seq"], 1);
    assert_eq!(peer.answer()["name"], "a (3)");
}

#[test]
fn a_file_goes_on_where_its_connection_broke() {
    let served = Served::start(|_| {});
    let bytes = content::bytes(1, 3 << 20);
    let half = bytes.len() / 2;
    let mut peer = served.peer();
    peer.header(&proven(1, "big", &bytes));
    peer.frame(&bytes[..half]);
    peer.raw(&[&1_000_000i32.to_le_bytes()[..], &bytes[half..half + 1_000]].concat());
    drop(peer);
    let mut peer = served.peer();
    let mut safe = 0;
    until("what came is safe", || {
        safe = offset(&mut peer, "big", &bytes)["offset"].as_u64().unwrap();
        safe == half as u64 + 1_000
    });
    assert!(uploads(served.home()).is_empty());
    // Another file, another user of the name: nothing of it is here.
    assert_eq!(offset(&mut peer, "other", &bytes)["offset"], 0);

    // It outlives a restart as well.
    let (_, home) = served.drain();
    let served = Served::at(home, |_| {});
    let mut peer = served.peer();
    assert_eq!(offset(&mut peer, "big", &bytes)["offset"], safe);
    let rest = &bytes[usize::try_from(safe).unwrap()..];
    let mut header = proven(2, "big", &bytes);
    header["offset"] = (safe - 1).into();
    let refused = peer.ask_with(&header, &bytes[usize::try_from(safe).unwrap() - 1..]);
    assert_eq!(
        (&refused["code"], &refused["offset"]),
        (&"conflict".into(), &safe.into())
    );
    header["offset"] = safe.into();
    let answer = peer.ask_with(&header, rest);
    assert_eq!(
        (&answer["ok"], &answer["name"]),
        (&true.into(), &"big".into())
    );
    content::assert_file(&served.home().join("uploads/big"), 1, bytes.len() as u64);
    assert_eq!(partials(served.home()), 0);
    let whole = offset(&mut peer, "big", &bytes);
    assert_eq!(
        (&whole["offset"], &whole["name"]),
        (&bytes.len().into(), &"big".into())
    );
}

#[test]
fn the_later_of_two_that_go_on_with_one_file_fences_the_other_out() {
    let served = Served::start(|_| {});
    let bytes = content::bytes(2, 1 << 20);
    let half = bytes.len() / 2;
    let (mut first, mut second) = (served.peer(), served.peer());
    first.header(&proven(1, "big", &bytes));
    first.frame(&bytes[..half]);
    // What the first one sent may still lie in its socket: the second starts over.
    let answer = second.ask_with(&proven(2, "big", &bytes), &bytes);
    assert_eq!(
        (&answer["ok"], &answer["name"]),
        (&true.into(), &"big".into())
    );
    first.frame(&bytes[half..]);
    let answer = first.answer();
    let is_fenced = answer["code"] == "conflict";
    // Unless all it had begun with was read so late that it found the whole file.
    assert!(is_fenced || answer["duplicate"] == true, "{answer}");
    first.assert_in_step();
    assert_eq!(uploads(served.home()), ["big"]);
    content::assert_file(&served.home().join("uploads/big"), 2, bytes.len() as u64);
    assert_eq!(partials(served.home()), 0);
}

#[test]
fn a_shutdown_tells_where_a_file_can_go_on() {
    let served = Served::start(|config| {
        config.limits.drain_timeout = std::time::Duration::from_millis(400);
    });
    let bytes = content::bytes(3, 1 << 20);
    let mut peer = served.peer();
    peer.assert_in_step();
    let begun = [
        frame(proven(1, "big", &bytes).to_string().as_bytes()),
        frame(&bytes[..300_000]),
    ];
    peer.raw(&begun.concat());
    served.begin_drain();
    let refused = peer.answer();
    assert_eq!(
        (&refused["code"], &refused["offset"]),
        (&"going_away".into(), &300_000.into())
    );
    let (summary, home) = served.drain();
    assert_eq!(summary.cut_off, 1);
    let served = Served::at(home, |_| {});
    let mut peer = served.peer();
    let mut header = proven(2, "big", &bytes);
    header["offset"] = 300_000.into();
    let answer = peer.ask_with(&header, &bytes[300_000..]);
    assert_eq!(answer["name"], "big");
    content::assert_file(&served.home().join("uploads/big"), 3, bytes.len() as u64);
}

#[test]
fn a_wrong_digest_leaves_nothing() {
    let served = Served::start(|_| {});
    let mut peer = served.peer();
    let header = json!({
        "msg_type": "file", "id": 1, "file_name": "a", "size": 5, "digest": sha256(b"right"),
    });
    assert_eq!(peer.ask_with(&header, b"wrong")["code"], "digest_mismatch");
    assert_eq!(offset(&mut peer, "a", b"right")["offset"], 0);
    assert!(uploads(served.home()).is_empty());
    assert_eq!(partials(served.home()), 0);
    assert_eq!(peer.ask_with(&header, b"right")["ok"], true);
}

#[test]
fn a_file_that_is_refused_unheard_is_in_the_log() {
    let home = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(home.path(), &[]);
    let header =
        |name: &str| json!({"msg_type": "file", "file_name": name, "digest": sha256(b"right")});
    let told = |line: &str| line.contains("digest_mismatch") && line.contains("refused");
    let mut stays = daemon.peer();
    stays.request(&header("a"), b"wrong");
    daemon.wait_for_line(told);
    stays.assert_in_step();
    let mut leaves = daemon.peer();
    leaves.request(&header("b"), b"wrong");
    drop(leaves);
    daemon.wait_for_line(told);
}

#[test]
fn a_file_is_in_its_rooms_history() {
    let served = Served::start(|_| {});
    let mut peer = served.peer();
    let header = json!({"msg_type": "file", "id": 1, "file_name": "a", "room": "album"});
    let answer = peer.ask_with(&header, b"png");
    assert_eq!((&answer["seq"], &answer["prev"]), (&1.into(), &0.into()));
    peer.ask_with(
        &json!({"msg_type": "msg", "id": 2, "room": "album"}),
        b"nice",
    );
    let answer = peer.ask(&json!({"msg_type": "history", "id": 3, "room": "album"}));
    let posts: serde_json::Value = serde_json::from_slice(&body(&mut peer, &answer)).unwrap();
    assert_eq!(
        (&posts[0]["seq"], &posts[0]["text"]),
        (&1.into(), &"".into())
    );
    assert_eq!(
        posts[0]["file"],
        json!({"name": "a", "size": 3, "digest": null})
    );
    assert_eq!(
        (&posts[1]["prev"], &posts[1]["file"]),
        (&1.into(), &json!(null))
    );
    let answer = ask_for(&mut peer, "a");
    assert_eq!(body(&mut peer, &answer), b"png");
    assert_eq!(fs::read(served.home().join("uploads/a")).unwrap(), b"png");
}

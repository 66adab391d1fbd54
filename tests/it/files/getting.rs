//! Files that are wanted: from any byte on, by peers that read slowly or not at all, and what lies in
//! the folder that no client put there.

use super::{ask_for, body, count_rest, sha256};
use crate::support::{Peer, Served};
use crate::trial::content;
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

fn placed(served: &Served, name: &str) -> PathBuf {
    served.home().join("uploads").join(name)
}

/// Places a file without bytes of its own on the disk.
fn place_sparse(served: &Served, name: &str, size: u64) -> File {
    let file = File::create(placed(served, name)).unwrap();
    file.set_len(size).unwrap();
    file
}

#[test]
fn a_file_is_had_from_any_byte_on() {
    let served = Served::start(|_| {});
    let mut peer = served.peer();
    let bytes = content::bytes(1, (3 << 20) + 5);
    let name = "照片.png";
    fs::write(placed(&served, name), &bytes).unwrap();
    for offset in [0, 1, 65_536, (3 << 20) - 1, 3 << 20, bytes.len()] {
        let header = json!({"msg_type": "get", "id": 1, "file_name": name, "offset": offset});
        let answer = peer.ask(&header);
        assert_eq!(
            (&answer["name"], &answer["size"]),
            (&name.into(), &bytes.len().into())
        );
        assert!(
            body(&mut peer, &answer) == bytes[offset..],
            "from {offset} on"
        );
    }
    peer.assert_in_step();
}

#[test]
fn bodies_and_answers_keep_their_order_whatever_their_lengths() {
    let served = Served::start(|_| {});
    let sizes = [0, 1, 16_384, 16_385, 1 << 20, (2 << 20) + 1, 10];
    for (number, size) in (0..).zip(sizes) {
        let bytes = content::bytes(number, size);
        fs::write(placed(&served, &number.to_string()), bytes).unwrap();
    }
    let mut peer = served.peer();
    for round in 0..3 {
        for number in 0..sizes.len() {
            let name = number.to_string();
            peer.header(&json!({"msg_type": "get", "id": round, "file_name": name}));
            peer.header(&json!({"msg_type": "ping", "id": name}));
        }
    }
    for round in 0..3 {
        for (number, size) in (0..).zip(sizes) {
            let answer = peer.answer();
            assert_eq!(answer["id"], round);
            assert!(body(&mut peer, &answer) == content::bytes(number, size));
            assert_eq!(peer.answer()["id"], number.to_string());
        }
    }
}

#[test]
fn peers_that_stop_reading_hold_no_worker() {
    const SIZE: u64 = 1 << 30;
    let served = Served::start(|config| config.limits.workers = 4);
    place_sparse(&served, "huge", SIZE);
    fs::write(placed(&served, "small"), "small").unwrap();
    let mut stalled: Vec<Peer> = (0..64).map(|_| served.peer()).collect();
    for peer in &mut stalled {
        let answer = ask_for(peer, "huge");
        assert_eq!(
            (&answer["ok"], &answer["body"]),
            (&true.into(), &SIZE.into())
        );
    }
    let mut peer = served.peer();
    for _ in 0..10 {
        peer.assert_in_step();
        let answer = ask_for(&mut peer, "small");
        assert_eq!(body(&mut peer, &answer), b"small");
        let header = json!({"msg_type": "file", "id": 1, "file_name": "new"});
        assert_eq!(peer.ask_with(&header, b"x")["ok"], true);
    }
    // Who reads again gets the rest.
    let peer = stalled.swap_remove(7);
    let (mut prefix, mut left) = ([0; 4], SIZE);
    peer.stream().read_exact(&mut prefix).unwrap();
    assert_eq!(u64::from(u32::from_le_bytes(prefix)), SIZE, "one frame");
    let (mut room, zeros) = (vec![1; 1 << 20], vec![0; 1 << 20]);
    while left > 0 {
        let read = peer.stream().read(&mut room).unwrap();
        assert!(read > 0 && room[..read] == zeros[..read]);
        left -= read as u64;
    }
}

#[test]
fn who_never_reads_a_body_is_closed_in_time() {
    let served = Served::start(|config| {
        config.limits.output_timeout = Duration::from_millis(200);
    });
    place_sparse(&served, "huge", 1 << 30);
    let mut peer = served.peer();
    assert_eq!(ask_for(&mut peer, "huge")["ok"], true);
    let mut other = served.peer();
    crate::support::until("it is closed", || {
        other.assert_in_step();
        // Only a closed end lets a write fail.
        peer.try_raw(b"\0\0\0\0").is_err()
    });
    assert!(count_rest(&peer) < 1 << 30);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_closes_the_connection() {
    let served = Served::start(|_| {});
    let file = place_sparse(&served, "shrinks", 64 << 20);
    let mut peer = served.peer();
    assert_eq!(ask_for(&mut peer, "shrinks")["body"], 64 << 20);
    file.set_len(1 << 10).unwrap();
    assert!(count_rest(&peer) < 64 << 20);
    served.peer().assert_in_step();
}

#[test]
fn a_file_that_is_removed_while_it_is_sent_comes_whole() {
    let served = Served::start(|_| {});
    place_sparse(&served, "goes", 32 << 20);
    let mut peer = served.peer();
    let answer = ask_for(&mut peer, "goes");
    fs::remove_file(placed(&served, "goes")).unwrap();
    assert_eq!(body(&mut peer, &answer).len(), 32 << 20);
    assert_eq!(ask_for(&mut peer, "goes")["code"], "not_found");
}

#[test]
fn a_body_that_nobody_reads_does_not_hold_up_the_end() {
    let served = Served::start(|config| {
        config.limits.drain_timeout = Duration::from_millis(500);
    });
    place_sparse(&served, "huge", 1 << 30);
    let mut peer = served.peer();
    ask_for(&mut peer, "huge");
    let (summary, _home) = served.drain();
    assert_eq!((summary.cut_off, summary.stuck), (1, 0));
    assert!(count_rest(&peer) < 1 << 30);
}

#[test]
fn a_body_under_way_comes_whole_in_a_drain() {
    let served = Served::start(|_| {});
    fs::write(placed(&served, "big"), content::bytes(4, 24 << 20)).unwrap();
    let mut peer = served.peer();
    let answer = ask_for(&mut peer, "big");
    served.begin_drain();
    assert!(body(&mut peer, &answer) == content::bytes(4, 24 << 20));
    assert_eq!(peer.answer()["msg_type"], "going_away");
    peer.assert_eof();
}

#[track_caller]
fn listed(peer: &mut Peer) -> Value {
    let answer = peer.ask(&json!({"msg_type": "list", "id": 1}));
    serde_json::from_slice(&body(peer, &answer)).unwrap()
}

#[test]
fn what_was_placed_by_hand_is_listed_and_served() {
    let served = Served::start(|_| {});
    fs::write(placed(&served, "by hand"), "abc").unwrap();
    let mut peer = served.peer();
    let entries = listed(&mut peer);
    assert_eq!(entries.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&entries[0]["name"], &entries[0]["size"]),
        (&"by hand".into(), &3.into())
    );
    assert_eq!(entries[0]["owner"], Value::Null);
    let mut header = json!({
        "msg_type": "get", "id": 2, "file_name": "by hand", "digest": sha256(b"abc"),
    });
    let answer = peer.ask(&header);
    assert_eq!(answer["digest"], sha256(b"abc"));
    assert_eq!(body(&mut peer, &answer), b"abc");
    header["digest"] = sha256(b"abd").into();
    assert_eq!(peer.ask(&header)["code"], "conflict");
}

#[test]
fn links_pipes_and_folders_are_neither_listed_nor_opened() {
    let served = Served::start(|_| {});
    let secret = served.home().join("secret");
    fs::write(&secret, "secret").unwrap();
    std::os::unix::fs::symlink(&secret, placed(&served, "link")).unwrap();
    std::os::unix::fs::symlink("../secret", placed(&served, "relative")).unwrap();
    fs::create_dir(placed(&served, "folder")).unwrap();
    mkfifoat(CWD, placed(&served, "pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    let mut peer = served.peer();
    assert_eq!(listed(&mut peer), json!([]));
    for name in ["link", "relative", "folder", "pipe"] {
        assert_eq!(ask_for(&mut peer, name)["code"], "not_found", "{name}");
        // Nor is anything put in their place.
        let header = json!({"msg_type": "file", "id": 1, "file_name": name});
        let answer = peer.ask_with(&header, b"new");
        assert_eq!(answer["name"], format!("{name} (2)"));
    }
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
}

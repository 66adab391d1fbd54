//! The end of the real program: real signals, with all kinds of clients under way. What was
//! acknowledged is there, who may be told is told, and the last line counts right.

use crate::support::{Daemon, Peer, partials, uploads};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// The numbers in the last line, in its order: served, refused, cut off, connections, messages,
/// files.
#[track_caller]
fn counts(said: &[String]) -> Vec<u64> {
    let last = said
        .iter()
        .find(|line| line.starts_with("gatepost ended: "));
    let last = last.unwrap_or_else(|| panic!("no last line: {said:#?}"));
    assert!(!last.contains("stuck"), "{last}");
    last.split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// A client with half a file on its way.
fn begin_file(daemon: &Daemon, name: &str) -> Peer {
    let mut peer = daemon.peer();
    peer.header(&json!({"msg_type": "file", "id": 1, "file_name": name, "size": 200_000}));
    peer.frame(&[b'x'; 100_000]);
    peer
}

fn ends_well_on(signal: Signal) {
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["--drain-timeout", "2s"]);
    let mut talker = daemon.peer();
    let receipt = talker.ask_with(&json!({"msg_type": "msg", "id": 1}), b"good evening");
    assert_eq!(receipt["ok"], true);
    let mut silent = daemon.peer();
    silent.request(&json!({"msg_type": "msg"}), b"no answer, please");
    let mut stranger = daemon.peer();
    let mut finishes = begin_file(&daemon, "finishes.bin");
    let mut never_ends = begin_file(&daemon, "never-ends.bin");
    // The last connection is served, so those before it are accepted.
    daemon.peer().assert_in_step();

    daemon.signal(signal);
    // Who ever asked for an answer is told; who never did is not, and its end is quiet.
    let news = talker.answer();
    assert_eq!(news["msg_type"], "going_away");
    talker.assert_eof();
    silent.assert_eof();
    stranger.assert_eof();
    // What is under way may be finished.
    finishes.frame(&[b'x'; 100_000]);
    let receipt = finishes.answer();
    assert_eq!(
        (&receipt["ok"], &receipt["size"]),
        (&json!(true), &json!(200_000))
    );
    // What is not finished in time is refused.
    let refusal = never_ends.answer();
    assert_eq!(
        (&refusal["id"], &refusal["code"]),
        (&json!(1), &json!("going_away"))
    );
    assert_eq!(never_ends.answer()["msg_type"], "going_away");
    never_ends.assert_eof();
    drop((talker, silent, stranger, finishes, never_ends));

    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said:#?}");
    assert_eq!(uploads(home.path()), ["finishes.bin"]);
    assert_eq!(partials(home.path()), 0);
    // Served: two messages, a ping, a file.
    assert_eq!(counts(&said), [4, 0, 1, 6, 2, 1]);
}

#[test]
fn it_ends_well_on_sigterm() {
    ends_well_on(Signal::TERM);
}

#[test]
fn it_ends_well_on_sigint() {
    ends_well_on(Signal::INT);
}

#[test]
fn it_ends_at_once_when_nothing_is_under_way() {
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["--drain-timeout", "1h"]);
    let mut idle = daemon.peer();
    idle.assert_in_step();
    let begun = Instant::now();
    daemon.signal(Signal::TERM);
    assert_eq!(idle.answer()["msg_type"], "going_away");
    drop(idle);
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said:#?}");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        begun.elapsed()
    );
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(home.path(), &["--drain-timeout", "1h"]);
    let upload = begin_file(&daemon, "never-ends.bin");
    daemon.peer().assert_in_step();
    daemon.signal(Signal::TERM);
    daemon.wait_for_line(|line| line.contains("draining"));
    daemon.signal(Signal::INT);
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(130), "{said:#?}");
    assert_eq!(uploads(home.path()), Vec::<String>::new());
    drop(upload);
}

/// What one client was told before the end.
#[derive(Default)]
struct Told {
    seqs: Vec<u64>,
    files: Vec<(String, Vec<u8>)>,
}

/// Posts messages and files until the server goes away.
fn chatter(address: SocketAddr, number: usize) -> Told {
    let mut peer = Peer::connect(address);
    let mut told = Told::default();
    for round in 0.. {
        let text = format!("{number}/{round}");
        let file = round % 4 == 0;
        let header = match file {
            true => {
                json!({"msg_type": "file", "id": round, "file_name": format!("{number}.{round}")})
            }
            false => json!({"msg_type": "msg", "id": round}),
        };
        let request = [
            crate::support::frame(header.to_string().as_bytes()),
            crate::support::frame(text.as_bytes()),
        ];
        if peer.try_raw(&request.concat()).is_err() {
            return told;
        }
        let answer = match peer.try_next() {
            Ok(Some(answer)) => answer,
            Ok(None) => return told,
            // The end may come as a reset to who still sends.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return told,
            Err(error) => panic!("{error}"),
        };
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        if answer["msg_type"] == "going_away" {
            return told;
        }
        assert_eq!(answer["ok"], true, "{answer}");
        if file {
            let name = answer["name"].as_str().unwrap().to_owned();
            told.files.push((name, text.into_bytes()));
        } else {
            told.seqs.push(answer["seq"].as_u64().unwrap());
        }
    }
    told
}

#[test]
fn what_was_acknowledged_is_there_however_busy_the_end() {
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["-q"]);
    let address = daemon.address();
    let clients: Vec<_> = (0..16)
        .map(|number| thread::spawn(move || chatter(address, number)))
        .collect();
    // A while, measured in what is served.
    let mut witness = daemon.peer();
    while witness.ask_with(&json!({"msg_type": "msg", "id": 1}), b"x")["seq"].as_u64() < Some(300) {
    }
    daemon.signal(Signal::TERM);
    let told: Vec<Told> = clients
        .into_iter()
        .map(|client| client.join().unwrap())
        .collect();
    drop(witness);
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said:#?}");

    let mut seqs: Vec<u64> = told
        .iter()
        .flat_map(|told| told.seqs.iter().copied())
        .collect();
    let acknowledged = seqs.len();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), acknowledged, "a seq was told twice");
    let counts = counts(&said);
    assert!(
        counts[4] >= acknowledged as u64,
        "{counts:?}, acknowledged {acknowledged}"
    );
    let files: usize = told.iter().map(|told| told.files.len()).sum();
    assert!(counts[5] >= files as u64 && uploads(home.path()).len() as u64 == counts[5]);
    for (name, text) in told.iter().flat_map(|told| &told.files) {
        assert_eq!(
            &fs::read(home.path().join("uploads").join(name)).unwrap(),
            text,
            "{name}"
        );
    }
    // The journal knows them too: the count goes on behind the last.
    let daemon = Daemon::start(home.path(), &["-q"]);
    let next = daemon
        .peer()
        .ask_with(&json!({"msg_type": "msg", "id": 1}), b"x");
    assert_eq!(next["seq"].as_u64(), Some(counts[4] + 1));
}

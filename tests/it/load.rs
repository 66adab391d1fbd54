//! Many at once, against the real program in a process of its own: nothing is lost, every reply
//! is right, and threads stay few.

use crate::support::{Daemon, Peer, frame, proof, uploads, write_accounts};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Threads of the daemon beside its workers: acceptor, journal, printer, log, signals, the main
/// one, and a few that come and go.
const BESIDE_WORKERS: usize = 16;
const WORKERS: usize = 64;

/// Sees to it that this process may have `wanted` files open.
#[track_caller]
fn need_descriptors(wanted: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            maximum,
        };
        let result = setrlimit(Resource::Nofile, raised);
        assert!(
            result.is_ok(),
            "needs {wanted} descriptors, may have {maximum:?}: ulimit -n"
        );
    }
}

/// How many threads the daemon has.
fn threads(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/task", daemon.pid()))
        .unwrap()
        .count()
}

/// What client `number` sends as a file.
fn parcel(number: usize) -> Vec<u8> {
    let byte = (number % 251) as u8;
    (0..number * 7 % 5_000)
        .map(|at| byte.wrapping_add(at as u8))
        .collect()
}

/// Everything that client `number` asks for, in one go, with the ids 0, 1, 2, …
fn requests(number: usize) -> Vec<(Value, Option<Vec<u8>>)> {
    let text = format!("message {number}").into_bytes();
    let mut requests = vec![
        (json!({"msg_type": "ping"}), None),
        (
            json!({"msg_type": "msg", "room": format!("room-{}", number % 10)}),
            Some(text.clone()),
        ),
        (json!({"msg_type": "bot", "bot": "echo"}), Some(text)),
    ];
    if number.is_multiple_of(4) {
        let header = json!({"msg_type": "file", "file_name": format!("parcel-{number}")});
        requests.push((header, Some(parcel(number))));
    }
    // A login costs a password hash; some are enough.
    if number.is_multiple_of(40) {
        let password = proof("123");
        requests.push((
            json!({"msg_type": "login", "username": "zhangsan", "password": password}),
            None,
        ));
    }
    for (id, (header, _)) in requests.iter_mut().enumerate() {
        header["id"] = id.into();
    }
    requests
}

/// Reads the answers to `requests` and checks each; the message's seq.
fn check(peer: &mut Peer, number: usize) -> u64 {
    let mut seq = 0;
    for (id, (header, body)) in requests(number).into_iter().enumerate() {
        let answer = peer.answer();
        assert_eq!(
            (&answer["id"], &answer["ok"]),
            (&id.into(), &json!(true)),
            "{header}: {answer}"
        );
        match header["msg_type"].as_str().unwrap() {
            "msg" => seq = answer["seq"].as_u64().unwrap(),
            "bot" => assert_eq!(Some(peer.next()), body),
            "file" => assert_eq!(answer["size"].as_u64(), body.map(|body| body.len() as u64)),
            "login" => assert_eq!(answer["user"], "zhangsan"),
            _ => {}
        }
    }
    seq
}

#[test]
fn two_thousand_at_once_lose_nothing() {
    const CLIENTS: usize = 2_000;
    const SHARES: usize = 8;
    need_descriptors(CLIENTS as u64 + 256);
    let home = tempfile::tempdir().unwrap();
    write_accounts(home.path(), &[("zhangsan".to_owned(), "123".to_owned())]);
    let daemon = Daemon::start(home.path(), &["-q"]);
    let address = daemon.address();
    let all_there = Barrier::new(SHARES);
    let share = |share: usize| {
        let numbers = (share..CLIENTS).step_by(SHARES);
        let mut peers: Vec<_> = numbers
            .map(|number| (number, Peer::connect(address)))
            .collect();
        all_there.wait();
        for (number, peer) in &mut peers {
            let requests = requests(*number).into_iter().map(|(header, body)| {
                let header = frame(header.to_string().as_bytes());
                [header, body.map(|body| frame(&body)).unwrap_or_default()].concat()
            });
            peer.raw(&requests.collect::<Vec<_>>().concat());
        }
        peers
            .iter_mut()
            .map(|(number, peer)| check(peer, *number))
            .collect::<Vec<_>>()
    };
    let mut seqs = HashSet::new();
    thread::scope(|scope| {
        let shares: Vec<_> = (0..SHARES)
            .map(|number| scope.spawn(move || share(number)))
            .collect();
        for share in shares {
            seqs.extend(share.join().unwrap());
        }
    });
    assert_eq!(
        seqs,
        (1..=CLIENTS as u64).collect(),
        "every seq once, none left out"
    );
    assert!(
        threads(&daemon) <= WORKERS + BESIDE_WORKERS,
        "{} threads",
        threads(&daemon)
    );
    assert_files(home.path(), CLIENTS);
}

/// Every parcel is there, byte for byte, and nothing else.
#[track_caller]
fn assert_files(home: &Path, clients: usize) {
    let sent: Vec<_> = (0..clients).step_by(4).collect();
    assert_eq!(uploads(home).len(), sent.len());
    for number in sent {
        let stored = fs::read(home.join(format!("uploads/parcel-{number}"))).unwrap();
        assert!(stored == parcel(number), "parcel {number} differs");
    }
}

#[test]
fn five_thousand_idle_connections_hold_nobody_up() {
    const IDLE: usize = 5_000;
    need_descriptors(IDLE as u64 + 256);
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["-q"]);
    let idle: Vec<_> = (0..IDLE).map(|_| daemon.peer()).collect();
    let begun = Instant::now();
    for _ in 0..10 {
        daemon.peer().assert_in_step();
    }
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "ten newcomers: {:?}",
        begun.elapsed()
    );
    assert!(
        threads(&daemon) <= WORKERS + BESIDE_WORKERS,
        "{} threads",
        threads(&daemon)
    );
    // They are all served still.
    for mut peer in idle.into_iter().step_by(500) {
        peer.assert_in_step();
    }
}

//! What may hold up the end, and what may not.

use super::SLACK;
use crate::support::{Daemon, frame, write_accounts};
use crate::trial::last_line::Counts;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use serde_json::json;
use std::fs::File;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

#[test]
fn what_is_stuck_at_the_end_is_counted_and_does_not_hold_it_up() {
    let home = tempfile::tempdir().unwrap();
    write_accounts(home.path(), &[("zhangsan".to_owned(), "123".to_owned())]);
    let daemon = Daemon::start(home.path(), &["--drain-timeout=1s"]);
    // Another program holds the accounts: a login in the course's form, which is to be replaced by
    // its Argon2id form, waits for it longer than this drain lasts.
    let lock = File::create(home.path().join("users.txt.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let mut peer = daemon.peer();
    let login = crate::support::proof("123");
    peer.header(&json!({"msg_type": "login", "id": 1, "username": "zhangsan", "password": login}));
    let begun = Instant::now();
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.wait();
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(75), "{said:#?}");
    assert!(took < Duration::from_secs(2) + SLACK, "it took {took:?}");
    let counts = Counts::in_lines(&said);
    // The connection, and the thread that serves it.
    assert_eq!((counts.stuck, counts.connections), (2, 1), "{said:#?}");
}

#[test]
fn who_never_reads_holds_up_no_end() {
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["--drain-timeout=2s", "--max-outbox=4KiB"]);
    let mut peer = daemon.peer();
    let ping = json!({"msg_type": "ping", "id": "x".repeat(100)}).to_string();
    let pings = frame(ping.as_bytes()).repeat(1_000);
    let patience = Some(Duration::from_millis(300));
    peer.stream().set_write_timeout(patience).unwrap();
    // Until what it is owed has no room any more, neither there nor on the way.
    let error = loop {
        if let Err(error) = peer.try_raw(&pings) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let begun = Instant::now();
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.wait();
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(0), "{said:#?}");
    assert!(took < Duration::from_secs(2) + SLACK, "it took {took:?}");
    let counts = Counts::in_lines(&said);
    assert_eq!((counts.stuck, counts.connections), (0, 1), "{said:#?}");
    drop(peer);
}

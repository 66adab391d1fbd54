//! A thousand readers in one room, the processes of ten of whom are stopped: they cost little memory, and
//! the others get everything in its order, as do those ten once they go on.

use super::{CROWDED, LONG, OTHER_FILES};
use crate::follow::run::Running;
use crate::support::{Daemon, Peer};
use crate::trial::process::{peak_memory, raise_open_files};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::mpsc::channel;
use std::thread;

/// Readers in this process, and those that are stopped.
const READERS: usize = 990;
const STOPPED: usize = 10;

/// Threads that read for the readers.
const THREADS: usize = 6;

/// What is posted: so many times so many messages of so many bytes each, more than the outbox of one
/// reader and the sockets on its way can hold.
const ROUNDS: usize = 24;
const MESSAGES: usize = 8;
const TEXT: usize = 16 << 10;

/// What a stalled reader may cost, in bytes.
const COST: u64 = 2 << 20;

/// What the daemon may need more than it did, with ten more readers and none of them stalled.
const SLACK: u64 = 4 << 20;

/// Reads what one reader is told of `MESSAGES` messages after the seq `last`.
#[track_caller]
fn read_some(peer: &mut Peer, last: u64) {
    for seq in last + 1..=last + MESSAGES as u64 {
        let push = peer.answer();
        assert_eq!(
            (&push["msg_type"], &push["seq"]),
            (&json!("msg"), &json!(seq))
        );
        assert_eq!(push["prev"], seq - 1, "{push}");
        assert_eq!(peer.next().len(), TEXT);
    }
}

/// Posts `ROUNDS` times after the seq `last`, each time when everybody has read the last. Returns the
/// last seq.
#[track_caller]
fn post_and_read(poster: &mut Peer, readers: &mut [Peer], mut last: u64) -> u64 {
    let each = readers.len().div_ceil(THREADS);
    let text = vec![b'x'; TEXT];
    thread::scope(|scope| {
        let (done, is_done) = channel();
        let mut threads = Vec::new();
        for readers in readers.chunks_mut(each) {
            let (sender, posted) = channel();
            let done = done.clone();
            scope.spawn(move || {
                for last in posted {
                    readers
                        .iter_mut()
                        .for_each(|reader| read_some(reader, last));
                    // Whoever waits may have waited too long.
                    let _ = done.send(());
                }
            });
            threads.push(sender);
        }
        for _ in 0..ROUNDS {
            for _ in 0..MESSAGES {
                let header = json!({"msg_type": "msg", "id": 1, "room": "a"});
                let answer = poster.ask_with(&header, &text);
                assert_eq!(answer["ok"], true, "{answer}");
            }
            for thread in &threads {
                thread.send(last).expect("it reads");
            }
            for _ in &threads {
                is_done.recv_timeout(LONG).expect("all is read");
            }
            last += MESSAGES as u64;
        }
    });
    last
}

#[test]
fn stopped_readers_cost_little_and_hold_nobody_up() {
    let _alone = CROWDED.lock();
    raise_open_files(READERS as u64 + OTHER_FILES);
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["-q", "--print=false"]);
    let join = |_| {
        let mut peer = daemon.peer();
        peer.stream().set_read_timeout(Some(LONG)).unwrap();
        let answer = peer.ask(&json!({"msg_type": "join", "id": 1, "room": "a"}));
        assert_eq!(answer["ok"], true, "{answer}");
        peer
    };
    let mut readers: Vec<_> = (0..READERS).map(join).collect();
    let mut poster = daemon.peer();
    let last = post_and_read(&mut poster, &mut readers, 0);

    let address = daemon.address().to_string();
    let tail = |_| Running::start(&address, &["tail", "a", "-n", "1", "--json"]);
    let mut stopped: Vec<_> = (0..STOPPED).map(tail).collect();
    for tail in &mut stopped {
        assert_eq!(seq(&tail.line()), last);
        tail.signal(Signal::STOP);
    }
    let before = peak_memory(daemon.pid());
    let end = post_and_read(&mut poster, &mut readers, last);
    let cost = peak_memory(daemon.pid()).saturating_sub(before);
    println!("{} KiB for {STOPPED} stalled readers", cost >> 10);
    assert!(cost < STOPPED as u64 * COST + SLACK, "{cost} bytes");

    for tail in &mut stopped {
        tail.signal(Signal::CONT);
        for expected in last + 1..=end {
            assert_eq!(seq(&tail.line()), expected);
        }
    }
}

#[track_caller]
fn seq(line: &str) -> u64 {
    let message: Value = serde_json::from_str(line).unwrap();
    message["seq"].as_u64().unwrap_or_else(|| panic!("{line}"))
}

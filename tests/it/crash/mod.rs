//! The real program killed at any moment, again and again, while clients send: each resends what
//! was not answered, under the same key, once there is a server again. Everything acknowledged is
//! there once, nothing is there twice or in part, and every start succeeds.
//!
//! A kill leaves the page cache alone, so this proves the order of what is done, not the syncs.

pub(crate) mod sender;

use crate::support::{Daemon, PATIENCE, partials, uploads};
use crate::trial::chance::Chance;
use crate::trial::process::serve;
use crate::trial::{content, journal};
use rustix::process::Signal;
use sender::Sender;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// The variable that says how many times to kill it.
const CYCLES: &str = "GATEPOST_TEST_CYCLES";

/// How many times it is killed unless that says otherwise.
const DEFAULT_CYCLES: u64 = 20;

/// Clients that send at once.
const SENDERS: u64 = 6;

/// A kill comes after at most so many receipts, and then at most so much later.
const RECEIPTS: u64 = 400;
const LATER: u64 = 3_000;

/// A kill in the middle of a start comes so much later at most. (µs, as above.)
const START: u64 = 40_000;

#[test]
fn whatever_was_acknowledged_outlives_a_kill_at_any_moment() {
    let seed = Chance::seed();
    // Shown when it fails. The moments are drawn from it; what they meet is up to the machine.
    println!("{}", Chance::how_to_repeat(seed));
    let mut chance = Chance::new(seed);
    let cycles = std::env::var(CYCLES).map_or(DEFAULT_CYCLES, |cycles| cycles.parse().unwrap());
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut senders: Vec<_> = (0..SENDERS)
        .map(|number| Sender::new(seed, number))
        .collect();
    let mut kept = Kept::default();
    for _ in 0..cycles {
        if chance.below(3) == 0 {
            kill_a_start(home.path(), Duration::from_micros(chance.below(START)));
        }
        let daemon = Daemon::start(home.path(), &["-q", "--print=false"]);
        kept.check(&daemon, home.path(), &senders);
        let receipts = chance.below(RECEIPTS);
        let later = Duration::from_micros(chance.below(LATER));
        senders = send_until_killed(daemon, senders, receipts, later);
    }

    let mut daemon = Daemon::start(home.path(), &["-q", "--print=false"]);
    kept.check(&daemon, home.path(), &senders);
    for sender in &mut senders {
        sender.finish(daemon.peer());
    }
    daemon = stop_and_start(daemon, home.path());
    kept.files.clear();
    kept.check(&daemon, home.path(), &senders);
    let known = senders
        .iter()
        .map(|sender| sender.messages.len())
        .sum::<usize>();
    assert_eq!(
        journal::count(home.path()),
        known,
        "now every message is known to its sender"
    );
}

/// Kills a daemon that was just started, wherever it is by then.
fn kill_a_start(home: &Path, after: Duration) {
    let mut command = serve(home);
    command.args(["-qq", "--listen=framed://127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    // The moment is drawn, so nothing tells of it.
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Lets everybody send, and kills the daemon once there were so many receipts, and a little later.
pub(crate) fn send_until_killed(
    daemon: Daemon,
    senders: Vec<Sender>,
    receipts: u64,
    later: Duration,
) -> Vec<Sender> {
    let (receipt, arrived) = channel();
    let start = |mut sender: Sender| {
        let (receipt, peer) = (receipt.clone(), daemon.peer());
        thread::spawn(move || {
            // Whoever counts them may have counted enough.
            sender.send(peer, || {
                let _ = receipt.send(());
            });
            sender
        })
    };
    let threads: Vec<_> = senders.into_iter().map(start).collect();
    drop(receipt);
    for _ in 0..receipts {
        arrived.recv_timeout(PATIENCE).expect("receipts arrive");
    }
    thread::sleep(later);
    daemon.signal(Signal::KILL);
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), None, "it ended by itself: {said:#?}");
    let join = |thread: thread::JoinHandle<Sender>| thread.join().expect("nothing was refused");
    threads.into_iter().map(join).collect()
}

fn stop_and_start(daemon: Daemon, home: &Path) -> Daemon {
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said:#?}");
    Daemon::start(home, &["-q"])
}

/// What was found so far.
#[derive(Default)]
struct Kept {
    /// The store's id.
    store: Option<String>,
    /// Files that were compared; they are not written to again.
    files: HashSet<String>,
}

impl Kept {
    /// Compares what is in `home`, while nobody sends, with what the senders were told.
    #[track_caller]
    fn check(&mut self, daemon: &Daemon, home: &Path, senders: &[Sender]) {
        let hello = daemon.peer().ask(&json!({"msg_type": "hello", "id": 1}));
        let store = hello["store"].as_str().unwrap();
        assert_eq!(self.store.get_or_insert_with(|| store.to_owned()), store);
        check_messages(home, senders);
        self.check_files(home, senders);
        assert_eq!(partials(home), 0);
    }

    #[track_caller]
    fn check_files(&mut self, home: &Path, senders: &[Sender]) {
        let visible = uploads(home);
        // Acknowledged or not: whatever can be seen is whole.
        for name in &visible {
            if self.files.insert(name.clone()) {
                let (seed, size) = sender::parcel_of(senders, name);
                content::assert_file(&home.join("uploads").join(name), seed, size as u64);
            }
        }
        let visible: HashSet<_> = visible.into_iter().collect();
        for (asked, name) in senders.iter().flat_map(|sender| &sender.files) {
            assert!(visible.contains(name), "{name:?} is lost");
            let found = sender::parcel_of(senders, name);
            assert_eq!(
                found,
                sender::parcel_of(senders, asked),
                "{asked:?} as {name:?}"
            );
        }
    }
}

#[track_caller]
fn check_messages(home: &Path, senders: &[Sender]) {
    let mut found = HashMap::new();
    for message in journal::read(home) {
        let key = message.key.clone().expect("every message has a key");
        let expected = sender::text_of(&key);
        assert_eq!(message.text, expected, "{key}");
        let twice = found.insert(key, message);
        assert!(twice.is_none(), "twice in gatepost.db: {twice:?}");
    }
    for (key, seq) in senders.iter().flat_map(|sender| &sender.messages) {
        let message = found.get(key).unwrap_or_else(|| panic!("{key} is lost"));
        assert_eq!(message.seq, *seq, "{key}");
    }
}

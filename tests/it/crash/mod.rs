//! The real program killed at any moment, again and again, while clients send: each resends what
//! was not answered, under the same key, once there is a server again. Everything acknowledged is
//! there once, nothing is there twice or in part, and every start succeeds.
//!
//! A kill leaves the page cache alone, so this proves the order of what is done, not the syncs.

pub(crate) mod request;
pub(crate) mod sender;
mod uploads;

use crate::support::{Daemon, PATIENCE, partials, uploads};
use crate::trial::chance::Chance;
use crate::trial::journal;
use crate::trial::process::serve;
use request::{room_of, text_of};
use rustix::process::Signal;
use sender::{Sender, parcel_of};
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
const SENDERS: u64 = 64;

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
    // From the beginning, once more.
    kept.files.clear();
    kept.last = 0;
    kept.messages = 0;
    kept.check(&daemon, home.path(), &senders);
    assert_eq!(partials(home.path()), 0);
    let resumed: usize = senders.iter().map(|sender| sender.resumed).sum();
    println!("{resumed} files were gone on with in their middle");
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
        let (receipt, address) = (receipt.clone(), daemon.address());
        thread::spawn(move || {
            // Whoever counts them may have counted enough.
            sender.send(address, || {
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
    /// The last message that was compared, and how many there are up to it; they don't change any
    /// more.
    last: u64,
    messages: usize,
    /// Files that were compared; they are not written to again.
    files: HashSet<String>,
    /// For each sender, how many of its receipts were compared.
    receipts: HashMap<usize, (usize, usize)>,
}

impl Kept {
    /// Compares what is in `home`, while nobody sends, with what the senders were told.
    #[track_caller]
    fn check(&mut self, daemon: &Daemon, home: &Path, senders: &[Sender]) {
        let hello = daemon.peer().ask(&json!({"msg_type": "hello", "id": 1}));
        let store = hello["store"].as_str().unwrap();
        assert_eq!(self.store.get_or_insert_with(|| store.to_owned()), store);
        if self.last == 0 {
            self.receipts.clear();
        }
        let receipts: Vec<_> = (0..senders.len())
            .map(|place| self.receipts.get(&place).copied().unwrap_or_default())
            .collect();
        self.check_messages(home, senders, &receipts);
        self.check_files(home, senders, &receipts);
        for (place, sender) in senders.iter().enumerate() {
            let seen = (sender.messages.len(), sender.files.len());
            self.receipts.insert(place, seen);
        }
    }

    #[track_caller]
    fn check_messages(&mut self, home: &Path, senders: &[Sender], seen: &[(usize, usize)]) {
        let mut found = HashMap::new();
        for message in journal::read_after(home, self.last) {
            let key = message.key.clone().expect("every message has a key");
            assert_eq!(message.room, room_of(&key), "{key}");
            match &message.file {
                Some(name) => assert_eq!(parcel_of(senders, name), parcel_of(senders, &key)),
                None => assert_eq!(message.text, text_of(&key), "{key}"),
            }
            let twice = found.insert(key, message);
            assert!(twice.is_none(), "twice in gatepost.db: {twice:?}");
        }
        let before = self.last;
        for (sender, (seen, _)) in senders.iter().zip(seen) {
            for (key, seq) in &sender.messages[*seen..] {
                // A receipt may be a late one, for what was found before.
                let is_late = *seq <= before;
                let message = found.get(key);
                assert!(is_late || message.is_some(), "{key} is lost");
                assert!(message.is_none_or(|message| message.seq == *seq), "{key}");
            }
        }
        self.last = found
            .values()
            .map(|message| message.seq)
            .fold(before, u64::max);
        self.messages += found.len();
        assert_eq!(
            journal::count(home),
            self.messages,
            "what was there is gone"
        );
    }

    #[track_caller]
    fn check_files(&mut self, home: &Path, senders: &[Sender], seen: &[(usize, usize)]) {
        let visible = uploads(home);
        // Acknowledged or not: whatever can be seen is whole.
        for name in &visible {
            if self.files.insert(name.clone()) {
                let parcel = parcel_of(senders, name);
                let found = std::fs::read(home.join("uploads").join(name)).unwrap();
                assert!(found == parcel.bytes(), "{name:?} is not whole: {parcel:?}");
                assert!(
                    !parcel.is_proven() || !name.contains(" ("),
                    "{name:?}: twice"
                );
            }
        }
        let visible: HashSet<_> = visible.into_iter().collect();
        let lost = self.files.iter().find(|name| !visible.contains(*name));
        assert_eq!(lost, None, "it was there before");
        for (sender, (_, seen)) in senders.iter().zip(seen) {
            for (asked, name) in &sender.files[*seen..] {
                assert!(visible.contains(name), "{name:?} is lost");
                let found = parcel_of(senders, name);
                assert_eq!(found, parcel_of(senders, asked), "{asked:?} as {name:?}");
            }
        }
    }
}

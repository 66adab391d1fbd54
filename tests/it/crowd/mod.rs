//! Many at once, against the real program in a process of its own: two thousand clients that want
//! everything, of whom each is answered rightly and nothing is lost, and in `idle` five thousand
//! that want nothing, in `readers` a thousand in one room.

mod client;
mod idle;
mod readers;
mod script;

use crate::support::{Daemon, Peer, partials, uploads};
use crate::trial::last_line::Counts;
use crate::trial::process::{peak_memory, raise_open_files, threads};
use crate::trial::{content, journal};
use client::{Posted, Told};
use parking_lot::Mutex;
use rustix::process::Signal;
use std::collections::HashMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Clients at once.
const CLIENTS: usize = 2_000;

/// Open files that this process needs beside its many connections: other tests run meanwhile.
const OTHER_FILES: u64 = 2_048;

/// The daemon's threads that serve no connection: the main one, the acceptor, the journal, those
/// that make checkpoints and look for damage, those that write standard output and the log, and
/// four that hear signals and act on them; one that publishes files, one that digests what was placed
/// by hand, eight that sync, and one that looks at the accounts.
const BESIDE_WORKERS: usize = 23;

/// The most memory that the daemon may ever have with all of them there, and on top of it for each
/// password hash that may be computed at once: one a core, 19 MiB each.
const MEMORY: u64 = 96 << 20;
const MEMORY_OF_A_HASH: u64 = 20 << 20;

/// How long a client of many waits for what comes at once to a single one.
const LONG: Duration = Duration::from_secs(120);

/// Tests with thousands of open files, one at a time.
pub(crate) static CROWDED: Mutex<()> = Mutex::new(());

#[test]
fn two_thousand_at_once_are_served_and_nothing_is_lost() {
    let _alone = CROWDED.lock();
    raise_open_files(CLIENTS as u64 + OTHER_FILES);
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("users.txt"), script::accounts(CLIENTS)).unwrap();
    let daemon = Daemon::start(home.path(), &["-q", "--print=false"]);
    let (told, most_threads) = watch_threads(&daemon, || play_all(&daemon));
    let memory = peak_memory(daemon.pid());
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said:#?}");

    let workers = gatepost::config::Limits::default().workers;
    assert!(
        most_threads.len() <= workers + BESIDE_WORKERS,
        "{most_threads:?}"
    );
    let hashes = thread::available_parallelism().map_or(1, usize::from) as u64;
    let allowed = MEMORY + hashes * MEMORY_OF_A_HASH;
    assert!(memory < allowed, "{} MiB at its peak", memory >> 20);
    assert_counts(&told, &Counts::in_lines(&said));
    assert_files(home.path(), &told);
    assert_messages(home.path(), &told);
    assert_accounts(home.path());
}

/// Plays all clients, each on a thread of its own, none before all are connected.
fn play_all(daemon: &Daemon) -> Vec<Told> {
    let all_there = Barrier::new(CLIENTS);
    let play = |number: usize, mut peer: Peer| {
        all_there.wait();
        client::play(number, &mut peer)
    };
    let connect = |_| {
        let peer = daemon.peer();
        peer.stream().set_read_timeout(Some(LONG)).unwrap();
        peer.stream().set_write_timeout(Some(LONG)).unwrap();
        peer
    };
    let peers: Vec<_> = (0..CLIENTS).map(connect).collect();
    thread::scope(|scope| {
        let start = |(number, peer)| {
            // They are many, and need little.
            let thread = thread::Builder::new().stack_size(256 << 10);
            let play = &play;
            thread
                .spawn_scoped(scope, move || play(number, peer))
                .unwrap()
        };
        let threads: Vec<_> = peers.into_iter().enumerate().map(start).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Told>| thread.join().unwrap();
        threads.into_iter().map(join).collect()
    })
}

/// Looks at the daemon's threads now and then while `run` runs: the most there ever were.
fn watch_threads<T>(daemon: &Daemon, run: impl FnOnce() -> T) -> (T, Vec<String>) {
    let (pid, is_over) = (daemon.pid(), AtomicBool::new(false));
    thread::scope(|scope| {
        let watch = || {
            let mut most = threads(pid);
            while !is_over.load(Ordering::Relaxed) {
                let now = threads(pid);
                if now.len() > most.len() {
                    most = now;
                }
                // Often enough, without taking much of the processor from what is watched.
                thread::sleep(Duration::from_millis(20));
            }
            most
        };
        let watcher = scope.spawn(watch);
        // Whichever way it ends: a failure must not leave the watcher watching for ever.
        let result = catch_unwind(AssertUnwindSafe(run));
        is_over.store(true, Ordering::Relaxed);
        let most = watcher.join().unwrap();
        (result.unwrap_or_else(|panic| resume_unwind(panic)), most)
    })
}

#[track_caller]
fn assert_counts(told: &[Told], counts: &Counts) {
    let sum = |count: fn(&Told) -> usize| told.iter().map(count).sum();
    let expected = Counts {
        served: sum(|told| told.served),
        refused: sum(|told| told.refused),
        cut_off: 0,
        connections: told.len(),
        messages: sum(|told| told.messages.len()),
        files: sum(|told| told.files.len()),
        stuck: 0,
    };
    assert_eq!(*counts, expected);
}

/// Every file is there, byte for byte, and nothing else.
#[track_caller]
fn assert_files(home: &Path, told: &[Told]) {
    let mut names = Vec::new();
    for (name, seed, size) in told.iter().flat_map(|told| &told.files) {
        content::assert_file(&home.join("uploads").join(name), *seed, *size as u64);
        names.push(name.clone());
    }
    names.sort();
    assert_eq!(uploads(home), names);
    assert_eq!(partials(home), 0);
}

/// Every message is there once, as its receipt said, and nothing else; those of one client in one
/// room in the order in which it sent them.
#[track_caller]
fn assert_messages(home: &Path, told: &[Told]) {
    let found = journal::by_text(journal::read(home));
    assert_eq!(
        found.len(),
        told.iter().map(|told| told.messages.len()).sum::<usize>()
    );
    for told in told {
        let mut last: HashMap<&str, u64> = HashMap::new();
        for Posted {
            room,
            text,
            from,
            receipt,
        } in &told.messages
        {
            let found = found
                .get(text)
                .unwrap_or_else(|| panic!("{text:?} is lost"));
            assert_eq!((&found.room, &found.from), (room, from), "{text:?}");
            if let Some((seq, prev, time)) = receipt {
                let kept = (found.seq, found.prev, &found.time);
                assert_eq!(kept, (*seq, *prev, time), "{text:?}");
            }
            let before = last.insert(room, found.seq).unwrap_or(0);
            assert!(found.seq > before, "{text:?} overtook");
        }
    }
}

/// Every account is there still, and has got its Argon2id form.
#[track_caller]
fn assert_accounts(home: &Path) {
    let accounts = fs::read_to_string(home.join("users.txt")).unwrap();
    let mut names: Vec<_> = accounts
        .lines()
        .map(|line| {
            let (name, secret) = line.split_once('|').unwrap();
            assert!(secret.starts_with("$argon2id$"), "{line}");
            name.to_owned()
        })
        .collect();
    names.sort();
    let mut expected: Vec<_> = (0..CLIENTS)
        .step_by(script::LOGIN_EVERY)
        .map(script::user)
        .collect();
    expected.sort();
    assert_eq!(names, expected);
}

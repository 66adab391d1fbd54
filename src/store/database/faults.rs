//! The journal with commits that fail on demand: who is told what, and what the file then holds.

use super::committed::Committed;
use super::fault::Fault;
use super::fence::Fence;
use super::journal::{Job, Journal, Post, commit};
use super::{Readers, checkpoint, opening, pages};
use crate::store::conformance::{Desk, Told, message, pending};
use crate::store::search::Index;
use crate::store::{NewMessage, Query, Range, StoreError};
use crate::time::{Clock, Random};
use crate::wire::{Code, RoomName};
use parking_lot::Mutex;
use rusqlite::{Connection, Error, ffi};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use tempfile::TempDir;

/// What a commit does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// It ends with this code of SQLite's, and nothing is committed.
    Code(i32),
    Panic,
}

const FULL: Wrong = Wrong::Code(ffi::SQLITE_FULL);
const NO_SYNC: Wrong = Wrong::Code(ffi::SQLITE_IOERR_FSYNC);

#[derive(Debug, Default)]
struct Script {
    wrong: VecDeque<Wrong>,
    commits: usize,
}

/// A journal on the test's own thread, so that the test says what is one batch.
struct Bench {
    journal: Journal,
    script: Arc<Mutex<Script>>,
    _checkpoints: JoinHandle<()>,
    home: TempDir,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().canonicalize().unwrap();
        let opened = opening::open(&path, &Random::system()).unwrap();
        let fence = Arc::new(Fence::new(path.clone()));
        let (trigger, checkpoints) = checkpoint::start(path.clone(), Arc::clone(&fence)).unwrap();
        let script = Arc::<Mutex<Script>>::default();
        let (asked, mut commit) = (Arc::clone(&script), commit());
        let fail_or_commit = move |connection: &Connection| {
            let wrong = {
                let mut script = asked.lock();
                script.commits += 1;
                script.wrong.pop_front()
            };
            match wrong {
                Some(Wrong::Code(code)) => Err(Error::SqliteFailure(ffi::Error::new(code), None)),
                Some(Wrong::Panic) => panic!("a fault in the journal thread"),
                None => commit(connection),
            }
        };
        let readers = Arc::new(Readers::new(path.clone(), Arc::clone(&fence)));
        let texts = Box::new(Committed(Arc::clone(&readers)));
        let index = Index::open(&path, &opened.id, texts).unwrap();
        let journal = Journal {
            readers,
            index: Arc::new(index),
            home: path,
            connection: Some(opened.connection),
            counters: opened.counters,
            clock: Clock::system(),
            fence,
            trigger,
            witness: Arc::default(),
            commit: Box::new(fail_or_commit),
            alarm: None,
            refused: 0,
        };
        Self {
            journal,
            script,
            _checkpoints: checkpoints,
            home,
        }
    }

    fn fail(&self, wrong: &[Wrong]) {
        self.script.lock().wrong.extend(wrong);
    }

    fn commits(&self) -> usize {
        self.script.lock().commits
    }

    /// Commits `messages` as one batch. Returns the seq that each was told, or the code.
    fn batch(&mut self, messages: Vec<NewMessage>) -> Vec<Result<u64, Code>> {
        let (jobs, receiver) = crossbeam_channel::unbounded();
        let desk = Desk::new();
        let slots = messages.len() as u64;
        for (slot, message) in (0..).zip(messages) {
            let pending = Some(pending(&desk, slot));
            jobs.send(Job::Post(Post { message, pending })).unwrap();
        }
        jobs.send(Job::Close).unwrap();
        self.journal.run(&receiver);
        let mut told: Vec<Told> = (0..slots).map(|_| desk.told()).collect();
        assert!(desk.is_empty());
        told.sort_unstable_by_key(|told| told.slot);
        let seq = |told: Told| told.receipt.map(|receipt| receipt.seq);
        told.into_iter().map(seq).collect()
    }

    fn post(&mut self, key: &str) -> Result<u64, Code> {
        self.batch(vec![message("a", "", key, "text")]).remove(0)
    }

    /// The seqs in the file.
    fn seqs(&self) -> Vec<u64> {
        let query = Query {
            room: RoomName::new("a").unwrap(),
            range: Range::After(0),
            limit: usize::MAX,
            max_bytes: usize::MAX,
            search: None,
        };
        let page = |connection: &Connection| pages::page(connection, &query);
        let found = self.journal.readers.read(page).unwrap();
        found
            .page
            .messages
            .iter()
            .map(|message| message.seq)
            .collect()
    }
}

#[test]
fn a_batch_is_one_commit_and_a_resend_in_it_is_told_the_same() {
    let mut bench = Bench::new();
    let keys = ["k", "k", "", "k", "l"];
    let batch = keys.iter().map(|key| message("a", "", key, "")).collect();
    assert_eq!(bench.batch(batch), [1, 1, 2, 1, 3].map(Ok));
    assert_eq!(bench.commits(), 1);
}

#[test]
fn a_batch_ends_at_its_bounds() {
    let mut bench = Bench::new();
    let messages = |count, text: &str| (0..count).map(|_| message("a", "", "", text)).collect();
    assert_eq!(bench.batch(messages(1025, "")).len(), 1025);
    assert_eq!(bench.commits(), 2);
    bench.batch(messages(10, &"x".repeat(2 << 20)));
    assert_eq!(bench.commits(), 5);
}

#[test]
fn a_full_disk_refuses_and_heals_without_a_trace() {
    let mut bench = Bench::new();
    assert_eq!(bench.post("k"), Ok(1));
    bench.fail(&[FULL, FULL]);
    let full = vec![message("a", "", "l", ""), message("a", "", "l", "")];
    assert_eq!(bench.batch(full), [Err(Code::NoSpace), Err(Code::NoSpace)]);
    assert_eq!(bench.seqs(), [1]);
    // What is durable is told even now; what is not is refused again.
    let mixed = vec![
        message("a", "", "m", ""),
        message("a", "", "k", ""),
        message("a", "", "m", ""),
    ];
    let refused = Err(Code::NoSpace);
    assert_eq!(bench.batch(mixed), [refused, Ok(1), refused]);
    // The key of a refused message was not used up, and no seq is given twice.
    let seq = bench.post("l").unwrap();
    assert!(seq > 3);
    assert_eq!(bench.seqs(), [1, seq]);
    assert_eq!(bench.post("l"), Ok(seq));
}

#[test]
fn space_that_ends_in_the_middle_of_a_batch_refuses_all_of_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.post("k"), Ok(1));
    // SQLite's own refusal: the file may not grow.
    let connection = bench.journal.connection.as_ref().unwrap();
    connection.pragma_update(None, "max_page_count", 1).unwrap();
    let text = "x".repeat(100_000);
    let mixed = vec![
        message("a", "", "k", ""),
        message("a", "", "", "small"),
        message("a", "", "", &text),
        message("a", "", "k", ""),
        message("a", "", "", "after"),
    ];
    let refused = Err(Code::NoSpace);
    assert_eq!(
        bench.batch(mixed),
        [Ok(1), refused, refused, Ok(1), refused]
    );
    assert_eq!(bench.seqs(), [1]);
    // The next one has a connection of its own, which knows of no bound.
    let seq = bench.post("").unwrap();
    assert_eq!(bench.seqs(), [1, seq]);
}

#[test]
fn any_other_failure_fences_until_a_restart() {
    for wrong in [NO_SYNC, Wrong::Code(ffi::SQLITE_CORRUPT)] {
        let mut bench = Bench::new();
        assert_eq!(bench.post("k"), Ok(1));
        bench.fail(&[wrong]);
        let fenced = Err(Code::GoingAway);
        assert_eq!(bench.post("l"), fenced);
        // The disk would work again, but it is not asked. What is durable is told.
        let before = bench.commits();
        assert_eq!([bench.post("m"), bench.post("l")], [fenced, fenced]);
        assert_eq!(bench.post("k"), Ok(1));
        assert_eq!((bench.commits(), bench.seqs()), (before, vec![1]));
    }
}

#[test]
fn a_change_is_told_why_its_commit_failed() {
    for (wrong, expected) in [(FULL, Fault::NoSpace), (NO_SYNC, Fault::Broken)] {
        let mut bench = Bench::new();
        bench.fail(&[wrong]);
        let (jobs, receiver) = crossbeam_channel::unbounded();
        let (sender, told) = crossbeam_channel::bounded(2);
        for _ in 0..2 {
            let sender = sender.clone();
            let change = super::change::pack(
                |writing| writing.post(message("a", "", "", "")),
                move |result| sender.send(result).unwrap(),
            );
            jobs.send(Job::Change(change)).unwrap();
        }
        jobs.send(Job::Close).unwrap();
        bench.journal.run(&receiver);
        let results: Vec<_> = told.try_iter().collect();
        assert_eq!(results.len(), 2);
        for result in results {
            let is_full = matches!(result, Err(StoreError::NoSpace));
            assert_eq!(is_full, expected == Fault::NoSpace, "{result:?}");
            assert!(result.is_err());
        }
        assert!(bench.seqs().is_empty());
    }
}

#[test]
fn a_panic_in_the_thread_hangs_nobody_and_fences() {
    let mut bench = Bench::new();
    assert_eq!(bench.post("k"), Ok(1));
    bench.fail(&[Wrong::Panic]);
    let Bench { journal, home, .. } = bench;
    let (jobs, receiver) = crossbeam_channel::unbounded();
    let thread = std::thread::spawn(move || journal.serve(&receiver));
    let desk = Desk::new();
    let post = |slot, key| {
        let (message, pending) = (message("a", "", key, ""), Some(pending(&desk, slot)));
        jobs.send(Job::Post(Post { message, pending })).unwrap();
        desk.told().receipt.map(|receipt| receipt.seq)
    };
    assert_eq!(post(0, ""), Err(Code::Internal));
    assert_eq!(post(1, ""), Err(Code::GoingAway));
    assert_eq!(post(2, "k"), Ok(1));
    jobs.send(Job::Close).unwrap();
    thread.join().unwrap();
    drop(home);
}

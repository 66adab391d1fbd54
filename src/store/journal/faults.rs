//! The journal on a disk that fails on demand: who is told what, and what the file then holds.

use super::disk::Disk;
use super::writer::Writer;
use super::{Job, Journal, Post, record, scan};
use crate::store::conformance::{Desk, Told, message, pending};
use crate::store::ledger::Ledger;
use crate::store::{Messages, NewMessage};
use crate::time::Clock;
use crate::wire::Code;
use parking_lot::Mutex;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// What a call on the disk does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Append(Errno),
    Sync(Errno),
    Truncate(Errno),
    Panic,
}

/// A file in memory, shared with the test, whose calls fail in the order of `faults`.
#[derive(Debug, Clone, Default)]
struct Script(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    faults: VecDeque<Fault>,
    syncs: usize,
    /// Whether a sync failed by the handle in use.
    spoilt: bool,
}

impl State {
    fn fail(&mut self, fault: impl Fn(Errno) -> Fault) -> io::Result<()> {
        match self.faults.front().copied() {
            Some(Fault::Panic) => {
                self.faults.pop_front();
                panic!("a fault in the journal thread");
            }
            Some(Fault::Append(errno) | Fault::Sync(errno) | Fault::Truncate(errno))
                if self.faults.front() == Some(&fault(errno)) =>
            {
                self.faults.pop_front();
                Err(errno.into())
            }
            _ => Ok(()),
        }
    }
}

impl Disk for Script {
    fn append(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        let failed = state.fail(Fault::Append);
        let written = bytes.len() / if failed.is_err() { 2 } else { 1 };
        state.bytes.truncate(at as usize);
        state.bytes.extend_from_slice(&bytes[..written]);
        failed
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.lock();
        assert!(!state.spoilt, "a failed sync is never tried again");
        let failed = state.fail(Fault::Sync);
        state.spoilt = failed.is_err();
        state.syncs += usize::from(failed.is_ok());
        failed
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        state.fail(Fault::Truncate)?;
        state.bytes.truncate(length as usize);
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.0.lock().spoilt = false;
        Ok(())
    }
}

/// A writer on the test's own thread, so that the test says what is one batch.
struct Bench {
    script: Script,
    writer: Writer<Script>,
}

impl Bench {
    fn new() -> Self {
        let script = Script::default();
        script.0.lock().bytes = record::header("x");
        let (disk, good) = (script.clone(), record::header("x").len() as u64);
        let writer = Writer::new(disk, Ledger::default(), Clock::system(), good, false);
        Self { script, writer }
    }

    fn fail(&self, faults: &[Fault]) {
        self.script.0.lock().faults.extend(faults);
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
        self.writer.run(&receiver);
        let mut told: Vec<Told> = (0..slots).map(|_| desk.told()).collect();
        assert!(desk.is_empty());
        told.sort_unstable_by_key(|told| told.slot);
        let seq = |told: Told| told.receipt.map(|receipt| receipt.seq);
        told.into_iter().map(seq).collect()
    }

    fn post(&mut self, key: &str) -> Result<u64, Code> {
        self.batch(vec![message("a", "", key, "text")]).remove(0)
    }

    /// The last seq in the file, which must be whole.
    fn last_in_file(&self) -> u64 {
        let bytes = self.script.0.lock().bytes.clone();
        let (_, scan) = scan::scan(&bytes[..]).unwrap();
        assert_eq!((scan.good, scan.notes.len()), (scan.end, 0));
        scan.ledger.last()
    }
}

#[test]
fn a_batch_is_one_sync_and_a_resend_in_it_is_told_the_same() {
    let mut bench = Bench::new();
    let keys = ["k", "k", "", "k", "l"];
    let batch = keys.iter().map(|key| message("a", "", key, "")).collect();
    assert_eq!(bench.batch(batch), [1, 1, 2, 1, 3].map(Ok));
    assert_eq!(bench.script.0.lock().syncs, 1);
    // Nothing new: nothing to sync.
    assert_eq!(bench.post("k"), Ok(1));
    assert_eq!(bench.script.0.lock().syncs, 1);
}

#[test]
fn a_batch_ends_at_its_bound() {
    let mut bench = Bench::new();
    let messages = |count, text: &str| (0..count).map(|_| message("a", "", "", text)).collect();
    assert_eq!(bench.batch(messages(1025, "")).len(), 1025);
    assert_eq!(bench.script.0.lock().syncs, 2);
    bench.batch(messages(10, &"x".repeat(2 << 20)));
    assert_eq!(bench.script.0.lock().syncs, 5);
}

#[test]
fn a_full_disk_refuses_and_heals_without_a_trace() {
    for fault in [Errno::NOSPC, Errno::DQUOT] {
        for fault in [Fault::Append(fault), Fault::Sync(fault)] {
            let mut bench = Bench::new();
            assert_eq!(bench.post("k"), Ok(1));
            bench.fail(&[fault, fault]);
            let full = vec![message("a", "", "l", ""), message("a", "", "l", "")];
            assert_eq!(bench.batch(full), [Err(Code::NoSpace), Err(Code::NoSpace)]);
            assert_eq!(bench.last_in_file(), 1);
            // What is durable is told even now; what is not is refused again.
            let mixed = vec![message("a", "", "m", ""), message("a", "", "k", "")];
            assert_eq!(bench.batch(mixed), [Err(Code::NoSpace), Ok(1)]);
            // The key of a refused message was not used up, and no seq is told twice.
            let seq = bench.post("l").unwrap();
            assert!(seq > 1, "{fault:?}");
            assert_eq!(bench.last_in_file(), seq, "{fault:?}");
            assert_eq!(bench.post("l"), Ok(seq));
        }
    }
}

#[test]
fn what_could_not_be_cut_off_is_cut_off_before_the_next_batch() {
    let mut bench = Bench::new();
    bench.fail(&[Fault::Append(Errno::NOSPC), Fault::Truncate(Errno::NOSPC)]);
    assert_eq!(bench.post("k"), Err(Code::NoSpace));
    assert_eq!(bench.post("l"), Ok(2));
    assert_eq!(bench.last_in_file(), 2);
}

#[test]
fn any_other_failure_fences_until_a_restart() {
    for fault in [Fault::Append(Errno::IO), Fault::Sync(Errno::IO)] {
        let mut bench = Bench::new();
        assert_eq!(bench.post("k"), Ok(1));
        bench.fail(&[fault]);
        let fenced = Err(Code::GoingAway);
        assert_eq!(bench.post("l"), fenced);
        // The disk would work again, but it is not asked.
        let seen = |bench: &Bench| {
            let state = bench.script.0.lock();
            (state.syncs, state.bytes.len())
        };
        let before = seen(&bench);
        assert_eq!([bench.post("m"), bench.post("k")], [fenced, fenced]);
        assert_eq!(seen(&bench), before);
    }
}

#[test]
fn a_failure_while_space_is_awaited_fences_too() {
    let mut bench = Bench::new();
    bench.fail(&[Fault::Append(Errno::NOSPC)]);
    assert_eq!(bench.post(""), Err(Code::NoSpace));
    bench.fail(&[Fault::Truncate(Errno::IO)]);
    assert_eq!([bench.post(""), bench.post("")], [Err(Code::GoingAway); 2]);
}

#[test]
fn a_panic_in_the_thread_hangs_nobody() {
    let bench = Bench::new();
    bench.fail(&[Fault::Panic]);
    let journal = Journal::start("x".into(), Vec::new(), bench.writer).unwrap();
    let desk = Desk::new();
    journal.post(message("a", "", "", ""), Some(pending(&desk, 0)));
    assert_eq!(desk.told().receipt, Err(Code::Internal));
    journal.post(message("a", "", "", ""), Some(pending(&desk, 1)));
    assert_eq!(desk.told().receipt, Err(Code::GoingAway));
    journal.close();
    journal.post(message("a", "", "", ""), Some(pending(&desk, 2)));
    assert_eq!(desk.told().receipt, Err(Code::GoingAway));
}

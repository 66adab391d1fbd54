//! A start, and an end, on a disk that fails: after a kill each call that puts things right fails once.
//! The program then starts or says why it doesn't, and the next start finds all that was acknowledged.

use super::tracer::{Error, start_on_broken};
use super::{ALL, Trial};
use crate::support::Daemon;
use crate::trial::chance::Chance;
use crate::trial::needs::need_strace;
use rustix::process::Signal;
use std::sync::Mutex;
use std::thread;

/// The calls that fail. Others are made before the program's own code runs.
const CALLS: [&str; 8] = [
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "renameat2",
    "unlinkat",
    "mkdirat",
];

/// No thread makes as many of one kind while it starts and ends.
const MOST: usize = 400;

/// So many places of each kind of call are tried unless all are asked for.
const SAMPLE: usize = 3;

/// Homes in which trials are made at once.
const AT_ONCE: usize = 3;

impl Trial {
    /// Kills the daemon.
    #[track_caller]
    fn kill(&mut self) {
        let daemon = self.daemon.take().expect("it runs between restarts");
        daemon.signal(Signal::KILL);
        let (status, said) = daemon.wait();
        assert_eq!(status.code(), None, "it ended by itself: {said:#?}");
    }

    /// A start after a kill, and an end, in which `call` fails at `position`. Returns how often that
    /// came.
    #[track_caller]
    fn start_badly(&mut self, call: &str, error: Error, position: usize) -> usize {
        self.work();
        self.kill();
        let record = self.aside.path().join("start");
        let said = match start_on_broken(&self.home, &record, call, error, position) {
            Ok(daemon) => {
                self.daemon = Some(daemon);
                self.work();
                let daemon = self.daemon.take().expect("it was just started");
                daemon.signal(Signal::TERM);
                let (status, said) = daemon.wait();
                assert_eq!(status.code(), Some(0), "{said:#?}");
                said
            }
            Err(said) => {
                let why = said.iter().any(|line| line.starts_with("gatepost: "));
                assert!(why, "it does not say why: {said:#?}");
                said
            }
        };
        let panic = said.iter().find(|line| line.contains("panic"));
        assert_eq!(panic, None);
        let record = std::fs::read(record).unwrap();
        let came = String::from_utf8_lossy(&record)
            .matches("(INJECTED)")
            .count();
        self.daemon = Some(Daemon::start(&self.home, &super::ARGUMENTS));
        self.ledger.check_kept(&self.home);
        let refused = self.work();
        assert!(refused.is_empty(), "after {call} {position}: {refused:#?}");
        came
    }
}

#[test]
#[ignore = "needs strace"]
fn a_start_or_an_end_that_fails_loses_nothing() {
    need_strace();
    let seed = Chance::seed();
    println!("{}", Chance::how_to_repeat(seed));
    let all = std::env::var_os(ALL).is_some();
    let kinds = CALLS.map(|call| [(call, Error::Broken), (call, Error::Full)]);
    let kinds = Mutex::new(kinds.into_iter().flatten());
    let next = || kinds.lock().unwrap().next();
    let tried = Mutex::new(0);
    thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let mut chance = Chance::new(seed + number as u64);
            let (next, tried) = (&next, &tried);
            scope.spawn(move || {
                let mut trial = Trial::new();
                while let Some((call, error)) = next() {
                    let mut position = 1;
                    for _ in 0..if all { MOST } else { SAMPLE } {
                        if trial.start_badly(call, error, position) == 0 {
                            break;
                        }
                        *tried.lock().unwrap() += 1;
                        let step = if all { 1 } else { 1 + chance.below(6) };
                        position += usize::try_from(step).unwrap();
                    }
                }
            });
        }
    });
    let tried = tried.into_inner().unwrap();
    println!("{tried} faults came");
    assert!(tried > CALLS.len());
}

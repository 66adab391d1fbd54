//! What outlives the loss of power. The real program is recorded while clients send to it, from the
//! first start in an empty folder over kills and restarts to an orderly end; from the record come
//! the states that a disk may have been in at any moment; a server is started on each, and all
//! that was acknowledged before that moment must be there.
//!
//! `recorder` runs it under strace, `line` reads strace's lines, `timeline` says what they mean,
//! `disk` is the model of a disk, `states` loses power, `receipts` are what was acknowledged,
//! `verify` looks at what is left, and `needed` leaves out one promise after the other.

mod disk;
mod line;
mod needed;
mod receipts;
mod recorder;
mod states;
mod timeline;
mod verify;

pub(crate) use recorder::need_strace;

use crate::crash::send_until_killed;
use crate::crash::sender::Sender;
use crate::support::Daemon;
use crate::trial::chance::Chance;
use disk::{Done, Tree};
use receipts::{Answer, Told};
use rustix::process::Signal;
use states::{LUCKS, Loss, Luck};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use timeline::Timeline;

/// Clients that send at once.
const SENDERS: u64 = 4;

/// When it is killed, each time: what was not answered is then sent again, it is killed again, and
/// more is sent.
const KILLS: [Kill; 6] = [
    Kill::After(60),
    Kill::In("fdatasync", 12),
    Kill::After(30),
    Kill::In("renameat2", 3),
    Kill::In("fdatasync", 10),
    Kill::In("pwrite64", 10),
];

/// Different states that are tried.
const STATES: usize = 1_000;

/// Servers that are tried at once.
const AT_ONCE: usize = 4;

/// The end of one life of the daemon.
#[derive(Debug, Clone, Copy)]
enum Kill {
    /// After so many receipts.
    After(u64),
    /// In this call, when a thread makes it for the so-manieth time.
    In(&'static str, u64),
}

/// What was recorded, and who knows what was sent.
struct Recorded {
    timeline: Timeline,
    answers: Vec<Answer>,
    senders: Vec<Sender>,
}

/// A state of the disk, and what was acknowledged before it.
struct Trial {
    loss: Loss,
    told: Told,
    tree: Tree,
}

/// Where a record is made.
struct Place {
    root: PathBuf,
    aside: PathBuf,
    _scratch: TempDir,
}

impl Place {
    fn new() -> Self {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let [root, aside] = ["root", "aside"].map(|name| scratch.path().join(name));
        for folder in [&root, &aside] {
            std::fs::create_dir(folder).unwrap();
        }
        Self {
            root,
            aside,
            _scratch: scratch,
        }
    }

    /// Adds one life of the daemon, which `during` or `kill` ends.
    #[track_caller]
    fn run(&self, timeline: &mut Timeline, kill: Option<(&str, u64)>, during: impl FnOnce(Daemon)) {
        let home = self.root.join(verify::HOME);
        let (daemon, recording) = recorder::start(&home, &self.aside, kill);
        during(daemon);
        timeline.add(&recording.calls(), &disk::read_tree(&self.root));
    }
}

impl Recorded {
    #[track_caller]
    fn new(seed: u64) -> Self {
        need_strace();
        let place = Place::new();
        let mut timeline = Timeline::new(&place.root);
        let mut senders: Vec<_> = (0..SENDERS)
            .map(|number| Sender::new(seed, number))
            .collect();
        for kill in KILLS {
            let sending = std::mem::take(&mut senders);
            let (call, receipts) = match kill {
                Kill::After(receipts) => (None, Some(receipts)),
                Kill::In(call, when) => (Some((call, when)), None),
            };
            place.run(&mut timeline, call, |daemon| {
                senders = match receipts {
                    Some(receipts) => send_until_killed(daemon, sending, receipts, Duration::ZERO),
                    None => send_until_gone(daemon, sending),
                };
            });
            place.run(&mut timeline, None, |daemon| {
                for sender in &mut senders {
                    sender.finish(daemon.peer());
                }
                daemon.signal(Signal::KILL);
                daemon.wait();
            });
        }
        place.run(&mut timeline, None, |daemon| {
            daemon.signal(Signal::TERM);
            let (status, said) = daemon.wait();
            assert_eq!(status.code(), Some(0), "{said:#?}");
        });
        let answers = receipts::answers(&timeline);
        Self {
            timeline,
            answers,
            senders,
        }
    }

    /// The moments at which something more is lost or promised than just before.
    fn moments(&self) -> Vec<usize> {
        let done = &self.timeline.done;
        let changes = done.iter().flat_map(|done| [done.begun, done.ended]);
        let mut moments: Vec<_> = changes.chain(self.told_at()).collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// The moments at which somebody was told something.
    fn told_at(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.answers.iter().map(|answer| answer.moment)
    }

    fn trial(&self, loss: Loss, left_out: &dyn Fn(&Done) -> bool) -> Trial {
        Trial {
            loss,
            told: receipts::told(&self.answers, loss.moment),
            tree: states::state(&self.timeline, loss, left_out),
        }
    }

    /// So many different trials, as far as there are: first those right after each receipt in which
    /// nothing but what was synced is left, then what chance brings.
    fn trials(&self, most: usize, seed: u64, left_out: &dyn Fn(&Done) -> bool) -> Vec<Trial> {
        let mut chance = Chance::new(seed);
        let moments = self.moments();
        let mut worst = self.told_at();
        let mut seen = HashSet::new();
        let mut trials = Vec::new();
        for tried in 0..most * 10 {
            let loss = match worst.next() {
                Some(moment) => Loss {
                    moment,
                    luck: Luck::None,
                    seed: 0,
                },
                None => Loss {
                    moment: moments[chance.below(moments.len() as u64) as usize],
                    luck: LUCKS[tried % LUCKS.len()],
                    seed: chance.next(),
                },
            };
            let trial = self.trial(loss, left_out);
            let told = (trial.told.messages.len(), trial.told.files.len());
            if seen.insert((states::mark(&trial.tree), told)) {
                trials.push(trial);
                if trials.len() == most {
                    break;
                }
            }
        }
        trials
    }

    /// Starts a server on each until there are `enough` faults.
    fn faults(&self, trials: &[Trial], enough: usize) -> Vec<(Loss, String)> {
        let senders = &self.senders;
        let faults = Mutex::new(Vec::new());
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed))
                && faults.lock().unwrap().len() < enough
            {
                if let Some(fault) = verify::fault(&trial.tree, &trial.told, senders) {
                    faults.lock().unwrap().push((trial.loss, fault));
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(work);
            }
        });
        faults.into_inner().unwrap()
    }
}

/// Lets everybody send until the daemon is killed by whoever records it.
fn send_until_gone(daemon: Daemon, senders: Vec<Sender>) -> Vec<Sender> {
    let send = |mut sender: Sender| {
        let peer = daemon.peer();
        thread::spawn(move || {
            sender.send(peer, || ());
            sender
        })
    };
    let threads: Vec<_> = senders.into_iter().map(send).collect();
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), None, "it ended by itself: {said:#?}");
    let join = |thread: thread::JoinHandle<Sender>| thread.join().expect("nothing was refused");
    threads.into_iter().map(join).collect()
}

#[test]
#[ignore = "needs strace"]
fn whatever_was_acknowledged_outlives_a_loss_of_power() {
    let seed = Chance::seed();
    println!("{}", Chance::how_to_repeat(seed));
    let recorded = Recorded::new(seed);
    let trials = recorded.trials(STATES, seed, &|_| false);
    println!(
        "{} answers, {} changes and syncs, {} states",
        recorded.answers.len(),
        recorded.timeline.done.len(),
        trials.len(),
    );
    assert_eq!(trials.len(), STATES);
    let faults = recorded.faults(&trials, 5);
    assert!(faults.is_empty(), "{faults:#?}");
}

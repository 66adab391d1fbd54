//! The lives of the daemon that are recorded, what a loss of power at any of their moments leaves,
//! and trying that out.

use super::disk::{self, Done, Tree};
use super::receipts::{self, Answer, Told};
use super::recorder;
use super::stamps::Stamp;
use super::states::{self, Loss};
use super::timeline::Timeline;
use super::verify;
use crate::crash::send_until_killed;
use crate::crash::sender::Sender;
use crate::support::{Daemon, until};
use crate::trial::needs::need_strace;
use rustix::process::Signal;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Clients that send at once.
const SENDERS: u64 = 3;

/// When it is killed, each time: what was not answered is then sent again, it is killed again, and
/// more is sent.
const KILLS: [Kill; 7] = [
    Kill::After(24),
    Kill::Early(Sign::Page),
    Kill::Early(Sign::Name),
    Kill::In("pwrite64", 4),
    Kill::In("fsync,fdatasync", 7),
    Kill::Early(Sign::Name),
    Kill::In("pwrite64", 100),
];

/// Servers that are tried at once.
const AT_ONCE: usize = 4;

/// The end of one life of the daemon.
#[derive(Debug, Clone, Copy)]
enum Kill {
    /// After so many receipts.
    After(u64),
    /// In this call, or one of these, when a thread makes it for the so-manieth time.
    In(&'static str, u64),
    /// When something of what was sent is written, and before that is synced.
    Early(Sign),
}

/// By what it is seen that something is written.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// A page of the database.
    Page,
    /// The name of a file.
    Name,
}

/// What a message is written in at least, in bytes.
const PAGE: usize = 4_096;

/// Makes every sync begin late, so that there is something to be killed before it.
const LATE: &str = "fsync,fdatasync:delay_enter=15000";

/// What was recorded, and who knows what was sent.
pub(super) struct Recorded {
    pub(super) timeline: Timeline,
    pub(super) answers: Vec<Answer>,
    senders: Vec<Sender>,
}

/// A state of the disk, and what was acknowledged before it.
pub(super) struct Trial {
    pub(super) loss: Loss,
    pub(super) told: Told,
    pub(super) tree: Tree,
    /// What the files were to the daemon.
    pub(super) stamps: BTreeMap<Vec<u8>, Stamp>,
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

    /// Adds one life of the daemon, which `during` or `inject` ends, perhaps before it serves.
    #[track_caller]
    fn run(&self, timeline: &mut Timeline, inject: Option<&str>, during: impl FnOnce(Daemon)) {
        let home = self.root.join(verify::HOME);
        let (daemon, recording) = recorder::start(&home, &self.aside, inject);
        match daemon {
            Ok(daemon) => during(daemon),
            Err(said) => assert!(inject.is_some(), "it ended as it started: {said:#?}"),
        }
        timeline.add(&recording.calls(), &self.root);
    }
}

impl Recorded {
    #[track_caller]
    pub(super) fn new(seed: u64) -> Self {
        need_strace();
        let place = Place::new();
        let mut timeline = Timeline::new(&place.root);
        let mut senders: Vec<_> = (0..SENDERS)
            .map(|number| Sender::new(seed, number))
            .collect();
        for kill in KILLS {
            let inject = match kill {
                Kill::After(_) => None,
                Kill::In(call, when) => Some(format!("{call}:signal=SIGKILL:when={when}")),
                Kill::Early(_) => Some(LATE.to_owned()),
            };
            place.run(&mut timeline, inject.as_deref(), |daemon| {
                let sending = std::mem::take(&mut senders);
                senders = match kill {
                    Kill::After(receipts) => {
                        send_until_killed(daemon, sending, receipts, Duration::ZERO)
                    }
                    Kill::In(..) => send_until_gone(daemon, sending, |_| {}),
                    Kill::Early(sign) => send_until_gone(daemon, sending, |daemon| {
                        let before = sign.look(&place.root);
                        until("something is written", || sign.look(&place.root) > before);
                        daemon.signal(Signal::KILL);
                    }),
                };
            });
            place.run(&mut timeline, None, |daemon| {
                for sender in &mut senders {
                    assert!(sender.ask_offsets(&mut daemon.peer()), "the server is gone");
                }
                for sender in &mut senders {
                    sender.finish(daemon.peer());
                }
                senders[0].break_off(&daemon);
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
    pub(super) fn moments(&self) -> Vec<usize> {
        let done = &self.timeline.done;
        let changes = done.iter().flat_map(|done| [done.begun, done.ended]);
        let mut moments: Vec<_> = changes.chain(self.told_at()).collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// The moments at which somebody was told something.
    pub(super) fn told_at(&self) -> impl Iterator<Item = usize> {
        self.answers.iter().map(|answer| answer.moment)
    }

    fn trial(&self, loss: Loss, left_out: &dyn Fn(&Done) -> bool) -> Trial {
        let disk = states::state(&self.timeline, loss, left_out);
        let stamps = disk.paths().into_iter().filter_map(|(path, node)| {
            let stamp = self.timeline.stamps.get(&node)?;
            Some((path, *stamp))
        });
        Trial {
            loss,
            told: receipts::told(&self.answers, loss.moment),
            tree: disk.tree(),
            stamps: stamps.collect(),
        }
    }

    /// Tries out what `losses` leave, each state once, until `most` states were tried or `enough`
    /// of them are at fault. Returns how many were tried, and what is at fault.
    pub(super) fn try_out(
        &self,
        losses: impl Iterator<Item = Loss> + Send,
        [most, enough]: [usize; 2],
        left_out: &(dyn Fn(&Done) -> bool + Sync),
    ) -> (usize, Vec<(Loss, String)>) {
        let (losses, seen) = (Mutex::new(losses), Mutex::new(HashSet::new()));
        let faults = Mutex::new(Vec::new());
        let next = || losses.lock().unwrap().next();
        let work = || {
            while let Some(loss) = next()
                && faults.lock().unwrap().len() < enough
            {
                let trial = self.trial(loss, left_out);
                let told = (trial.told.messages.len(), trial.told.files.len());
                let mark = (states::mark(&trial.tree), told);
                {
                    let mut seen = seen.lock().unwrap();
                    if seen.len() >= most {
                        return;
                    }
                    if !seen.insert(mark) {
                        continue;
                    }
                }
                if let Some(fault) = verify::fault(&trial, &self.senders) {
                    faults.lock().unwrap().push((loss, fault));
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(work);
            }
        });
        let tried = seen.into_inner().unwrap().len();
        (tried, faults.into_inner().unwrap())
    }
}

/// At most so many of `all`, from the first to the last.
pub(super) fn spread(all: Vec<usize>, most: usize) -> Vec<usize> {
    let step = all.len().div_ceil(most).max(1);
    all.into_iter().step_by(step).collect()
}

impl Sign {
    /// A number that grows when it is seen.
    fn look(self, root: &Path) -> usize {
        let tree = disk::read_tree(root);
        let files = format!("{}/uploads/", verify::HOME).into_bytes();
        let is_file = |path: &[u8]| path.starts_with(&files);
        match self {
            Self::Page => {
                let records = tree.iter().filter(|(path, _)| !is_file(path));
                let bytes = records.filter_map(|(_, content)| Some(content.as_ref()?.len()));
                bytes.sum::<usize>() / PAGE
            }
            Self::Name => {
                let incoming = |path: &[u8]| path[files.len()..].starts_with(b".");
                let paths = tree.keys().filter(|path| is_file(path));
                paths.filter(|path| !incoming(path)).count()
            }
        }
    }
}

/// Lets everybody send until the daemon is killed, by whoever records it or by `kill`.
fn send_until_gone(
    daemon: Daemon,
    senders: Vec<Sender>,
    kill: impl FnOnce(&Daemon),
) -> Vec<Sender> {
    let send = |mut sender: Sender| {
        let address = daemon.address();
        thread::spawn(move || {
            sender.send(address, || ());
            sender
        })
    };
    let threads: Vec<_> = senders.into_iter().map(send).collect();
    kill(&daemon);
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), None, "it ended by itself: {said:#?}");
    let join = |thread: thread::JoinHandle<Sender>| thread.join().expect("nothing was refused");
    threads.into_iter().map(join).collect()
}

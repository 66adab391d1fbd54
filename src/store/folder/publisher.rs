//! The publishing thread: takes all finished uploads that wait, publishes them together, and answers
//! them together. Everything that changes which names there are goes through it, one after the
//! other. How a batch is published is in `batch`, how a file is removed in `removal`.

use super::Shared;
use super::batch::Batch;
use super::incoming::Incoming;
use super::records::Scope;
use super::space::Share;
use crate::store::{FileError, NewFile, PendingFile, StoreError, Viewer};
use crate::wire::{Digest, FileName};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Most files in one batch: what one waits for at most while others are synced.
const BATCH: usize = 256;

/// How often what is old or not yet synced is looked after.
const ROUND: Duration = Duration::from_secs(3_600);

/// How long nothing is published before the records are brought up to date: until then the next
/// commit does that as well.
const REST: Duration = Duration::from_millis(200);

/// An upload that is whole.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) wanted: NewFile,
    /// Its bytes, unless they are here already.
    pub(super) incoming: Option<Incoming>,
    /// The published file that is the same, and what the sender is charged for it.
    pub(super) same: Option<(FileName, Share)>,
    pub(super) digest: Option<Digest>,
    pub(super) size: u64,
    pub(super) pending: PendingFile,
}

impl Finished {
    /// What its key makes it one with.
    pub(super) fn scope(&self) -> Option<Scope> {
        Some(Scope {
            user: self.wanted.owner.clone(),
            room: self.wanted.room.clone(),
            key: self.wanted.key.clone()?,
        })
    }

    /// Whether it may turn out to be the same as `other`, so that they can't be published at once.
    fn may_be(&self, other: &Self) -> bool {
        let is_same_file = self.digest.is_some()
            && self.digest == other.digest
            && self.wanted.name == other.wanted.name;
        let is_same_post = self.wanted.key.is_some() && self.scope() == other.scope();
        is_same_file || is_same_post
    }
}

/// What the publishing thread is asked to do.
pub(super) enum Job {
    /// Publish a file.
    Publish(Box<Finished>),
    /// Remove one.
    Remove {
        name: FileName,
        viewer: Viewer,
        done: Sender<Result<(), FileError>>,
    },
    /// Say that everything before this is done.
    Barrier(Sender<()>),
    /// End once everything before this is done.
    Close,
}

/// The way to the publishing thread.
#[derive(Debug)]
pub(super) struct Publisher {
    jobs: Sender<Job>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Publisher {
    /// A publisher whose thread is still to be started, and what that thread serves.
    pub(super) fn new() -> (Self, Receiver<Job>) {
        // Unbounded: each connection may only leave so many requests unanswered.
        let (jobs, receiver) = crossbeam_channel::unbounded();
        let thread = Mutex::new(None);
        (Self { jobs, thread }, receiver)
    }

    /// Starts the thread. It ends with [`close`](Self::close).
    pub(super) fn start(&self, shared: &Arc<Shared>, jobs: Receiver<Job>) -> io::Result<()> {
        let shared = Arc::clone(shared);
        let thread = thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || serve(&shared, &jobs))?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Hands on a job. After the end, whoever waits is refused.
    pub(super) fn hand(&self, job: Job) {
        if let Err(job) = self.jobs.send(job) {
            refuse(job.into_inner());
        }
    }

    /// Waits until everything handed on before is done.
    pub(super) fn barrier(&self) {
        let (done, is_done) = bounded(1);
        self.hand(Job::Barrier(done));
        // An error is the end of the thread: nothing is under way then either.
        let _ = is_done.recv();
    }

    /// Ends the thread once all it was given is done.
    pub(super) fn close(&self) {
        let Some(thread) = self.thread.lock().take() else {
            return;
        };
        self.hand(Job::Close);
        if thread.join().is_err() {
            tracing::error!("the publishing thread ended with a panic");
        }
    }
}

fn refuse(job: Job) {
    match job {
        Job::Publish(finished) => {
            let PendingFile { ticket, answer, .. } = finished.pending;
            ticket.redeem(answer(Err(&StoreError::Fenced.into())));
        }
        Job::Remove { done, .. } => {
            let _ = done.send(Err(StoreError::Fenced.into()));
        }
        Job::Barrier(_) | Job::Close => {}
    }
}

fn serve(shared: &Arc<Shared>, jobs: &Receiver<Job>) {
    let mut round = Instant::now() + ROUND;
    let mut next = None;
    loop {
        let rest = if shared.finished.lock().is_empty() {
            round
        } else {
            round.min(Instant::now() + REST)
        };
        let job = match next.take() {
            Some(job) => Ok(job),
            None => jobs.recv_deadline(rest),
        };
        // A panic loses the tickets of one batch, which then answer themselves, and nothing else.
        let step = catch_unwind(AssertUnwindSafe(|| match job {
            Ok(Job::Publish(first)) => {
                let (batch, rest) = gather(*first, jobs);
                Batch::new(shared, batch).publish();
                (true, rest)
            }
            Ok(Job::Remove { name, viewer, done }) => {
                // Whoever asked may be gone.
                let _ = done.send(shared.remove_file(&name, &viewer));
                (true, None)
            }
            Ok(Job::Barrier(done)) => {
                let _ = done.send(());
                (true, None)
            }
            Err(RecvTimeoutError::Timeout) => {
                shared.settle_finished();
                if Instant::now() >= round {
                    shared.look_after();
                }
                (true, None)
            }
            Ok(Job::Close) | Err(RecvTimeoutError::Disconnected) => (false, None),
        }));
        match step {
            Ok((true, job)) => next = job,
            Ok((false, _)) => break,
            Err(_) => tracing::error!("the publishing thread panicked"),
        }
        if Instant::now() >= round {
            round = Instant::now() + ROUND;
        }
    }
    // What raced with the end.
    jobs.try_iter().for_each(refuse);
    shared.settle_finished();
    shared.settle_hasty();
}

/// All files that wait, as far as they can be published at once, and the first job that can't.
fn gather(first: Finished, jobs: &Receiver<Job>) -> (Vec<Finished>, Option<Job>) {
    let mut batch = vec![first];
    while batch.len() < BATCH {
        match jobs.try_recv() {
            Ok(Job::Publish(next)) if batch.iter().any(|file| file.may_be(&next)) => {
                return (batch, Some(Job::Publish(next)));
            }
            Ok(Job::Publish(next)) => batch.push(*next),
            Ok(job) => return (batch, Some(job)),
            Err(_) => break,
        }
    }
    (batch, None)
}

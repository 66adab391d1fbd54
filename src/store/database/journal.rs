//! The journal thread: takes all that waits into one transaction, commits it with one sync, and
//! only then redeems the tickets and tells the witness.

use super::change::Change;
use super::checkpoint::Trigger;
use super::connection;
use super::fault::{Failure, Fault};
use super::fence::Fence;
use super::readers::Readers;
use super::retention::Alarm;
use super::space;
use super::writing::{Counters, Writing, find};
use crate::store::ledger::to_millis;
use crate::store::search::Index;
use crate::store::{Kept, NewMessage, Pending, Receipt, StoreError, Witness};
use crate::ticket::redeem_all;
use crate::time::Clock;
use crate::wire::RoomName;
use crossbeam_channel::Receiver;
use rusqlite::Connection;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

/// Most jobs in one batch.
const BATCH_JOBS: usize = 1_024;

/// A batch is closed once its texts have so many bytes together.
const BATCH_BYTES: usize = 8 << 20;

/// One message on its way to the journal thread.
pub(super) struct Post {
    pub(super) message: NewMessage,
    pub(super) pending: Option<Pending>,
}

/// What the journal thread is asked to do.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are posts, and a box for each would cost more"
)]
pub(super) enum Job {
    /// Keep a message.
    Post(Post),
    /// Change another store's tables.
    Change(Box<dyn Change>),
    /// End once everything before it is committed.
    Close,
}

/// What is answered once the commit has ended.
enum Owed {
    Post {
        pending: Option<Pending>,
        room: RoomName,
        receipt: Result<Receipt, StoreError>,
    },
    Change(Box<dyn Change>),
}

/// How a transaction is committed: SQLite's `COMMIT`, unless a test wants it to fail.
pub(super) type Commit = Box<dyn FnMut(&Connection) -> rusqlite::Result<()> + Send>;

/// What the journal thread owns.
pub(super) struct Journal {
    pub(super) home: PathBuf,
    /// `None` after a commit failed for lack of space, until there is some.
    pub(super) connection: Option<Connection>,
    pub(super) counters: Counters,
    pub(super) clock: Clock,
    pub(super) readers: Arc<Readers>,
    pub(super) fence: Arc<Fence>,
    pub(super) trigger: Trigger,
    pub(super) index: Arc<Index>,
    pub(super) witness: Arc<OnceLock<Arc<dyn Witness>>>,
    pub(super) commit: Commit,
    /// Rings when old messages may have to go; `None` if they are kept for ever.
    pub(super) alarm: Option<Alarm>,
    /// How many were refused since there was no space.
    pub(super) refused: u64,
}

/// SQLite's own way to commit.
pub(super) fn commit() -> Commit {
    Box::new(|connection| connection.prepare_cached("COMMIT")?.execute([]).map(drop))
}

impl Journal {
    /// Starts the thread.
    pub(super) fn start(self, jobs: Receiver<Job>) -> io::Result<JoinHandle<()>> {
        let thread = thread::Builder::new().name("journal".to_owned());
        thread.spawn(move || self.serve(&jobs))
    }

    /// Serves `jobs` until one says close. A panic puts the fence up but neither hangs nor loses a
    /// ticket.
    pub(super) fn serve(mut self, jobs: &Receiver<Job>) {
        while catch_unwind(AssertUnwindSafe(|| self.run(jobs))).is_err() {
            self.fence.raise("the journal thread panicked");
            // With whatever it left half done.
            self.connection = None;
        }
        // Posts that raced with the close.
        self.refuse(jobs.try_iter().collect(), Vec::new(), &StoreError::Fenced);
    }

    /// Commits batch after batch until a job says close or nobody can send any more.
    pub(super) fn run(&mut self, jobs: &Receiver<Job>) {
        let mut is_open = true;
        while is_open && let Ok(first) = jobs.recv() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(job) = next {
                match &job {
                    Job::Post(post) => bytes += post.message.text.len(),
                    Job::Change(_) => {}
                    Job::Close => {
                        is_open = false;
                        break;
                    }
                }
                batch.push(job);
                let is_full = batch.len() >= BATCH_JOBS || bytes >= BATCH_BYTES;
                next = if is_full { None } else { jobs.try_recv().ok() };
            }
            if !batch.is_empty() {
                self.keep(batch);
                self.trigger.wrote(bytes);
                if let Some(alarm) = &mut self.alarm {
                    alarm.wrote(bytes);
                }
            }
        }
    }

    /// Keeps a batch, or none of it, and tells whoever waits.
    fn keep(&mut self, batch: Vec<Job>) {
        if self.fence.is_up() {
            return self.refuse(batch, Vec::new(), &StoreError::Fenced);
        }
        let durable = self.counters.last();
        let mut owed = Vec::with_capacity(batch.len());
        let mut rest = batch.into_iter();
        match self.write(&mut rest, &mut owed) {
            Ok(kept) => {
                self.note_success();
                settle(owed);
                let bytes = kept.iter().map(|kept| kept.message.text.len()).sum();
                self.index.committed(kept.len(), bytes);
                if let Some(witness) = self.witness.get()
                    && !kept.is_empty()
                {
                    witness.kept(kept);
                }
            }
            Err(failure) => {
                let error = self.note_failure(&failure);
                for owed in &mut owed {
                    if let Owed::Post { receipt, .. } = owed {
                        let is_durable = |receipt: &Receipt| receipt.seq <= durable;
                        if !receipt.as_ref().is_ok_and(is_durable) {
                            *receipt = Err(error.again());
                        }
                    }
                }
                self.refuse(rest.collect(), owed, &error);
            }
        }
    }

    /// Writes and commits `jobs`, each of which is then in `owed`.
    fn write(
        &mut self,
        jobs: &mut impl Iterator<Item = Job>,
        owed: &mut Vec<Owed>,
    ) -> Result<Vec<Kept>, Failure> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            // A new handle: what failed once is not asked again.
            none => none.insert(connection::writer(&self.home).map_err(Failure::of_opening)?),
        };
        begin(connection)?;
        let time = to_millis(self.clock.now());
        let mut writing = Writing::new(connection, &mut self.counters, time)?;
        for job in jobs {
            match job {
                Job::Post(Post { message, pending }) => {
                    let room = message.room.clone();
                    owed.push(Owed::Post {
                        pending,
                        room,
                        receipt: Err(StoreError::Fenced),
                    });
                    let admitted = writing.admit(message)?;
                    if let (Some(Owed::Post { receipt, .. }), Some(place)) =
                        (owed.last_mut(), admitted)
                    {
                        *receipt = Ok(place);
                    }
                }
                Job::Change(mut change) => {
                    let applied = writing.apply(&mut *change);
                    owed.push(Owed::Change(change));
                    applied?;
                }
                Job::Close => {}
            }
        }
        let kept = writing.finish();
        (self.commit)(connection)?;
        Ok(kept)
    }

    fn note_success(&mut self) {
        let refused = std::mem::take(&mut self.refused);
        if refused > 0 {
            tracing::warn!("there is space again; {refused} messages were refused");
        }
    }

    fn note_failure(&mut self, failure: &Failure) -> StoreError {
        self.counters.forget();
        // Closing it ends what is left of the transaction.
        self.connection = None;
        let Failure { fault, text } = failure;
        let is_full = match fault {
            Fault::NoSpace => true,
            Fault::Damage => false,
            Fault::Broken => space::is_lacking(&self.home),
        };
        if is_full {
            if self.refused == 0 {
                tracing::warn!("{text}: messages are refused until there is space");
            }
            return StoreError::NoSpace;
        }
        match fault {
            Fault::Damage => self.fence.damaged(text),
            Fault::NoSpace | Fault::Broken => self.fence.raise(text),
        }
        StoreError::Fenced
    }

    /// Tells all of `owed` and of `rest` that there was an `error`, except for resends of what is
    /// durable: their first receipt holds.
    fn refuse(&mut self, rest: Vec<Job>, mut owed: Vec<Owed>, error: &StoreError) {
        for job in rest {
            match job {
                Job::Post(Post { message, pending }) => {
                    let found = match message.key {
                        Some(_) => self.readers.read(|connection| find(connection, &message)),
                        None => Ok(None),
                    };
                    let receipt = found.ok().flatten().ok_or_else(|| error.again());
                    let room = message.room;
                    owed.push(Owed::Post {
                        pending,
                        room,
                        receipt,
                    });
                }
                Job::Change(change) => owed.push(Owed::Change(change)),
                Job::Close => {}
            }
        }
        let is_lost = |owed: &&Owed| !matches!(owed, Owed::Post { receipt: Ok(_), .. });
        self.refused += owed.iter().filter(is_lost).count() as u64;
        settle_with(owed, Err(error));
    }
}

/// Begins a transaction that may write. Inside the daemon nobody holds the lock for long; whoever
/// else does is waited for.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    let mut begin = connection.prepare_cached("BEGIN IMMEDIATE")?;
    loop {
        match begin.execute([]) {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                tracing::warn!("another program holds the lock of gatepost.db: waiting for it");
            }
            done => return done.map(drop),
        }
    }
}

fn settle(owed: Vec<Owed>) {
    settle_with(owed, Ok(()));
}

/// Redeems all tickets, then tells the other stores.
fn settle_with(owed: Vec<Owed>, commit: Result<(), &StoreError>) {
    let mut changes = Vec::new();
    let answer = |owed| match owed {
        Owed::Post {
            pending,
            room,
            receipt,
        } => {
            let pending = pending?;
            let receipt = receipt.as_ref().cloned();
            Some((pending.ticket, (pending.answer)(room, receipt)))
        }
        Owed::Change(change) => {
            changes.push(change);
            None
        }
    };
    // Gathered first: if one of them panics, the tickets not yet redeemed drop and redeem
    // themselves, which they could not do from inside `redeem_all`.
    let answers: Vec<_> = owed.into_iter().filter_map(answer).collect();
    redeem_all(answers);
    for change in changes {
        change.finish(commit);
    }
}

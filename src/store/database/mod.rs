//! The lasting engine of [`Messages`]: one SQLite file, one thread that writes it, and one sync for
//! all that waits. Other stores keep their records in the same file and the same commits.
//!
//! What the file looks like is in `schema` and `row`, what a start does in `opening`, `import` and
//! `damage` with `check`, the thread in `journal` with `writing` and `change`, carrying the WAL over
//! in `checkpoint`, looking for damage beside the work in `scan`, letting go of old messages in `retention`, and reading in `readers`, `pages`,
//! `rooms` and `substring`; `committed` is for the index of the search. `tokens` and `bans` are other stores', `maintenance` is how an
//! operator's commands see those.

mod bans;
mod change;
mod check;
mod checkpoint;
mod committed;
mod connection;
mod damage;
mod fault;
#[cfg(test)]
mod faults;
mod fence;
mod import;
mod journal;
mod maintenance;
mod opening;
mod pages;
mod readers;
mod retention;
mod rooms;
mod row;
mod scan;
mod schema;
mod space;
mod substring;
#[cfg(test)]
mod tests;
mod tokens;
mod writing;

pub use maintenance::Maintenance;
pub(in crate::store) use writing::Writing;

use super::{
    Messages, NewMessage, Page, Pending, PersonalRooms, Query, Retention, RoomHead, StoreError,
    Witness,
};
use crate::store::search::Index;
use crate::time::{Clock, Random};
use crate::wire::RoomName;
use committed::Committed;
use crossbeam_channel::Sender;
use fence::Fence;
use journal::{Job, Journal, Post};
use opening::Opened;
use pages::Found;
use parking_lot::Mutex;
use readers::Readers;
use retention::Pruner;
use rusqlite::Connection;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

/// Messages, and the records of other stores, in the file `gatepost.db`.
pub struct Database {
    id: String,
    notes: Vec<String>,
    jobs: Sender<Job>,
    witness: Arc<OnceLock<Arc<dyn Witness>>>,
    readers: Arc<Readers>,
    index: Arc<Index>,
    fence: Arc<Fence>,
    threads: Mutex<Option<Threads>>,
}

/// What runs for as long as it is open.
struct Threads {
    journal: JoinHandle<()>,
    checkpoints: JoinHandle<()>,
    scan: Option<(Sender<()>, JoinHandle<()>)>,
    retention: Option<retention::Running>,
}

impl Database {
    /// Opens the file in the folder `home`, or makes it, and keeps its messages for ever. What can't
    /// be read is moved aside, never deleted. Everything that was found is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file can't be read, made or synced, or was written by a newer version
    /// of this program. Damage is no error: see [`notes`](Self::notes).
    pub fn open(home: &Path, clock: Clock, random: &Random) -> Result<Self, StoreError> {
        Self::keeping(home, clock, random, Retention::default())
    }

    /// As [`open`](Self::open), keeping messages no longer than `retention` says.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn keeping(
        home: &Path,
        clock: Clock,
        random: &Random,
        retention: Retention,
    ) -> Result<Self, StoreError> {
        let home = home.canonicalize()?;
        let Opened {
            id,
            notes,
            connection,
            counters,
            is_checked,
        } = opening::open(&home, random)?;
        for note in &notes {
            tracing::warn!("{}: {note}", schema::NAME);
        }
        let fence = Arc::new(Fence::new(home.clone()));
        let readers = Arc::new(Readers::new(home.clone(), Arc::clone(&fence)));
        let committed = Box::new(Committed(Arc::clone(&readers)));
        let index = Arc::new(Index::open(&home, &id, committed)?);
        let witness = Arc::default();
        let (trigger, checkpoints) = checkpoint::start(home.clone(), Arc::clone(&fence))?;
        // Unbounded: how much may wait is bounded before it gets here, by what each connection
        // may leave unanswered and by the budget that every message is charged to.
        let (jobs, receiver) = crossbeam_channel::unbounded();
        let pruner = Pruner {
            retention,
            clock: clock.clone(),
            readers: Arc::clone(&readers),
            fence: Arc::clone(&fence),
            index: Arc::clone(&index),
            trigger: trigger.another(),
            jobs: jobs.clone(),
        };
        let (alarm, retention) = retention::start(pruner)?.unzip();
        let journal = Journal {
            home,
            connection: Some(connection),
            counters,
            clock,
            readers: Arc::clone(&readers),
            fence: Arc::clone(&fence),
            trigger,
            index: Arc::clone(&index),
            witness: Arc::clone(&witness),
            commit: journal::commit(),
            alarm,
            refused: 0,
        };
        let journal = journal.start(receiver)?;
        let scan = || scan::start(Arc::clone(&readers), Arc::clone(&fence));
        let scan = (!is_checked).then(scan).transpose()?;
        Ok(Self {
            id,
            notes,
            jobs,
            witness,
            readers,
            index,
            fence,
            threads: Mutex::new(Some(Threads {
                journal,
                checkpoints,
                scan,
                retention,
            })),
        })
    }

    /// What was found damaged when the file was opened, a sentence each; already logged.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Has `change` made in the next commit, in the order of the calls and among the messages that
    /// are posted. It is made as a whole or, if it returns an error, not at all; others in the same
    /// commit do not notice. Then `done` is told what it returned, or why the commit failed. Both
    /// are called on the journal thread and must not block.
    pub(in crate::store) fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
        done: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) {
        // Refused, it is dropped, and that tells `done`.
        let _ = self.jobs.send(Job::Change(change::pack(change, done)));
    }

    /// Hands `read` a connection that sees what is committed and can't write. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it can't be read.
    pub(in crate::store) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.readers.read(read)
    }
}

#[cfg(test)]
impl Database {
    /// Lets go what is no longer to be kept, and waits for that.
    pub(in crate::store) fn prune(&self) {
        let threads = self.threads.lock();
        let wakes = threads
            .as_ref()
            .and_then(|threads| threads.retention.as_ref());
        let wakes = wakes.map(|(wakes, _)| wakes.clone()).unwrap();
        drop(threads);
        let (sender, done) = crossbeam_channel::bounded(0);
        wakes.send(retention::Wake::telling(sender)).unwrap();
        assert!(done.recv().is_err(), "only its end is told");
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.id)
    }
}

impl Messages for Database {
    fn post(&self, message: NewMessage, pending: Option<Pending>) {
        let refused = self.jobs.send(Job::Post(Post { message, pending }));
        if let Err(error) = refused
            && let Job::Post(Post { message, pending }) = error.into_inner()
            && let Some(pending) = pending
        {
            let answer = (pending.answer)(message.room, Err(&StoreError::Fenced));
            pending.ticket.redeem(answer);
        }
    }

    fn observe(&self, witness: Arc<dyn Witness>) {
        // Only the first counts.
        let _ = self.witness.set(witness);
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn head(&self, room: &RoomName) -> Result<u64, StoreError> {
        self.read(|connection| writing::head(connection, room))
    }

    fn last_before(&self, time: SystemTime) -> Result<u64, StoreError> {
        self.read(|connection| pages::last_before(connection, time))
    }

    fn page(&self, query: &Query) -> Result<Page, StoreError> {
        let Found { page, rotten } = match &query.search {
            None => self.read(|connection| pages::page(connection, query))?,
            Some(needle) => {
                let walk = self.index.walk(query.room.as_str(), needle, query.range);
                self.read(|connection| pages::found(connection, query, walk))?
            }
        };
        if rotten > 0 {
            self.fence.rotten(rotten);
        }
        Ok(page)
    }

    fn rooms(
        &self,
        after: Option<&RoomName>,
        limit: usize,
        personal: PersonalRooms<'_>,
    ) -> Result<Vec<RoomHead>, StoreError> {
        self.read(|connection| rooms::rooms(connection, after, limit, personal))
    }

    fn close(&self) {
        // Held while joining, so that a second caller also returns only once all is committed.
        let mut threads = self.threads.lock();
        let Some(Threads {
            journal,
            checkpoints,
            scan,
            retention,
        }) = threads.take()
        else {
            return;
        };
        self.index.close();
        // What it waits for goes, so it ends; its reader is given back before the last are closed.
        let scan = scan.map(|(_, scan)| scan);
        self.readers.close();
        // Fails only if the thread is gone already.
        let _ = self.jobs.send(Job::Close);
        // Ends once the journal has, which rings for it.
        let retention = retention.map(|(_, thread)| thread);
        let threads = scan.into_iter().chain([journal, checkpoints]);
        for thread in threads.chain(retention) {
            if thread.thread().id() == thread::current().id() {
                // The last owner was a ticket's: the thread can't wait for itself, and ends next.
                return;
            }
            if thread.join().is_err() {
                tracing::error!("a thread of the database ended with a panic");
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.close();
    }
}

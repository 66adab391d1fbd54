//! What searches and the thread that makes the index share: the open readers, and what there is to
//! do for the thread.

use super::block::Amount;
use super::file::{IndexError, IndexFile};
use parking_lot::{Condvar, Mutex};
use std::path::{Path, PathBuf};

/// At most so many open readers are kept for later searches.
const IDLE: usize = 8;

/// What searches and the thread share. Neither lock is held across I/O or while the other is.
#[derive(Debug)]
pub(super) struct Shared {
    home: PathBuf,
    readers: Mutex<Readers>,
    work: Mutex<Work>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Readers {
    /// Rises when the file is thrown away.
    generation: u64,
    /// Whether there is a file that can be searched.
    usable: bool,
    idle: Vec<IndexFile>,
}

#[derive(Debug, Default)]
struct Work {
    /// The messages that no block speaks of yet.
    waiting: Amount,
    /// Up to this seq blocks are of no more use, if that was not heard of yet.
    forgotten: Option<u64>,
    /// Whether the file is to be thrown away.
    damaged: bool,
    closing: bool,
    /// Whether the thread waits for work.
    at_rest: bool,
}

/// What the thread is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// There are messages for a block.
    CatchUp,
    /// Blocks up to this seq are of no more use.
    Forget(u64),
    /// The file is damaged.
    Rebuild,
    /// Nothing more.
    End,
}

impl Shared {
    pub(super) fn new(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
            readers: Mutex::default(),
            work: Mutex::default(),
            bell: Condvar::new(),
        }
    }

    /// The folder in which the file lies.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// A connection to the file and its generation; `None` if it can't be searched now.
    pub(super) fn reader(&self) -> Option<(u64, IndexFile)> {
        let generation = {
            let mut readers = self.readers.lock();
            if !readers.usable {
                return None;
            }
            if let Some(file) = readers.idle.pop() {
                return Some((readers.generation, file));
            }
            readers.generation
        };
        match IndexFile::open(&self.home) {
            Ok(file) => Some((generation, file)),
            Err(error) => {
                self.report(generation, &error);
                None
            }
        }
    }

    /// Keeps a connection for the next search.
    pub(super) fn put_back(&self, generation: u64, file: IndexFile) {
        let mut readers = self.readers.lock();
        if readers.usable && generation == readers.generation && readers.idle.len() < IDLE {
            readers.idle.push(file);
        }
    }

    /// Tells of what a search could not read in the file of `generation`.
    pub(super) fn report(&self, generation: u64, error: &IndexError) {
        if let IndexError::Refused(why) = error {
            tracing::debug!("a search went without its index: {why}");
            return;
        }
        if self.retire(generation) {
            self.work.lock().damaged = true;
            self.bell.notify_all();
        }
    }

    /// Lets nobody search the file of `generation` any more; whether anybody could.
    fn retire(&self, generation: u64) -> bool {
        let mut readers = self.readers.lock();
        if !readers.usable || generation != readers.generation {
            return false;
        }
        readers.usable = false;
        let idle = std::mem::take(&mut readers.idle);
        drop(readers);
        // Closed without the lock.
        drop(idle);
        true
    }

    /// Lets nobody search until [`Self::publish`].
    pub(super) fn withdraw(&self) {
        let generation = self.readers.lock().generation;
        self.retire(generation);
    }

    /// Lets the file be searched from now on.
    pub(super) fn publish(&self) {
        let mut readers = self.readers.lock();
        readers.generation += 1;
        readers.usable = true;
    }

    /// Counts messages that no block speaks of yet.
    pub(super) fn count(&self, messages: usize, bytes: usize) {
        let mut work = self.work.lock();
        work.waiting.add(messages, bytes);
        if work.waiting.makes_a_block() && work.at_rest {
            self.bell.notify_all();
        }
    }

    /// Says that there are just so many messages that no block speaks of.
    pub(super) fn recount(&self, waiting: Amount) {
        self.work.lock().waiting = waiting;
    }

    /// Says that blocks up to `seq` are of no more use.
    pub(super) fn forget(&self, seq: u64) {
        self.work.lock().forgotten = Some(seq);
        self.bell.notify_all();
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.work.lock().closing = true;
        self.bell.notify_all();
    }

    /// Whether the thread is to end.
    pub(super) fn is_closing(&self) -> bool {
        self.work.lock().closing
    }

    /// Waits for something to do.
    pub(super) fn next_task(&self) -> Task {
        let mut work = self.work.lock();
        loop {
            if work.closing {
                return Task::End;
            }
            if std::mem::take(&mut work.damaged) {
                return Task::Rebuild;
            }
            if work.waiting.makes_a_block() {
                return Task::CatchUp;
            }
            if let Some(seq) = work.forgotten.take() {
                return Task::Forget(seq);
            }
            work.at_rest = true;
            self.bell.notify_all();
            self.bell.wait(&mut work);
            work.at_rest = false;
        }
    }

    /// Waits until the thread has done what there is to do.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        let mut work = self.work.lock();
        while work.damaged
            || work.waiting.makes_a_block()
            || work.forgotten.is_some()
            || !work.at_rest
        {
            self.bell.wait(&mut work);
        }
    }
}

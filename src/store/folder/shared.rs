//! What a folder, its uploads and its threads share, and the ways in which all of them sync and
//! commit.

use super::UPLOADS;
use super::helpers::Helpers;
use super::incoming::Incoming;
use super::listing::Listing;
use super::partials::{Partials, Writer};
use super::placed::Placed;
use super::publisher::Publisher;
use super::records::{Record, State, file, forget};
use super::space::Space;
use crate::store::database::{Database, Writing};
use crate::store::directory::{Directory, Stamp};
use crate::store::{FileError, FileWitness, NewFile, Offset, PartialId, StoreError};
use crate::time::{Clock, Random};
use crate::wire::FileName;
use crossbeam_channel::{bounded, unbounded};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// See [`Folder`](super::Folder).
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) uploads: Directory,
    pub(super) incoming: Directory,
    pub(super) database: Arc<Database>,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) partial_kept: Duration,
    pub(super) fence: Fence,
    pub(super) space: Arc<Space>,
    pub(super) partials: Partials,
    pub(super) listing: Listing,
    /// Files that are published for good though their records still say `publishing`: the next
    /// commit of others says it too, and a start would.
    pub(super) finished: Mutex<HashSet<FileName>>,
    pub(super) helpers: Helpers,
    pub(super) placed: Placed,
    pub(super) publisher: Publisher,
    pub(super) witness: OnceLock<Arc<dyn FileWitness>>,
}

/// Up once a sync has failed: nobody knows then what is durable.
#[derive(Debug, Default)]
pub(super) struct Fence {
    is_up: AtomicBool,
    /// What the next syncs shall fail with; `None` for one that succeeds.
    #[cfg(test)]
    pub(super) faults: Mutex<std::collections::VecDeque<Option<io::ErrorKind>>>,
}

impl Fence {
    #[cfg(test)]
    fn fault(&self) -> Option<io::Error> {
        let fault = self.faults.lock().pop_front().flatten()?;
        Some(fault.into())
    }

    /// Puts it up, and says so the first time.
    pub(super) fn raise(&self, error: &io::Error) {
        if !self.is_up.swap(true, Ordering::AcqRel) {
            tracing::error!(
                "{UPLOADS} can't be synced: {error}. No durable file is taken until a restart; \
                 check the disk first"
            );
        }
    }
}

impl Shared {
    /// Refuses what has to be durable once nobody can say what is.
    pub(super) fn check_fence(&self) -> Result<(), StoreError> {
        if self.fence.is_up.load(Ordering::Acquire) {
            Err(StoreError::Fenced)
        } else {
            Ok(())
        }
    }

    /// Makes the bytes of a file durable. Blocks.
    pub(super) fn sync_file(&self, file: &File) -> Result<(), StoreError> {
        #[cfg(test)]
        if let Some(fault) = self.fence.fault() {
            return self.synced(Err(fault));
        }
        // With its time, by which it is known again.
        self.synced(file.sync_all())
    }

    /// Makes the names in a folder durable. Blocks.
    pub(super) fn sync_folder(&self, folder: &Directory) -> Result<(), StoreError> {
        // Each time by a handle of its own: one that has failed is never asked again. Running out
        // of descriptors is no failed sync.
        let handle = File::from(folder.handle()?);
        #[cfg(test)]
        if let Some(fault) = self.fence.fault() {
            return self.synced(Err(fault));
        }
        self.synced(handle.sync_all())
    }

    fn synced(&self, result: io::Result<()>) -> Result<(), StoreError> {
        let Err(error) = result else {
            return Ok(());
        };
        let error = StoreError::from(error);
        if let StoreError::Io(error) = &error {
            self.fence.raise(error);
        }
        Err(error)
    }

    /// Makes several files durable at once. Returns what came of each, in any order.
    pub(super) fn sync_files(
        self: &Arc<Self>,
        mut files: Vec<(usize, Arc<File>)>,
    ) -> Vec<(usize, Result<(), StoreError>)> {
        // One here, the others beside it.
        let Some((own, file)) = files.pop() else {
            return Vec::new();
        };
        let (done, is_done) = unbounded();
        for (place, file) in files {
            let (shared, done) = (Arc::clone(self), done.clone());
            self.helpers.run(move || {
                // Whoever waits only stops when all of these are done.
                let _ = done.send((place, shared.sync_file(&file)));
            });
        }
        drop(done);
        let result = self.sync_file(&file);
        let mut results: Vec<_> = is_done.iter().collect();
        results.push((own, result));
        results
    }

    /// Has `change` made in the next commit and waits for it. Not to be called on the journal
    /// thread.
    pub(super) fn commit<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, committed) = bounded(1);
        let tell = move |result| {
            // Whoever waits only stops when it is told.
            let _ = done.send(result);
        };
        self.database.write(change, tell);
        committed.recv().unwrap_or(Err(StoreError::Fenced))
    }

    /// Has `change` made in one of the next commits. What goes wrong is logged.
    pub(super) fn commit_later<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    ) {
        let tell = |result: Result<T, StoreError>| {
            if let Err(error) = result {
                tracing::warn!("a record of a file can't be kept: {error}");
            }
        };
        self.database.write(change, tell);
    }

    /// The same for a change of the records alone.
    pub(super) fn change_later(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) {
        self.commit_later(move |db| Ok(change(db)?));
    }

    /// Forgets in one of the next commits what is recorded of the file `name`.
    pub(super) fn forget_later(&self, name: &FileName) {
        let name = name.as_str().to_owned();
        self.change_later(move |db| forget(db, &name));
    }

    /// Whether anybody may be told that a file is there.
    pub(super) fn is_visible(&self, record: &Record) -> bool {
        if record.state != State::Publishing || self.finished.lock().contains(&record.name) {
            return true;
        }
        // The record may have been brought up to date since it was read.
        let now = self.database.read(|db| file(db, record.name.as_str()));
        let is_published = |now: Record| now.state != State::Publishing;
        now.is_ok_and(|now| now.is_some_and(is_published))
    }

    /// The record of a file that is about to be called `name`.
    pub(super) fn record(
        &self,
        incoming: &Incoming,
        wanted: &NewFile,
        name: FileName,
    ) -> io::Result<Record> {
        Ok(Record {
            name,
            asked: wanted.name.clone(),
            sha256: None,
            blake3: None,
            state: if wanted.durable {
                State::Publishing
            } else {
                State::Hasty
            },
            reader: wanted.reader().map(str::to_owned),
            time: self.clock.now(),
            stamp: Stamp::of(&**incoming.file())?,
            incoming: Some(incoming.name().to_owned()),
        })
    }

    /// How much of a file is durable here; see [`Files::offset`](crate::store::Files::offset).
    pub(super) fn offset(&self, id: &PartialId) -> Result<Offset, FileError> {
        loop {
            if let Some(record) = self.same(&id.name, id.size, id.digest, None)?
                && record.state != State::Hasty
            {
                return Ok(Offset {
                    bytes: id.size,
                    published: Some(record.name),
                });
            }
            let Some(standing) = self.partials.standing(id) else {
                return Ok(Offset {
                    bytes: 0,
                    published: None,
                });
            };
            if standing.publishing {
                self.publisher.barrier();
                continue;
            }
            let marked = match &standing.writer {
                Some(writer) => self.mark(id, writer, standing.durable)?,
                None => Some(standing.durable),
            };
            let Some(bytes) = marked else {
                // That upload has ended meanwhile, and may have been cut.
                continue;
            };
            // The record may still be on its way to the disk.
            self.commit(|_| Ok(()))?;
            return Ok(Offset {
                bytes,
                published: None,
            });
        }
    }

    /// Makes durable what an upload under way has written. Returns how much that is; `None` if the
    /// upload has ended meanwhile.
    fn mark(
        &self,
        id: &PartialId,
        writer: &Arc<Writer>,
        durable: u64,
    ) -> Result<Option<u64>, StoreError> {
        let (file, arrived) = {
            let writing = writer.hold();
            (writing.file.clone(), writing.arrived)
        };
        match file {
            Some(file) if arrived > durable => {
                self.sync_partial(&file)?;
                Ok(self.note_partial(id, writer, arrived))
            }
            _ => Ok(Some(durable)),
        }
    }
}

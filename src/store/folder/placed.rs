//! Files that an operator places into `uploads` by hand: their digest is computed in the background,
//! once, and kept until they change.

use super::records::{Record, State, claims, file, forget, seen, stamps};
use super::{Shared, UPLOADS};
use crate::store::StoreError;
use crate::store::digester::Digester;
use crate::store::directory::Stamp;
use crate::wire::{Algorithm, FileName};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// At most so many wait; who is left out is noticed again.
const WAITING: usize = 1_024;

/// A file that was written to in the last so much time may still be being written to.
const SETTLED: Duration = Duration::from_secs(2);

/// So many files, or so many bytes of them, share one sync of the folder and one commit.
const TOGETHER: usize = 64;
const TOGETHER_BYTES: u64 = 64 << 20;

/// What a file turned out to be.
enum Look {
    /// It may still be being written to.
    Young,
    /// Nothing has to be done for it.
    Known,
    /// It was placed by hand.
    Digested(Digested),
}

/// A file that was digested and synced.
struct Digested {
    name: FileName,
    stamp: Stamp,
    sha256: [u8; 32],
    written: SystemTime,
}

/// The way to the thread that looks at such files.
#[derive(Debug)]
pub(super) struct Placed {
    names: Mutex<Option<Sender<FileName>>>,
    closed: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Placed {
    /// A way whose thread is still to be started, and what that thread serves.
    pub(super) fn new() -> (Self, Receiver<FileName>) {
        let (names, receiver) = crossbeam_channel::bounded(WAITING);
        let placed = Self {
            names: Mutex::new(Some(names)),
            closed: AtomicBool::new(false),
            thread: Mutex::new(None),
        };
        (placed, receiver)
    }

    /// Starts the thread.
    pub(super) fn start(&self, shared: &Arc<Shared>, names: Receiver<FileName>) -> io::Result<()> {
        let shared = Arc::clone(shared);
        let thread = thread::Builder::new()
            .name("digests".to_owned())
            .spawn(move || serve(&shared, &names))?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Has a file looked at of which nothing current is known.
    pub(super) fn notice(&self, name: &FileName) {
        if let Some(names) = &*self.names.lock() {
            // Full: it is noticed again by the next one who asks for it.
            let _ = names.try_send(name.clone());
        }
    }

    /// Ends the thread, in the middle of a file if need be.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        drop(self.names.lock().take());
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that digests files ended with a panic");
        }
    }
}

fn serve(shared: &Arc<Shared>, names: &Receiver<FileName>) {
    let mut waiting = shared.scan().unwrap_or_else(|error| {
        tracing::warn!("{UPLOADS} can't be looked through: {error}");
        BTreeSet::new()
    });
    loop {
        shared.look_at_all(&mut waiting);
        // What was too young is looked at again.
        let next = if waiting.is_empty() {
            names.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            names.recv_timeout(SETTLED)
        };
        match next {
            Ok(name) => {
                waiting.insert(name);
                waiting.extend(names.try_iter());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Shared {
    /// Computes and records the digests of those files of `waiting` that were placed by hand. Leaves
    /// there what has to be looked at again.
    pub(super) fn look_at_all(&self, waiting: &mut BTreeSet<FileName>) {
        let (mut together, mut bytes) = (Vec::new(), 0);
        for name in std::mem::take(waiting) {
            match self.look_at(&name) {
                Ok(Look::Young) => {
                    waiting.insert(name);
                }
                Ok(Look::Known) => {}
                Ok(Look::Digested(digested)) => {
                    bytes += digested.stamp.size;
                    together.push(digested);
                }
                Err(error) => {
                    tracing::warn!("the digest of {:?} can't be known: {error}", name.as_str());
                }
            }
            if together.len() >= TOGETHER || bytes >= TOGETHER_BYTES {
                self.record_digests(std::mem::take(&mut together), waiting);
                bytes = 0;
            }
        }
        self.record_digests(together, waiting);
    }

    /// Computes the digest of a file if it was placed by hand, and syncs it.
    fn look_at(&self, name: &FileName) -> Result<Look, StoreError> {
        let text = name.as_str();
        let Some((content, stamp)) = self.uploads.open_to_read(text)? else {
            return Ok(Look::Known);
        };
        let record = self.database.read(|db| file(db, text))?;
        if record.is_some_and(|it| it.stamp == stamp || !self.is_visible(&it)) {
            return Ok(Look::Known);
        }
        let written = UNIX_EPOCH + Duration::from_nanos(u64::try_from(stamp.mtime).unwrap_or(0));
        let age = SystemTime::now().duration_since(written);
        if age.is_ok_and(|age| age < SETTLED) {
            return Ok(Look::Young);
        }
        let mut digester = Digester::new(Algorithm::Sha256);
        let mut content = &content;
        while digester.read(&mut content, 8 << 20)? > 0 {
            if self.placed.closed.load(Ordering::Acquire) {
                return Ok(Look::Known);
            }
        }
        // Once this is recorded a duplicate vouches for it.
        self.check_fence()?;
        self.sync_file(content)?;
        Ok(Look::Digested(Digested {
            name: name.clone(),
            stamp,
            sha256: digester.finish().bytes,
            written,
        }))
    }

    /// Records digests whose files are synced. What has changed meanwhile goes back to `waiting`.
    fn record_digests(&self, mut digested: Vec<Digested>, waiting: &mut BTreeSet<FileName>) {
        if digested.is_empty() {
            return;
        }
        let recorded = self.sync_folder(&self.uploads).and_then(|()| {
            digested.retain(|it| {
                let now = self.uploads.stamp(it.name.as_str());
                let is_same = now.is_ok_and(|now| now == Some(it.stamp));
                if !is_same {
                    waiting.insert(it.name.clone());
                }
                is_same
            });
            self.commit(move |db| {
                for it in digested {
                    seen(db, it.name.as_str(), it.stamp, &it.sha256, it.written)?;
                }
                Ok(())
            })
        });
        if let Err(error) = recorded {
            tracing::warn!("digests of files placed by hand can't be kept: {error}");
        }
    }

    /// The files that were placed by hand since the last run. Forgets those that were taken away.
    fn scan(&self) -> Result<BTreeSet<FileName>, StoreError> {
        let mut placed = BTreeSet::new();
        let recorded = self.database.read(stamps)?;
        for name in self.uploads.names()? {
            if self.placed.closed.load(Ordering::Acquire) {
                return Ok(BTreeSet::new());
            }
            let known = recorded.get(name.as_str());
            if known.is_none() || self.uploads.stamp(&name)?.as_ref() != known {
                placed.extend(FileName::new(name));
            }
        }
        for (name, stamp) in recorded {
            if !self.uploads.holds(&name)? {
                self.forget_gone(name, stamp)?;
            }
        }
        Ok(placed)
    }

    /// Forgets a file that was taken away by hand, unless it is another one by now.
    fn forget_gone(&self, name: String, stamp: Stamp) -> Result<(), StoreError> {
        let owners = self.commit(move |db| {
            let still = file(db, &name)?;
            let is_gone =
                |record: &Record| record.stamp == stamp && record.state != State::Publishing;
            if !still.as_ref().is_some_and(is_gone) {
                return Ok(Vec::new());
            }
            let owners = claims(db, &name)?;
            forget(db, &name)?;
            Ok(owners)
        })?;
        if !owners.is_empty() {
            self.space.give_back(&owners, stamp.size);
        }
        Ok(())
    }
}

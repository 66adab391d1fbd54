//! The lasting engine of [`Messages`]: an append-only file of JSON lines, one thread that writes
//! it, and one sync for all posts that wait.
//!
//! The format is in `record`, reading a file at the start in `scan`, putting right what a crash
//! left in `opening`, the thread in `writer`. Reading messages back is left to the next engine.

mod disk;
#[cfg(test)]
mod faults;
mod opening;
mod record;
mod scan;
#[cfg(test)]
mod tests;
mod writer;

use super::{
    Messages, NewMessage, Page, Pending, PersonalRooms, Query, RoomHead, StoreError, Witness,
};
use crate::ticket::redeem_all;
use crate::time::{Clock, Random};
use crate::wire::RoomName;
use crossbeam_channel::{Receiver, Sender};
use disk::{Disk, FileDisk};
use opening::Opened;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use writer::{Writer, refuse_rest};

/// Messages in the file `messages.log`, each durable before its receipt is given.
pub struct Journal {
    id: String,
    notes: Vec<String>,
    jobs: Sender<Job>,
    witness: Arc<OnceLock<Arc<dyn Witness>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// One message on its way to the journal thread.
struct Post {
    message: NewMessage,
    pending: Option<Pending>,
}

/// What the journal thread is asked to do.
enum Job {
    /// Keep a message.
    Post(Post),
    /// End once everything before it is committed.
    Close,
}

impl Journal {
    /// Opens the messages in the folder `home`, or begins a new file there. What a crash left is
    /// moved aside, never deleted. Everything that was found is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file can't be read, created or synced, or was written by a newer
    /// version of this program. Damage is no error: see [`notes`](Self::notes).
    pub fn open(home: &Path, clock: Clock, random: &Random) -> Result<Self, StoreError> {
        let Opened {
            id,
            notes,
            disk,
            ledger,
            good,
            torn,
        } = opening::open(home, random)?;
        for note in &notes {
            tracing::warn!("{}: {note}", disk::NAME);
        }
        let writer = Writer::<FileDisk>::new(disk, ledger, clock, good, torn);
        Self::start(id, notes, writer)
    }

    /// What was found damaged when the file was opened, a sentence each; already logged.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn start<D: Disk + 'static>(
        id: String,
        notes: Vec<String>,
        mut writer: Writer<D>,
    ) -> Result<Self, StoreError> {
        // Unbounded: how much may wait is bounded before it gets here, by what each connection
        // may leave unanswered and by the budget that every message is charged to.
        let (jobs, receiver) = crossbeam_channel::unbounded();
        let witness = Arc::clone(&writer.witness);
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || serve(&mut writer, &receiver))?;
        Ok(Self {
            id,
            notes,
            jobs,
            witness,
            thread: Mutex::new(Some(thread)),
        })
    }
}

/// The journal thread. A panic in it fences the store but neither hangs nor loses a ticket.
fn serve<D: Disk>(writer: &mut Writer<D>, jobs: &Receiver<Job>) {
    let end = catch_unwind(AssertUnwindSafe(|| writer.run(jobs)));
    if end.is_err() {
        tracing::error!("the journal thread panicked: no message is taken until a restart");
        refuse_rest(jobs.iter());
    }
    // Posts that raced with the close.
    refuse_rest(jobs.try_iter());
}

impl Messages for Journal {
    fn post(&self, message: NewMessage, pending: Option<Pending>) {
        let refused = self.jobs.send(Job::Post(Post { message, pending }));
        if let Err(error) = refused
            && let Job::Post(Post { message, pending }) = error.into_inner()
            && let Some(pending) = pending
        {
            let answer = (pending.answer)(message.room, Err(&StoreError::Fenced));
            redeem_all([(pending.ticket, answer)]);
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn observe(&self, witness: Arc<dyn Witness>) {
        let _ = self.witness.set(witness);
    }

    fn head(&self, _: &RoomName) -> Result<u64, StoreError> {
        Err(StoreError::Io(std::io::ErrorKind::Unsupported.into()))
    }

    fn last_before(&self, _: std::time::SystemTime) -> Result<u64, StoreError> {
        Err(StoreError::Io(std::io::ErrorKind::Unsupported.into()))
    }

    fn page(&self, _: &Query) -> Result<Page, StoreError> {
        Err(StoreError::Io(std::io::ErrorKind::Unsupported.into()))
    }

    fn rooms(
        &self,
        _: Option<&RoomName>,
        _: usize,
        _: PersonalRooms<'_>,
    ) -> Result<Vec<RoomHead>, StoreError> {
        Err(StoreError::Io(std::io::ErrorKind::Unsupported.into()))
    }

    fn close(&self) {
        // Held while joining, so that a second caller also returns only once all is committed.
        let mut thread = self.thread.lock();
        let Some(thread) = thread.take() else { return };
        // Fails only if the thread is gone already.
        let _ = self.jobs.send(Job::Close);
        if thread.thread().id() == thread::current().id() {
            // The last owner was a ticket's: the thread can't wait for itself, and ends next.
            return;
        }
        if thread.join().is_err() {
            tracing::error!("the journal thread ended with a panic");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

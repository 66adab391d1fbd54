//! The journal thread: takes all posts that wait, writes them with one write, makes them durable
//! with one sync, and only then redeems their tickets.

use super::disk::Disk;
use super::{Job, Post, record};
use crate::store::ledger::{Ledger, to_millis};
use crate::store::{Kept, Receipt, StoreError, Witness};
use crate::ticket::redeem_all;
use crate::time::Clock;
use crossbeam_channel::Receiver;
use std::io;
use std::sync::{Arc, OnceLock};

/// Most posts in one batch.
const BATCH_POSTS: usize = 1_024;

/// A batch is closed once its texts have so many bytes together.
const BATCH_BYTES: usize = 8 << 20;

/// A line buffer above this size is given back after its batch.
const KEPT_BYTES: usize = 16 << 20;

/// Whether the file can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It can.
    Open,
    /// There was no space. The next batch tries a new handle.
    Full,
    /// A write or a sync failed: until a restart nobody knows what the disk holds.
    Fenced,
}

/// What the journal thread owns.
pub(super) struct Writer<D> {
    disk: D,
    ledger: Ledger,
    clock: Clock,
    state: State,
    /// The length of the file up to the last line that is durable.
    good: u64,
    /// The highest seq that is durable.
    durable: u64,
    /// What goes between the good part and the next line: a line end if a torn tail had to stay.
    lead: &'static [u8],
    /// How many messages were refused since there was no space.
    refused: u64,
    lines: Vec<u8>,
    pub(super) witness: Arc<OnceLock<Arc<dyn Witness>>>,
}

impl<D: Disk> Writer<D> {
    /// A writer that goes on behind the first `good` bytes of `disk`, all of them durable.
    pub(super) fn new(disk: D, ledger: Ledger, clock: Clock, good: u64, torn: bool) -> Self {
        Self {
            durable: ledger.last(),
            disk,
            ledger,
            clock,
            state: State::Open,
            good,
            lead: if torn { b"\n" } else { b"" },
            refused: 0,
            lines: Vec::new(),
            witness: Arc::default(),
        }
    }

    /// Serves `jobs` until one says close or nobody can send any more.
    pub(super) fn run(&mut self, jobs: &Receiver<Job>) {
        let mut open = true;
        while open && let Ok(first) = jobs.recv() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Post(post) => {
                        bytes += post.message.text.len();
                        batch.push(post);
                    }
                    Job::Close => {
                        open = false;
                        break;
                    }
                }
                let full = batch.len() >= BATCH_POSTS || bytes >= BATCH_BYTES;
                next = if full { None } else { jobs.try_recv().ok() };
            }
            self.commit(batch);
        }
    }

    /// Keeps a batch, or none of it, and redeems its tickets.
    fn commit(&mut self, batch: Vec<Post>) {
        if self.state == State::Fenced {
            return refuse(batch, &StoreError::Fenced);
        }
        let time = to_millis(self.clock.now());
        let words = humantime::format_rfc3339_millis(time).to_string();
        let mut admitted = Vec::with_capacity(batch.len());
        let mut exhausted = Vec::new();
        self.lines.clear();
        for post in batch {
            let Some(receipt) = self.ledger.admit(&post.message, time) else {
                exhausted.push(post);
                continue;
            };
            if !receipt.duplicate {
                if self.lines.is_empty() {
                    self.lines.extend_from_slice(self.lead);
                }
                record::write(&mut self.lines, &post.message, &receipt, &words);
            }
            admitted.push((post, receipt));
        }
        match self.store() {
            Ok(()) => {
                self.durable = self.ledger.last();
                let kept = redeem(admitted);
                if let Some(witness) = self.witness.get() {
                    witness.kept(kept);
                }
            }
            Err(error) => self.take_back(admitted, &error),
        }
        refuse(exhausted, &StoreError::Fenced);
        if self.lines.capacity() > KEPT_BYTES {
            self.lines = Vec::new();
        }
    }

    /// Makes `lines` durable behind the good part.
    fn store(&mut self) -> Result<(), StoreError> {
        if self.lines.is_empty() {
            return Ok(());
        }
        match self.write() {
            Ok(()) => {
                self.good += self.lines.len() as u64;
                self.lead = b"";
                if self.state == State::Full {
                    self.state = State::Open;
                    let refused = std::mem::take(&mut self.refused);
                    tracing::warn!("there is space again; {refused} messages were refused");
                }
                Ok(())
            }
            Err(error) => Err(self.note_failure(error)),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if self.state == State::Full {
            // As at a start: a new handle, the good part and nothing else, and that made durable.
            self.disk.reopen()?;
            self.disk.truncate(self.good)?;
            self.disk.sync()?;
        }
        self.disk.append(self.good, &self.lines)?;
        self.disk.sync()
    }

    fn note_failure(&mut self, error: io::Error) -> StoreError {
        let text = error.to_string();
        match StoreError::from(error) {
            StoreError::NoSpace => {
                if self.state != State::Full {
                    tracing::warn!("{text}: messages are refused until there is space");
                }
                self.state = State::Full;
                // At once, so that what is refused now does not come back at the next start; if
                // it can't be done the next batch begins with it.
                if let Err(error) = self.disk.truncate(self.good) {
                    tracing::warn!("a refused message may be found at the next start: {error}");
                }
                StoreError::NoSpace
            }
            _ => {
                self.state = State::Fenced;
                tracing::error!(
                    "messages can't be written: {text}. None is taken until a restart; \
                     check the disk first"
                );
                StoreError::Fenced
            }
        }
    }

    /// Refuses a batch that could not be kept, except for resends of what is durable already.
    fn take_back(&mut self, admitted: Vec<(Post, Receipt)>, error: &StoreError) {
        let (mut kept, mut lost) = (Vec::new(), Vec::new());
        for (post, receipt) in admitted.into_iter().rev() {
            self.ledger.revoke(&post.message, &receipt);
            if receipt.seq <= self.durable {
                kept.push((post, receipt));
            } else {
                lost.push(post);
            }
        }
        kept.reverse();
        lost.reverse();
        self.refused += lost.len() as u64;
        let _ = redeem(kept);
        refuse(lost, error);
    }
}

/// Refuses what still comes once the thread can't or may not write any more.
pub(super) fn refuse_rest(jobs: impl Iterator<Item = Job>) {
    for job in jobs {
        match job {
            Job::Post(post) => refuse(vec![post], &StoreError::Fenced),
            Job::Close => break,
        }
    }
}

// Both gather the answers first: if one of them panics, the tickets not yet redeemed drop and
// redeem themselves, which they could not do from inside `redeem_all`.

fn redeem(admitted: Vec<(Post, Receipt)>) -> Vec<Kept> {
    let mut kept = Vec::new();
    let answer = |(post, receipt): (Post, Receipt)| {
        let room = post.message.room.clone();
        if !receipt.duplicate {
            kept.push(post.message.kept(&receipt));
        }
        let pending = post.pending?;
        Some((pending.ticket, (pending.answer)(room, Ok(receipt))))
    };
    let answers: Vec<_> = admitted.into_iter().filter_map(answer).collect();
    redeem_all(answers);
    kept
}

fn refuse(lost: Vec<Post>, error: &StoreError) {
    let answer = |post: Post| {
        let pending = post.pending?;
        let answer = (pending.answer)(post.message.room, Err(error));
        Some((pending.ticket, answer))
    };
    let answers: Vec<_> = lost.into_iter().filter_map(answer).collect();
    redeem_all(answers);
}

//! Letting go of messages that need not be kept any longer: a thread that looks for them beside the
//! work, and has the journal delete a few at a time in its commits.
//!
//! The newest message of each room is never let go. So a room's head, the `prev` of what comes next
//! and the highest seq that was told stay what they were, also after a restart, and what is kept of
//! a room is always its end, without holes. What was the newest goes with the next round after
//! there is a newer one.

use super::change;
use super::checkpoint::Trigger;
use super::fence::Fence;
use super::journal::Job;
use super::readers::Readers;
use super::row::{from_column, to_milliseconds};
use crate::store::search::Index;
use crate::store::{Retention, StoreError};
use crate::time::Clock;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rusqlite::Connection;
use rusqlite::types::ToSqlOutput;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A round is made at least so often.
const EVERY: Duration = Duration::from_secs(60);

/// Rounds that take long are rarer: between them lies so many times what the last one took.
const REST_OF_ROUNDS: u32 = 20;

/// With a bound for bytes there is a round once so many were posted, or a sixteenth of the bound.
const EVERY_BYTES: u64 = 16 << 20;

/// At most so many messages are deleted in one commit: a millisecond or two, which every receipt
/// of that commit waits for.
const GOING: usize = 128;

/// The same for texts of so many bytes together, but at least one message.
const GOING_BYTES: u64 = 1 << 20;

/// A page of an index, which is written for a key; and what one message is of other pages.
const KEY_BYTES: usize = 4 << 10;
const ROW_BYTES: usize = 512;

/// At most so many are looked at in one go.
const LOOKED: u32 = 1_024;

/// At most so many are counted in one go.
const COUNTED: u32 = 4_096;

/// Asks for a round; dropped when it has been made.
pub(super) struct Wake {
    #[cfg(test)]
    _done: Option<Sender<()>>,
}

impl Wake {
    /// One that nobody waits for.
    const fn new() -> Self {
        Self {
            #[cfg(test)]
            _done: None,
        }
    }

    /// One whose end is seen as the end of `done`.
    #[cfg(test)]
    pub(super) const fn telling(done: Sender<()>) -> Self {
        Self { _done: Some(done) }
    }
}

/// Asks for a round when so much was posted that there may be too much.
pub(super) struct Alarm {
    wakes: Sender<Wake>,
    /// `None` where only the age counts. The alarm still tells when the journal ends, by its drop.
    every: Option<u64>,
    bytes: u64,
}

impl Alarm {
    /// One for a bound of `bytes`.
    fn new(wakes: Sender<Wake>, bytes: Option<u64>) -> Self {
        Self {
            wakes,
            every: bytes.map(|bytes| (bytes / 16).clamp(1, EVERY_BYTES)),
            bytes: 0,
        }
    }

    /// A batch with `bytes` of text was committed.
    pub(super) fn wrote(&mut self, bytes: usize) {
        let Some(every) = self.every else { return };
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes >= every {
            self.bytes = 0;
            // Full: it has not yet got to the last one. Gone: it has said why.
            let _ = self.wakes.try_send(Wake::new());
        }
    }
}

/// What the thread owns.
pub(super) struct Pruner {
    pub(super) retention: Retention,
    pub(super) clock: Clock,
    pub(super) readers: Arc<Readers>,
    pub(super) fence: Arc<Fence>,
    pub(super) index: Arc<Index>,
    pub(super) trigger: Trigger,
    pub(super) jobs: Sender<Job>,
}

/// Starts the thread, with a first round at once; `None` if there is nothing to do for it. It ends
/// when every sender is dropped, the journal's being the last.
pub(super) fn start(pruner: Pruner) -> io::Result<Option<(Alarm, Running)>> {
    if pruner.retention.is_for_ever() {
        return Ok(None);
    }
    let (sender, wakes) = crossbeam_channel::bounded(1);
    let alarm = Alarm::new(sender.clone(), pruner.retention.bytes);
    let thread = thread::Builder::new()
        .name("retention".to_owned())
        .spawn(move || Rounds::new(pruner, wakes).run())?;
    Ok(Some((alarm, (sender, thread))))
}

/// What wakes the thread, and its handle.
pub(super) type Running = (Sender<Wake>, JoinHandle<()>);

/// Why a round ended early.
enum Ended {
    /// The store is closed.
    Closed,
    /// It could not be read or written; the next round tries again.
    Failed(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// The texts of the messages up to a seq, counted; what was let go is taken off.
#[derive(Debug, Clone, Copy, Default)]
struct Total {
    through: i64,
    bytes: u64,
}

/// What was seen in one go.
#[derive(Debug, Default)]
struct Look {
    /// Those that are to go, and the bytes of their texts.
    going: Vec<i64>,
    bytes: u64,
    /// How many of them have a key.
    keys: usize,
    /// Up to here all was looked at.
    through: i64,
    /// Whether what follows is to be kept.
    is_end: bool,
}

struct Rounds {
    pruner: Pruner,
    wakes: Receiver<Wake>,
    /// Those that came in the midst of a round.
    next: Vec<Wake>,
    total: Total,
}

impl Rounds {
    fn new(pruner: Pruner, wakes: Receiver<Wake>) -> Self {
        Self {
            pruner,
            wakes,
            next: Vec::new(),
            total: Total::default(),
        }
    }

    fn run(mut self) {
        let mut wakes = Vec::new();
        loop {
            let begun = Instant::now();
            match self.round() {
                Ok(()) => {}
                Err(Ended::Closed) => return,
                Err(Ended::Failed(error)) => {
                    tracing::debug!("old messages are kept for now: {error}");
                }
            }
            drop(wakes);
            wakes = std::mem::take(&mut self.next);
            if wakes.is_empty() {
                let rest = EVERY.max(begun.elapsed() * REST_OF_ROUNDS);
                match self.wakes.recv_timeout(rest) {
                    Ok(wake) => wakes.push(wake),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }

    /// Lets go what is no longer to be kept, from the oldest on.
    fn round(&mut self) -> Result<(), Ended> {
        let Retention { age: _, bytes } = self.pruner.retention;
        if self.pruner.fence.is_up() {
            return Err(StoreError::Fenced.into());
        }
        if bytes.is_some() {
            self.count()?;
        }
        let now = self.pruner.clock.now();
        let cutoff = self.pruner.retention.cutoff(now).map(to_milliseconds);
        let until = bytes.map_or(i64::MAX, |_| self.total.through);
        let (mut after, mut gone) = (0, 0);
        loop {
            let begun = Instant::now();
            let excess = bytes.map_or(0, |most| self.total.bytes.saturating_sub(most));
            let look = |connection: &Connection| look(connection, (after, until), cutoff, excess);
            let look = self.pruner.readers.read(look)?;
            after = look.through;
            if !look.going.is_empty() {
                let wrote = look.going.len() * ROW_BYTES + look.keys * KEY_BYTES;
                gone += look.going.len();
                self.delete(look.going)?;
                self.pruner.trigger.wrote(wrote);
                self.total.bytes = self.total.bytes.saturating_sub(look.bytes);
            }
            if look.is_end {
                break;
            }
            self.rest(begun)?;
        }
        self.pruner.index.forget(from_column(after));
        if gone > 0 {
            tracing::debug!("{gone} messages are no longer kept");
        }
        Ok(())
    }

    /// Counts what was committed since the last time.
    fn count(&mut self) -> Result<(), Ended> {
        loop {
            let begun = Instant::now();
            let after = self.total.through;
            let (rows, through, bytes) = (self.pruner.readers).read(|db| count(db, after))?;
            self.total.through = through;
            self.total.bytes = self.total.bytes.saturating_add(bytes);
            if rows < COUNTED {
                return Ok(());
            }
            self.rest(begun)?;
        }
    }

    /// Has the journal delete these in its next commit, and waits for that.
    fn delete(&self, seqs: Vec<i64>) -> Result<(), StoreError> {
        let (sender, done) = crossbeam_channel::bounded(1);
        let change = change::pack(
            move |writing| Ok(delete(writing, &seqs)?),
            // It is waited for until it is told or dropped.
            move |result| drop(sender.send(result)),
        );
        // Refused, it is dropped, and that tells.
        let _ = self.pruner.jobs.send(Job::Change(change));
        done.recv().unwrap_or(Err(StoreError::Fenced))
    }

    /// Rests for as long as what was `begun` took, so that others come to their turn.
    fn rest(&mut self, begun: Instant) -> Result<(), Ended> {
        match self.wakes.recv_timeout(begun.elapsed()) {
            Ok(wake) => self.next.push(wake),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Ended::Closed),
        }
        Ok(())
    }
}

/// How many messages come `after` a seq, at most [`COUNTED`], the seq of the last of them, and the
/// bytes of their texts.
fn count(connection: &Connection, after: i64) -> rusqlite::Result<(u32, i64, u64)> {
    let sql = "SELECT count(*), ifnull(max(seq), ?1), ifnull(sum(bytes), 0) FROM
        (SELECT seq, octet_length(text) AS bytes FROM message WHERE seq > ?1 ORDER BY seq LIMIT ?2)";
    let mut count = connection.prepare_cached(sql)?;
    count.query_row((after, COUNTED), |row| {
        Ok((row.get(0)?, row.get(1)?, from_column(row.get(2)?)))
    })
}

/// Looks among those after `after` up to `until` for messages to let go: those from before `cutoff`,
/// in milliseconds since 1970, and the oldest until they have `excess` bytes together. Reads all that
/// their deletion will change, so that the journal does not wait for the disk to read it.
fn look(
    connection: &Connection,
    (after, until): (i64, i64),
    cutoff: Option<i64>,
    excess: u64,
) -> rusqlite::Result<Look> {
    // Told by its header alone, however long the text is.
    let sql = "SELECT seq, time, octet_length(text), room FROM message
        WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3";
    let mut oldest = connection.prepare_cached(sql)?;
    let newer = "SELECT EXISTS (SELECT 1 FROM message WHERE room = ?1 AND seq > ?2)";
    let mut newer = connection.prepare_cached(newer)?;
    let touch = "SELECT text, (SELECT seq FROM message AS same INDEXED BY message_key
            WHERE same.key = one.key AND same.room = one.room
            AND ifnull(same.sender, '') = ifnull(one.sender, ''))
        FROM message AS one WHERE seq = ?1";
    let mut touch = connection.prepare_cached(touch)?;
    let mut rows = oldest.query((after, until, LOOKED))?;
    let mut look = Look {
        through: after,
        ..Look::default()
    };
    let mut looked = 0;
    while look.going.len() < GOING && look.bytes < GOING_BYTES {
        let Some(row) = rows.next()? else {
            look.is_end = looked < LOOKED;
            break;
        };
        looked += 1;
        let (seq, time): (i64, i64) = (row.get(0)?, row.get(1)?);
        if look.bytes >= excess && cutoff.is_none_or(|cutoff| time >= cutoff) {
            look.is_end = true;
            break;
        }
        look.through = seq;
        let room = ToSqlOutput::Borrowed(row.get_ref(3)?);
        if newer.query_row((room, seq), |row| row.get(0))? {
            let key: Option<i64> = touch.query_row([seq], |row| row.get(1))?;
            look.keys += usize::from(key.is_some());
            look.going.push(seq);
            look.bytes += from_column(row.get(2)?);
        }
    }
    Ok(look)
}

fn delete(connection: &Connection, seqs: &[i64]) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM message WHERE seq = ?1")?;
    for seq in seqs {
        delete.execute([seq])?;
    }
    Ok(())
}

//! Writing inside a commit: a message gets its place, and other stores change their own tables.
//!
//! The counters live in memory and are looked up in the file only where they are missing. When a
//! commit begins and ends is left to the journal.

use super::change::Change;
use super::fault::Failure;
use super::row::{INSERT, Row, from_column, from_milliseconds, to_column};
use super::schema::{RESERVED, meta, set_meta};
use crate::store::ledger::MAX_SEQ;
use crate::store::{Kept, NewMessage, Receipt, StoreError};
use crate::wire::{RoomName, UserName};
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use std::collections::HashMap;
use std::ops::Deref;
use std::time::SystemTime;

/// The file says for so many seqs at once that they may be used.
const BLOCK: u64 = 10_000;

/// At most the heads of so many rooms are remembered.
const REMEMBERED_ROOMS: usize = 1 << 16;

const HEAD: &str = "SELECT max(seq) FROM message WHERE room = ?1";

const BY_KEY: &str = "SELECT seq, prev, time FROM message INDEXED BY message_key
    WHERE key = ?1 AND room = ?2 AND ifnull(sender, '') = ?3";

/// What is counted. Lives as long as the journal thread, so that a seq that was given to a message
/// that could not be kept is not given again.
#[derive(Debug)]
pub(super) struct Counters {
    /// The highest seq that was given.
    last: u64,
    /// The highest seq that the file says may be used.
    reserved: u64,
    heads: HashMap<RoomName, u64>,
    /// For checksums.
    scratch: Vec<u8>,
}

impl Counters {
    /// Reads where the file's counting stands. If it `lost` messages it goes on behind every seq
    /// that may have been told.
    pub(super) fn load(connection: &Connection, lost: bool) -> rusqlite::Result<Self> {
        let last = "SELECT ifnull(max(seq), 0) FROM message";
        let last = connection.query_row(last, [], |row| row.get(0));
        let last = from_column(last?);
        let reserved = meta(connection, RESERVED)?.map_or(0, from_column);
        Ok(Self {
            last: if lost { last.max(reserved) } else { last },
            reserved,
            heads: HashMap::new(),
            scratch: Vec::new(),
        })
    }

    /// The highest seq given so far.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// Forgets what a commit that failed may have changed. What it gave stays given: a gap is
    /// harmless, a seq told twice is not.
    pub(super) fn forget(&mut self) {
        self.heads.clear();
        // Looked up again by nobody: the next message writes it once more.
        self.reserved = 0;
    }
}

/// A commit that is being put together. Gives its connection, for the tables of other stores.
pub(in crate::store) struct Writing<'a> {
    connection: &'a Connection,
    counters: &'a mut Counters,
    insert: CachedStatement<'a>,
    time: SystemTime,
    kept: Vec<Kept>,
}

impl<'a> Writing<'a> {
    /// Begins to write what was taken in at `time`.
    pub(super) fn new(
        connection: &'a Connection,
        counters: &'a mut Counters,
        time: SystemTime,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            counters,
            insert: connection.prepare_cached(INSERT)?,
            time,
            kept: Vec::new(),
        })
    }

    /// Gives `message` its place in this commit, or the place that the first message with its key
    /// got. The witness is told after the commit.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it can't be written.
    pub(in crate::store) fn post(&mut self, message: NewMessage) -> Result<Receipt, StoreError> {
        self.admit(message)?.ok_or(StoreError::Fenced)
    }

    /// The same; `None` once the numbers are used up.
    pub(super) fn admit(&mut self, message: NewMessage) -> rusqlite::Result<Option<Receipt>> {
        if let Some(receipt) = find(self.connection, &message)? {
            return Ok(Some(receipt));
        }
        if self.counters.last >= MAX_SEQ {
            return Ok(None);
        }
        let receipt = Receipt {
            seq: self.counters.last + 1,
            prev: self.head(&message.room)?,
            time: self.time,
            duplicate: false,
        };
        self.reserve(receipt.seq)?;
        // Also if what follows fails: nobody can say then whether the row is there.
        self.counters.last = receipt.seq;
        let digest = message.file.as_ref().and_then(|file| file.digest);
        let digest = digest.map(|digest| digest.to_string());
        let place = (receipt.seq, receipt.prev);
        let row = Row::new(&message, digest.as_deref(), place, self.time);
        let checksum = row.checksum(&mut self.counters.scratch);
        self.insert.execute(row.values(checksum))?;
        self.remember(&message.room, receipt.seq);
        self.kept.push(message.kept(&receipt));
        Ok(Some(receipt))
    }

    /// Makes `change`, and undoes it, but nothing else, if it fails.
    ///
    /// # Errors
    ///
    /// [`Failure`] if all that was written so far is lost with it.
    pub(super) fn apply(&mut self, change: &mut dyn Change) -> Result<(), Failure> {
        self.run("SAVEPOINT change")?;
        let mark = self.kept.len();
        if let Err(error) = change.apply(self) {
            if self.connection.is_autocommit() {
                // SQLite gave up the whole transaction.
                return Err(error.into());
            }
            self.run("ROLLBACK TO change")?;
            self.kept.truncate(mark);
            self.counters.forget();
        }
        Ok(self.run("RELEASE change")?)
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// What is to be told to the witness once all this is committed.
    pub(super) fn finish(self) -> Vec<Kept> {
        self.kept
    }

    /// The seq of the last message of `room`.
    fn head(&self, room: &RoomName) -> rusqlite::Result<u64> {
        match self.counters.heads.get(room) {
            Some(head) => Ok(*head),
            None => head(self.connection, room),
        }
    }

    fn remember(&mut self, room: &RoomName, seq: u64) {
        let heads = &mut self.counters.heads;
        if let Some(head) = heads.get_mut(room) {
            *head = seq;
            return;
        }
        if heads.len() >= REMEMBERED_ROOMS {
            heads.clear();
        }
        heads.insert(room.clone(), seq);
    }

    /// Sees to it that the file allows `seq`, and a good many behind it: who loses the last rows
    /// to damage still knows which numbers may have been told.
    fn reserve(&mut self, seq: u64) -> rusqlite::Result<()> {
        if seq + BLOCK > self.counters.reserved {
            let reserved = seq + 2 * BLOCK;
            set_meta(self.connection, RESERVED, to_column(reserved))?;
            self.counters.reserved = reserved;
        }
        Ok(())
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// The seq of the last message of `room`; 0 if there is none.
pub(super) fn head(connection: &Connection, room: &RoomName) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(HEAD)?;
    let head: Option<i64> = statement.query_row([room.as_str()], |row| row.get(0))?;
    Ok(head.map_or(0, from_column))
}

/// The receipt of the first message with the key of `message`, if it has one.
pub(super) fn find(
    connection: &Connection,
    message: &NewMessage,
) -> rusqlite::Result<Option<Receipt>> {
    let Some(key) = &message.key else {
        return Ok(None);
    };
    let mut statement = connection.prepare_cached(BY_KEY)?;
    let sender = message.from.as_ref().map_or("", UserName::as_str);
    let scope = (key.as_str(), message.room.as_str(), sender);
    let receipt = |row: &rusqlite::Row<'_>| {
        Ok(Receipt {
            seq: from_column(row.get(0)?),
            prev: from_column(row.get(1)?),
            time: from_milliseconds(row.get(2)?),
            duplicate: true,
        })
    };
    statement.query_row(scope, receipt).optional()
}

//! The file of the index, `gatepost-index.db`: blocks and their chunks in SQLite.
//!
//! It holds nothing that the messages don't tell, so it is never synced and may be thrown away at
//! any time. What a crash or a bad disk does to it is found where it is read: every block and every
//! chunk carries a checksum, each block tells where the one before it ends, and a block tells where
//! each of its chunks begins. A token that is looked up is found, or is truly not there, or the
//! index is damaged.

use super::block::Sealed;
use super::chunk;
use super::docs::{Damaged, Docs};
use crate::store::directory::{Access, Directory};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use std::{fmt, io};

/// Its name in the home folder.
pub(super) const NAME: &str = "gatepost-index.db";

/// What SQLite keeps beside it.
const BESIDE: [&str; 2] = ["gatepost-index.db-wal", "gatepost-index.db-shm"];

/// Blocks of another form are thrown away and made anew.
const FORM: i64 = 2;

/// Only a person with a shell of SQLite ever has the file locked.
const PATIENCE: Duration = Duration::from_secs(1);

const SCHEMA: &str = "
    CREATE TABLE made (form INTEGER NOT NULL, store TEXT NOT NULL, begin INTEGER NOT NULL) STRICT;
    CREATE TABLE block (
        last INTEGER PRIMARY KEY,
        after INTEGER NOT NULL,
        first INTEGER NOT NULL,
        chunk INTEGER NOT NULL,
        lows BLOB NOT NULL,
        checksum INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE chunk (
        number INTEGER PRIMARY KEY,
        checksum INTEGER NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
";

/// Why the index can't be used.
#[derive(Debug)]
pub(super) enum IndexError {
    /// What is there is not what was written: it is to be thrown away.
    Damaged,
    /// It is of another store or form: it is to be thrown away.
    Foreign,
    /// It can't be reached or written now; what is there may be good.
    Refused(String),
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("it is damaged"),
            Self::Foreign => f.write_str("it belongs to another store"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory,
            ) => Self::Refused(error.to_string()),
            // What was written is not there any more in this form, or lies on a bad place of the
            // disk, and a new file lies elsewhere.
            _ => Self::Damaged,
        }
    }
}

impl From<Damaged> for IndexError {
    fn from(Damaged: Damaged) -> Self {
        Self::Damaged
    }
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

/// A block, without its chunks.
#[derive(Debug)]
pub(super) struct Block {
    /// The last seq of the block before it.
    pub(super) after: u64,
    /// The seq from which its messages are counted.
    pub(super) first: u64,
    /// Its last seq.
    pub(super) last: u64,
    /// The number of its first chunk.
    chunk: i64,
    /// The first token of each chunk, eight bytes each.
    lows: Vec<u8>,
}

/// A connection to the file.
#[derive(Debug)]
pub(super) struct IndexFile(Connection);

impl IndexFile {
    /// Opens or creates the file in the folder `home`, to write to it, for the store `store`.
    ///
    /// # Errors
    ///
    /// [`IndexError`].
    pub(super) fn create(home: &Path, store: &str) -> Result<Self, IndexError> {
        let folder = Directory::open(home)?;
        if !folder.holds(NAME)? {
            // What lies beside a file that is gone would be taken for its own.
            discard(home)?;
            drop(folder.create(NAME, Access::Private)?);
        }
        let mut connection = connect(home)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "off")?;
        connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
        let transaction = connection.transaction()?;
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            transaction.execute_batch(SCHEMA)?;
            transaction.execute("INSERT INTO made VALUES (?1, ?2, 0)", params![FORM, store])?;
        }
        transaction.commit()?;
        let made = connection.query_row("SELECT form, store FROM made", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        });
        if made.optional()? != Some((FORM, store.to_owned())) {
            return Err(IndexError::Foreign);
        }
        Ok(Self(connection))
    }

    /// Opens the file to read it.
    ///
    /// # Errors
    ///
    /// [`IndexError`].
    pub(super) fn open(home: &Path) -> Result<Self, IndexError> {
        let connection = connect(home)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Self(connection))
    }

    /// Begins to read what is there now, until [`Self::end_reading`]. Without it every look at a
    /// block would lock and unlock the file.
    ///
    /// # Errors
    ///
    /// [`IndexError`].
    pub(super) fn begin_reading(&self) -> Result<(), IndexError> {
        Ok(self.0.prepare_cached("BEGIN")?.execute([]).map(drop)?)
    }

    /// Ends what [`Self::begin_reading`] began.
    ///
    /// # Errors
    ///
    /// [`IndexError`].
    pub(super) fn end_reading(&self) -> Result<(), IndexError> {
        Ok(self.0.prepare_cached("COMMIT")?.execute([]).map(drop)?)
    }

    /// The last seq that a block speaks of, 0 if there is no block.
    ///
    /// # Errors
    ///
    /// [`IndexError`].
    pub(super) fn end(&self) -> Result<u64, IndexError> {
        let mut find = self.0.prepare_cached("SELECT max(last) FROM block")?;
        let end: Option<i64> = find.query_row([], |row| row.get(0))?;
        u64::try_from(end.unwrap_or(0)).map_err(|_| IndexError::Damaged)
    }

    /// The seq up to which blocks were deleted as of no more use, 0 if none was. That a first block
    /// is gone says nothing: it may be damage.
    ///
    /// # Errors
    ///
    /// [`IndexError`].
    pub(super) fn begin(&self) -> Result<u64, IndexError> {
        let mut find = self.0.prepare_cached("SELECT begin FROM made")?;
        let begin: i64 = find.query_row([], |row| row.get(0))?;
        u64::try_from(begin).map_err(|_| IndexError::Damaged)
    }

    /// Deletes the first block if it speaks only of messages up to `seq`, and is not the last one,
    /// which tells where the next begins. Returns whether it did. The space is used again.
    ///
    /// # Errors
    ///
    /// [`IndexError`]; nothing is then deleted.
    pub(super) fn forget(&mut self, seq: u64) -> Result<bool, IndexError> {
        let transaction = self.0.transaction()?;
        let first: Vec<(i64, i64)> = transaction
            .prepare_cached("SELECT last, chunk FROM block ORDER BY last LIMIT 2")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let [(last, _), (_, next)] = first[..] else {
            return Ok(false);
        };
        if last > to_column(seq)? {
            return Ok(false);
        }
        transaction.execute("DELETE FROM chunk WHERE number < ?1", [next])?;
        transaction.execute("DELETE FROM block WHERE last = ?1", [last])?;
        transaction.execute("UPDATE made SET begin = ?1", [last])?;
        transaction.commit()?;
        Ok(true)
    }

    /// Writes a block.
    ///
    /// # Errors
    ///
    /// [`IndexError`]; nothing is then written.
    pub(super) fn append(&mut self, block: &Sealed) -> Result<(), IndexError> {
        let transaction = self.0.transaction()?;
        {
            let next = "SELECT coalesce(max(number), 0) + 1 FROM chunk";
            let chunk: i64 = transaction
                .prepare_cached(next)?
                .query_row([], |row| row.get(0))?;
            let lows = block.chunks.iter().map(|chunk| chunk.low.to_le_bytes());
            let lows = lows.collect::<Vec<_>>().concat();
            let checksum = block_checksum([block.last, block.after, block.first], chunk, &lows);
            let insert = "INSERT INTO block (last, after, first, chunk, lows, checksum)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            transaction.prepare_cached(insert)?.execute(params![
                to_column(block.last)?,
                to_column(block.after)?,
                to_column(block.first)?,
                chunk,
                lows,
                checksum,
            ])?;
            let insert = "INSERT INTO chunk (number, checksum, bytes) VALUES (?1, ?2, ?3)";
            let mut insert = transaction.prepare_cached(insert)?;
            for (number, one) in (chunk..).zip(&block.chunks) {
                let checksum = chunk_checksum(block.last, number, &one.bytes);
                insert.execute(params![number, checksum, one.bytes])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// The block that speaks of `seq`, which is not beyond [`Self::end`].
    ///
    /// # Errors
    ///
    /// [`IndexError`].
    pub(super) fn block(&self, seq: u64) -> Result<Block, IndexError> {
        let find = "SELECT last, after, first, chunk, lows, checksum FROM block
            WHERE last >= ?1 ORDER BY last LIMIT 1";
        let mut find = self.0.prepare_cached(find)?;
        let found = find.query_row([to_column(seq)?], |row| {
            let seqs: [i64; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
            let (chunk, checksum): (i64, i64) = (row.get(3)?, row.get(5)?);
            Ok((seqs, chunk, row.get::<_, Vec<u8>>(4)?, checksum))
        });
        let (seqs, chunk, lows, checksum) = found.optional()?.ok_or(IndexError::Damaged)?;
        let [last, after, first] = seqs.map(i64::cast_unsigned);
        if checksum != block_checksum([last, after, first], chunk, &lows) || after >= seq {
            return Err(IndexError::Damaged);
        }
        Ok(Block {
            after,
            first,
            last,
            chunk,
            lows,
        })
    }

    /// The messages of `block` that have one of `tokens`.
    ///
    /// # Errors
    ///
    /// [`IndexError`].
    pub(super) fn docs(&self, block: &Block, tokens: &Range<u64>) -> Result<Docs, IndexError> {
        let mut docs = Docs::none();
        let mut find =
            (self.0).prepare_cached("SELECT checksum, bytes FROM chunk WHERE number = ?1")?;
        let lows: &[[u8; 8]] = block.lows.as_chunks().0;
        let begun = lows.partition_point(|low| u64::from_le_bytes(*low) <= tokens.start);
        let end = lows.partition_point(|low| u64::from_le_bytes(*low) < tokens.end);
        // The first of them may lie behind the beginning of the chunk before.
        let begun = begun.saturating_sub(1);
        let numbers = block.chunk.saturating_add_unsigned(begun as u64)..;
        for (number, low) in numbers.zip(lows[..end].iter().skip(begun)) {
            let mut rows = find.query([number])?;
            let row = rows.next()?.ok_or(IndexError::Damaged)?;
            let bytes = row.get_ref(1)?.as_blob().map_err(|_| IndexError::Damaged)?;
            if row.get::<_, i64>(0)? != chunk_checksum(block.last, number, bytes) {
                return Err(IndexError::Damaged);
            }
            chunk::read(u64::from_le_bytes(*low), bytes, tokens, &mut docs)?;
        }
        Ok(docs)
    }
}

/// Deletes the file and what lies beside it.
///
/// # Errors
///
/// An I/O error.
pub(super) fn discard(home: &Path) -> io::Result<()> {
    let folder = Directory::open(home)?;
    for name in [NAME, BESIDE[0], BESIDE[1]] {
        if folder.holds(name)? {
            folder.remove(name)?;
        }
    }
    Ok(())
}

fn connect(home: &Path) -> Result<Connection, IndexError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(home.join(NAME), flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn to_column(seq: u64) -> Result<i64, IndexError> {
    i64::try_from(seq).map_err(|_| IndexError::Refused("no store counts so far".to_owned()))
}

fn block_checksum([last, after, first]: [u64; 3], chunk: i64, lows: &[u8]) -> i64 {
    let numbers = [last, after, first, chunk.cast_unsigned()].map(u64::to_le_bytes);
    checksum(&[numbers.as_flattened(), lows].concat())
}

/// The place is put beside the hash, so that the hash is one of whole, aligned pieces.
fn chunk_checksum(last: u64, number: i64, bytes: &[u8]) -> i64 {
    checksum(bytes) ^ last.rotate_left(32).cast_signed() ^ number
}

/// The first 64 bits of the BLAKE3 hash.
fn checksum(bytes: &[u8]) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(bytes).as_bytes();
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}

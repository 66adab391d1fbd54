//! What is asked of the records. A row that another program has spoilt is an error, not a guess.

use super::{PartialRecord, Record, Scope, State, Usage, user_text};
use crate::store::directory::Stamp;
use crate::store::{PartialId, Published, Receipt};
use crate::wire::{Algorithm, Digest, FileName, RoomName, UserName};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, params};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const FILE: &str = "SELECT name, asked, size, sha256, blake3, state, reader, time, inode, mtime, \
     incoming FROM file WHERE name = ?1";

const UNSETTLED: &str = "SELECT name, asked, size, sha256, blake3, state, reader, time, inode, \
     mtime, incoming FROM file WHERE state <> 1 ORDER BY name";

const SAME_SHA256: &str = "SELECT name, asked, size, sha256, blake3, state, reader, time, inode, \
     mtime, incoming FROM file
     WHERE sha256 = ?1 AND asked = ?2 AND size = ?3
     AND (reader IS NULL OR reader = ?4) ORDER BY time, name";

const SAME_BLAKE3: &str = "SELECT name, asked, size, sha256, blake3, state, reader, time, inode, \
     mtime, incoming FROM file
     WHERE blake3 = ?1 AND asked = ?2 AND size = ?3
     AND (reader IS NULL OR reader = ?4) ORDER BY time, name";

const POSTED: &str = "SELECT name, size, digest, seq, prev, time FROM file_key
     WHERE user = ?1 AND room = ?2 AND key = ?3";

/// What is recorded of the file `name`.
pub(in crate::store::folder) fn file(db: &Connection, name: &str) -> Result<Option<Record>> {
    let mut statement = db.prepare_cached(FILE)?;
    statement.query_row([name], read_record).optional()
}

/// The name and stamp of every file that is recorded.
pub(in crate::store::folder) fn stamps(db: &Connection) -> Result<HashMap<String, Stamp>> {
    let mut statement = db.prepare("SELECT name, size, inode, mtime FROM file")?;
    let read = |row: &Row<'_>| {
        let stamp = Stamp {
            size: number(row, 1)?,
            inode: number(row, 2)?,
            mtime: row.get(3)?,
        };
        Ok((row.get(0)?, stamp))
    };
    statement.query_map([], read)?.collect()
}

/// Every file that is not simply published.
pub(in crate::store::folder) fn unsettled(db: &Connection) -> Result<Vec<Record>> {
    let mut statement = db.prepare_cached(UNSETTLED)?;
    statement.query_map([], read_record)?.collect()
}

/// The files that are the same as the one wanted and that `reader` may know of, oldest first.
pub(in crate::store::folder) fn same(
    db: &Connection,
    asked: &FileName,
    size: u64,
    digest: Digest,
    reader: Option<&str>,
) -> Result<Vec<Record>> {
    let mut statement = db.prepare_cached(match digest.algorithm {
        Algorithm::Sha256 => SAME_SHA256,
        Algorithm::Blake3 => SAME_BLAKE3,
    })?;
    let values = params![digest.bytes, asked.as_str(), size.cast_signed(), reader];
    statement.query_map(values, read_record)?.collect()
}

/// Who sent the file `name` first, of those who still own it; `None` for a guest, or if nobody did.
pub(in crate::store::folder) fn owner(db: &Connection, name: &str) -> Result<Option<UserName>> {
    let sql = "SELECT user FROM owner WHERE file = ?1 ORDER BY since, user LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    let owner = statement.query_row([name], |row| user(row, 0)).optional()?;
    Ok(owner.flatten())
}

/// Everybody to whom the file `name` belongs, guests as `None`.
pub(in crate::store::folder) fn claims(
    db: &Connection,
    name: &str,
) -> Result<Vec<Option<UserName>>> {
    let mut statement = db.prepare_cached("SELECT user FROM owner WHERE file = ?1")?;
    statement.query_map([name], |row| user(row, 0))?.collect()
}

/// Every partial.
pub(in crate::store::folder) fn partials(db: &Connection) -> Result<Vec<PartialRecord>> {
    let sql = "SELECT incoming, user, asked, size, digest, durable, time FROM partial
               ORDER BY incoming";
    let mut statement = db.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        Ok(PartialRecord {
            incoming: row.get(0)?,
            id: PartialId {
                user: user(row, 1)?,
                name: name(row, 2)?,
                size: number(row, 3)?,
                digest: digest(row, 4)?.ok_or(Error::InvalidQuery)?,
            },
            durable: number(row, 5)?,
            time: time(row, 6)?,
        })
    };
    statement.query_map([], read)?.collect()
}

/// What came of the first post with that key.
pub(in crate::store::folder) fn posted(
    db: &Connection,
    scope: &Scope,
) -> Result<Option<Published>> {
    let mut statement = db.prepare_cached(POSTED)?;
    let room = scope.room.as_ref().map_or("", RoomName::as_str);
    let values = (user_text(scope.user.as_ref()), room, scope.key.as_str());
    let read = |row: &Row<'_>| {
        let seq: Option<i64> = row.get(3)?;
        let post = match seq {
            Some(seq) => Some(Receipt {
                seq: seq.cast_unsigned(),
                prev: number(row, 4)?,
                time: time(row, 5)?,
                duplicate: true,
            }),
            None => None,
        };
        Ok(Published {
            name: name(row, 0)?,
            size: number(row, 1)?,
            digest: digest(row, 2)?,
            durable: true,
            duplicate: true,
            room: scope.room.clone(),
            post,
        })
    };
    statement.query_row(values, read).optional()
}

/// How many bytes each user's files have; and all files together.
pub(in crate::store::folder) fn usage(db: &Connection) -> Result<(Vec<Usage>, u64)> {
    let sql = "SELECT user, sum(size) FROM owner JOIN file ON file = name GROUP BY user";
    let read = |row: &Row<'_>| {
        Ok(Usage {
            user: user(row, 0)?,
            bytes: number(row, 1)?,
        })
    };
    let mut statement = db.prepare(sql)?;
    let users = statement.query_map([], read)?.collect::<Result<_>>()?;
    // Only what came in by clients: what is placed by hand is the operator's own business.
    let sql = "SELECT ifnull(sum(size), 0) FROM file WHERE name IN (SELECT file FROM owner)";
    let all = db.query_row(sql, [], |row| number(row, 0))?;
    Ok((users, all))
}

fn read_record(row: &Row<'_>) -> Result<Record> {
    Ok(Record {
        name: name(row, 0)?,
        asked: name(row, 1)?,
        sha256: row.get(3)?,
        blake3: row.get(4)?,
        state: match row.get(5)? {
            0 => State::Publishing,
            1 => State::Published,
            _ => State::Hasty,
        },
        reader: row.get(6)?,
        time: time(row, 7)?,
        stamp: Stamp {
            size: number(row, 2)?,
            inode: number(row, 8)?,
            mtime: row.get(9)?,
        },
        incoming: row.get(10)?,
    })
}

fn wrong(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn name(row: &Row<'_>, column: usize) -> Result<FileName> {
    FileName::new(row.get::<_, String>(column)?).map_err(|error| wrong(column, error))
}

fn user(row: &Row<'_>, column: usize) -> Result<Option<UserName>> {
    match row.get::<_, String>(column)? {
        guest if guest.is_empty() => Ok(None),
        name => match UserName::new(name) {
            Ok(user) => Ok(Some(user)),
            Err(error) => Err(wrong(column, error)),
        },
    }
}

fn digest(row: &Row<'_>, column: usize) -> Result<Option<Digest>> {
    let text: Option<String> = row.get(column)?;
    let digest = text.map(|text| text.parse()).transpose();
    digest.map_err(|error| wrong(column, error))
}

/// A number of 64 bits, whose upper half is kept as negative ones.
fn number(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

fn time(row: &Row<'_>, column: usize) -> Result<SystemTime> {
    let millis = u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0);
    Ok(UNIX_EPOCH + Duration::from_millis(millis))
}

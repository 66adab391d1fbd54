//! Looks for damage in a database that is open: rows whose checksums are wrong, indexes that do not
//! fit, a structure that SQLite can't follow.

use super::row::{COLUMNS, Row};
use super::{damage, schema};
use rusqlite::{Connection, OptionalExtension};

/// What was seen in a part of the messages.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The last seq in it; `None` at the end.
    pub(super) last: Option<i64>,
    /// How many rows rotted, or are not where an index says.
    pub(super) rotten: u64,
}

/// Looks at all there is. Returns whether it is good.
pub(super) fn is_whole(connection: &Connection) -> rusqlite::Result<bool> {
    let sound: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if sound != "ok" || !schema::is_as_made(connection)? {
        return Ok(false);
    }
    if !damage::are_others_sound(connection)? {
        return Ok(false);
    }
    let mut after = 0;
    loop {
        let part = part(connection, after, usize::MAX)?;
        match part.last {
            _ if part.rotten > 0 => return Ok(false),
            Some(last) => after = last,
            None => return Ok(true),
        }
    }
}

/// Looks at no more than `limit` messages after the seq `after`.
pub(super) fn part(connection: &Connection, after: i64, limit: usize) -> rusqlite::Result<Part> {
    let sql = format!("SELECT {COLUMNS} FROM message WHERE seq > ?1 ORDER BY seq");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut indexed = connection.prepare_cached(
        "SELECT 1 FROM message INDEXED BY message_room WHERE room = ?1 AND seq = ?2",
    )?;
    let mut rows = statement.query([after])?;
    let mut part = Part::default();
    let mut scratch = Vec::new();
    let mut looked = 0;
    while looked < limit
        && let Some(row) = rows.next()?
    {
        looked += 1;
        part.last = Some(row.get(0)?);
        let is_good = match Row::read(|column| row.get_ref(column).ok(), &mut scratch) {
            Some(row) => {
                let place = (row.room, row.seq);
                indexed.query_row(place, |_| Ok(())).optional()?.is_some()
            }
            None => false,
        };
        part.rotten += u64::from(!is_good);
    }
    Ok(part)
}

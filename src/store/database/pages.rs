//! Parts of rooms, and where in the count a time lies: what is read of messages.

use super::row::{COLUMNS, Row, from_column, to_column, to_milliseconds};
use super::substring::Needle;
use crate::store::search::{Stretch, Walk};
use crate::store::{Page, Query, Range};
use rusqlite::{Connection, OptionalExtension, Rows};
use std::time::SystemTime;

/// A page, and how many rows were left out of it since they rotted.
pub(super) struct Found {
    pub(super) page: Page,
    pub(super) rotten: u64,
}

/// Reads what `query` asks for.
pub(super) fn page(connection: &Connection, query: &Query) -> rusqlite::Result<Found> {
    let (after, before) = match query.range {
        Range::Newest => (0, u64::MAX),
        Range::Before(seq) => (0, seq),
        Range::After(seq) => (seq, u64::MAX),
    };
    let whole = Stretch::Unindexed { after, before };
    Filling::new(query).fill(connection, [whole])
}

/// Reads what `query` asks for, along the `walk` of its search.
pub(super) fn found(connection: &Connection, query: &Query, walk: Walk) -> rusqlite::Result<Found> {
    Filling::new(query).fill(connection, walk)
}

/// A page that is being filled.
struct Filling<'a> {
    query: &'a Query,
    needle: Option<Needle>,
    page: Page,
    rotten: u64,
    bytes: usize,
    scratch: Vec<u8>,
}

impl<'a> Filling<'a> {
    fn new(query: &'a Query) -> Self {
        Self {
            query,
            needle: query.search.as_deref().map(Needle::new),
            page: Page::default(),
            rotten: 0,
            bytes: 0,
            scratch: Vec::new(),
        }
    }

    /// Fills the page from `stretches`.
    fn fill(
        mut self,
        connection: &Connection,
        stretches: impl IntoIterator<Item = Stretch>,
    ) -> rusqlite::Result<Found> {
        let ascends = matches!(self.query.range, Range::After(_));
        let mut one =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM message WHERE seq = ?1"))?;
        let mut all = connection.prepare_cached(&select(ascends))?;
        let room = self.query.room.as_str();
        for stretch in stretches {
            match stretch {
                Stretch::Candidates(seqs) => {
                    for seq in seqs {
                        self.take(one.query([to_column(seq)])?)?;
                        if self.page.more {
                            break;
                        }
                    }
                }
                Stretch::Unindexed { after, before } => {
                    self.take(all.query((room, to_column(after), to_column(before)))?)?;
                }
            }
            if self.page.more {
                break;
            }
        }
        if !ascends {
            self.page.messages.reverse();
        }
        Ok(Found {
            page: self.page,
            rotten: self.rotten,
        })
    }

    /// Takes those of `rows` that are wanted, until there are more than have room.
    fn take(&mut self, mut rows: Rows<'_>) -> rusqlite::Result<()> {
        while let Some(row) = rows.next()? {
            let row = Row::read(|column| row.get_ref(column).ok(), &mut self.scratch);
            let Some(row) = row else {
                self.rotten += 1;
                continue;
            };
            let holds = |needle: &Needle| needle.is_in(row.text);
            // A candidate may be of another room.
            if row.room != self.query.room.as_str() || !self.needle.as_ref().is_none_or(holds) {
                continue;
            }
            let Some(message) = row.message() else {
                self.rotten += 1;
                continue;
            };
            self.bytes += row.text.len();
            let messages = &mut self.page.messages;
            let has_room = messages.len() < self.query.limit && self.bytes <= self.query.max_bytes;
            if !has_room && !messages.is_empty() {
                self.page.more = true;
                break;
            }
            messages.push(message);
        }
        Ok(())
    }
}

fn select(ascends: bool) -> String {
    let order = if ascends { "ASC" } else { "DESC" };
    format!(
        "SELECT {COLUMNS} FROM message WHERE room = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq {order}"
    )
}

/// The highest seq of a message taken in before `time`.
///
/// Halves the count: seqs and times rise together as long as the clock does.
pub(super) fn last_before(connection: &Connection, time: SystemTime) -> rusqlite::Result<u64> {
    let time = to_milliseconds(time);
    let mut from = connection
        .prepare_cached("SELECT seq, time FROM message WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
    let mut first = |seq: i64| {
        let place = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        from.query_row([seq], place).optional()
    };
    let last = "SELECT ifnull(max(seq), 0) FROM message";
    let last: i64 = connection
        .prepare_cached(last)?
        .query_row([], |row| row.get(0))?;
    // What is up to `before` was taken in before `time`, what is from `after` on was not.
    let (mut before, mut after) = (0, last.saturating_add(1));
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        match first(middle)? {
            Some((seq, taken)) if taken < time => before = seq,
            Some(_) | None => after = middle,
        }
    }
    Ok(from_column(before))
}

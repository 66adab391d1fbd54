//! Parts of rooms, and where in the count a time lies: what is read of messages.

use super::row::{COLUMNS, Row, from_column, to_column, to_milliseconds};
use super::substring::Needle;
use crate::store::{Page, Query, Range};
use rusqlite::{Connection, OptionalExtension};
use std::time::SystemTime;

/// Reads what `query` asks for.
pub(super) fn page(connection: &Connection, query: &Query) -> rusqlite::Result<Page> {
    let needle = query.search.as_deref().map(Needle::new);
    let (bound, ascends) = match query.range {
        Range::Newest => (i64::MAX, false),
        Range::Before(seq) => (to_column(seq), false),
        Range::After(seq) => (to_column(seq), true),
    };
    let mut statement = connection.prepare_cached(&select(ascends))?;
    let mut rows = statement.query((query.room.as_str(), bound))?;
    let mut page = Page::default();
    let mut bytes = 0;
    let mut scratch = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(row) = read(row, &mut scratch) else {
            continue;
        };
        if needle
            .as_ref()
            .is_some_and(|needle| !needle.is_in(row.text))
        {
            continue;
        }
        bytes += row.text.len();
        let has_room = page.messages.len() < query.limit && bytes <= query.max_bytes;
        if !has_room && !page.messages.is_empty() {
            page.more = true;
            break;
        }
        page.messages.extend(row.message());
    }
    if !ascends {
        page.messages.reverse();
    }
    Ok(page)
}

fn select(ascends: bool) -> String {
    let (compare, order) = if ascends { (">", "ASC") } else { ("<", "DESC") };
    format!(
        "SELECT {COLUMNS} FROM message WHERE room = ?1 AND seq {compare} ?2 ORDER BY seq {order}"
    )
}

/// The columns of a row; `None`, and a line for the operator, if it rotted.
fn read<'a>(row: &'a rusqlite::Row<'_>, scratch: &mut Vec<u8>) -> Option<Row<'a>> {
    let read = Row::read(|column| row.get_ref(column).ok(), scratch);
    if read.is_none() {
        let seq: i64 = row.get(0).unwrap_or_default();
        tracing::error!("message {seq} is damaged on the disk: left out");
    }
    read
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

//! The committed messages, as they are read for the index of the search.

use super::readers::Readers;
use super::row::{from_column, to_column};
use crate::store::StoreError;
use crate::store::search::Texts;
use rusqlite::{Connection, Row};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The committed messages.
pub(super) struct Committed(pub(super) Arc<Readers>);

impl Texts for Committed {
    fn last(&mut self) -> Result<u64, StoreError> {
        self.0.read(|connection| {
            let mut last = connection.prepare_cached("SELECT ifnull(max(seq), 0) FROM message")?;
            last.query_row([], |row| row.get(0)).map(from_column)
        })
    }

    fn after(
        &mut self,
        mut seq: u64,
        take: &mut dyn FnMut(u64, &str, &str) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        loop {
            let before = seq;
            let flow = self.0.read(|connection| some(connection, &mut seq, take))?;
            if flow.is_break() || seq == before {
                return Ok(());
            }
        }
    }
}

/// Gives `take` some of the messages after `seq`, which becomes the last one's. Not all in one
/// statement, since while one is under way the WAL can't begin from its start again.
fn some(
    connection: &Connection,
    seq: &mut u64,
    take: &mut dyn FnMut(u64, &str, &str) -> ControlFlow<()>,
) -> rusqlite::Result<ControlFlow<()>> {
    let sql = "SELECT seq, room, text FROM message WHERE seq > ?1 ORDER BY seq LIMIT 512";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([to_column(*seq)])?;
    while let Some(row) = rows.next()? {
        *seq = from_column(row.get(0)?);
        // One that rotted is shown to nobody, so it need not be found.
        let Some((room, text)) = read(row) else {
            continue;
        };
        if take(*seq, room, text).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn read<'a>(row: &'a Row<'_>) -> Option<(&'a str, &'a str)> {
    let text = |column| row.get_ref(column).ok()?.as_str().ok();
    Some((text(1)?, text(2)?))
}

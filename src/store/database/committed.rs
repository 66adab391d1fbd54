//! The committed messages, as they are read for the index of the search.

use super::readers::Readers;
use super::row::{from_column, to_column};
use crate::store::StoreError;
use crate::store::search::Texts;
use rusqlite::Row;
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
        seq: u64,
        take: &mut dyn FnMut(u64, &str, &str) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.0.read(|connection| {
            let sql = "SELECT seq, room, text FROM message WHERE seq > ?1 ORDER BY seq";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([to_column(seq)])?;
            while let Some(row) = rows.next()? {
                // One that rotted is shown to nobody, so it need not be found.
                let Some((seq, room, text)) = read(row) else {
                    continue;
                };
                if take(from_column(seq), room, text).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}

fn read<'a>(row: &'a Row<'_>) -> Option<(i64, &'a str, &'a str)> {
    let text = |column| row.get_ref(column).ok()?.as_str().ok();
    Some((row.get(0).ok()?, text(1)?, text(2)?))
}

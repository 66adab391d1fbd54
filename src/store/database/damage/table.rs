//! The tables of other stores, as far as somebody has to know who copies their rows without
//! knowing what they mean.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    /// Its columns in the order in which a row holds them.
    columns: Vec<String>,
    /// Which of them is another name for the rowid; `None` if none is.
    alias: Option<usize>,
    pub(super) has_rowid: bool,
}

/// Every table of the database but that of messages.
pub(super) fn others(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let sql = "SELECT name, wr FROM pragma_table_list
        WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'message'";
    let mut tables = connection.prepare(sql)?;
    let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let tables: Vec<(String, bool)> = tables.collect::<Result<_, _>>()?;
    let describe = |(name, without_rowid)| Table::describe(connection, name, without_rowid);
    tables.into_iter().map(describe).collect()
}

/// Whether a value can be what it says; SQLite lets any bytes be a text.
pub(super) fn is_sound(value: &ValueRef<'_>) -> bool {
    !matches!(value, ValueRef::Text(text) if std::str::from_utf8(text).is_err())
}

/// Whether every value in every table but that of messages can be what it says.
///
/// # Errors
///
/// What SQLite says.
pub(crate) fn are_others_sound(connection: &Connection) -> rusqlite::Result<bool> {
    for Table { name, columns, .. } in others(connection)? {
        let mut rows = connection.prepare(&format!("SELECT * FROM \"{name}\""))?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns.len() {
                if !is_sound(&row.get_ref(column)?) {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

impl Table {
    fn describe(
        connection: &Connection,
        name: String,
        without_rowid: bool,
    ) -> rusqlite::Result<Self> {
        // Without rowids the primary key comes first.
        let sql = if without_rowid {
            "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY pk = 0, pk, cid"
        } else {
            "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid"
        };
        let mut columns = connection.prepare(sql)?;
        let columns =
            columns.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let columns: Vec<(String, String, i64)> = columns.collect::<Result<_, _>>()?;
        let keys = columns.iter().filter(|(_, _, key)| *key > 0).count();
        let is_alias = |(_, kind, key): &(String, String, i64)| *key == 1 && kind == "INTEGER";
        let alias = columns.iter().position(is_alias);
        Ok(Self {
            name,
            alias: alias.filter(|_| !without_rowid && keys == 1),
            columns: columns.into_iter().map(|(name, ..)| name).collect(),
            has_rowid: !without_rowid,
        })
    }

    /// The statement that keeps a row; `or` says what becomes of one with the same key.
    pub(super) fn insert(&self, or: &str) -> String {
        let rowid = (self.has_rowid && self.alias.is_none()).then_some("rowid");
        let columns = self.columns.iter().map(String::as_str).chain(rowid);
        let columns: Vec<_> = columns.map(|name| format!("\"{name}\"")).collect();
        let places: Vec<_> = (1..=columns.len())
            .map(|place| format!("?{place}"))
            .collect();
        format!(
            "INSERT OR {or} INTO \"{}\" ({}) VALUES ({})",
            self.name,
            columns.join(", "),
            places.join(", ")
        )
    }

    /// Whether a row with these `values`, of which nobody knows to which table it belongs, can only
    /// be one of this: no index has so many columns, and none of the other tables.
    pub(super) fn is_told_by(&self, values: &[ValueRef<'_>]) -> bool {
        !self.has_rowid && self.name != "meta" && values.len() == self.columns.len()
    }

    /// The values for [`insert`](Self::insert); `None` if a row of this table can't have so many.
    /// Columns that an older version did not have are empty.
    pub(super) fn arrange<'a>(
        &self,
        values: &[ValueRef<'a>],
        rowid: i64,
    ) -> Option<Vec<ValueRef<'a>>> {
        if values.is_empty() || values.len() > self.columns.len() {
            return None;
        }
        let mut values = values.to_vec();
        values.resize(self.columns.len(), ValueRef::Null);
        match self.alias {
            Some(alias) => values[alias] = ValueRef::Integer(rowid),
            None if self.has_rowid => values.push(ValueRef::Integer(rowid)),
            None => {}
        }
        Some(values)
    }
}

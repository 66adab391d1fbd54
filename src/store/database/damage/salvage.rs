//! Makes a new database of what can still be read in a damaged one, and sets that aside.
//!
//! Messages are known by their checksums, wherever they lie. What other stores keep is taken along
//! the trees of their tables.

use super::image::Image;
use super::set_aside;
use super::strays::strays;
use super::table::{self, Table, is_sound};
use super::tree::{Cell, Tree, anywhere, listed};
use crate::store::StoreError;
use crate::store::database::row::{INSERT, Row, from_column, to_column};
use crate::store::database::schema::{self, RESERVED, SALVAGED as NEW, meta, set_meta};
use crate::store::directory::{Access, Directory};
use crate::time::Random;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Statement, params_from_iter};
use std::collections::HashMap;
use std::path::Path;

/// No page holds more messages.
const MESSAGES_A_PAGE: u64 = 128;

/// Makes a new database in `home`, whose path is `path`, of what `image` holds, and puts it in the
/// place of the old one. Returns sentences about it for the operator.
///
/// # Errors
///
/// [`StoreError`], above all [`StoreError::NoSpace`]; nothing is then changed.
pub(crate) fn salvage(
    home: &Directory,
    path: &Path,
    image: Image,
    random: &Random,
) -> Result<Vec<String>, StoreError> {
    if home.holds(NEW)? {
        home.remove(NEW)?;
    }
    drop(home.create(NEW, Access::Private)?);
    let built = build(&path.join(NEW), &image, random);
    let counts = match built {
        Ok(counts) => counts,
        Err(error) => {
            // It is only a copy, and of no use to anybody.
            let _ = home.remove(NEW);
            return Err(error);
        }
    };
    if let Some(file) = home.open_file(NEW)? {
        file.sync_all()?;
    }
    drop(image);
    let aside = set_aside::swap(home)?;
    let Counts { messages, bad } = counts;
    let mut notes = vec![format!(
        "what could be read is in a new one, {messages} messages among it; the old one is now {aside}"
    )];
    if bad > 0 {
        notes.push(format!(
            "{bad} pages were damaged; what they held besides is only there"
        ));
    }
    Ok(notes)
}

#[derive(Debug, Default)]
struct Counts {
    messages: u64,
    /// Pages that do not look as they should.
    bad: u64,
}

fn build(path: &Path, image: &Image, random: &Random) -> Result<Counts, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(path, flags)?;
    // A crash in the middle leaves a file that the next start makes anew; the end is synced.
    connection.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "off")?;
    schema::migrate(&mut connection, random)?;
    let change = connection.transaction()?;
    let roots = roots(image, &change)?;
    let root = |table: &str| roots.get(table).copied().unwrap_or(0);
    let others = table::others(&change)?;
    let fresh = schema::store_id(&change)?;
    change.execute("DELETE FROM meta", [])?;
    let mut counts = Counts::default();
    let messages = Tree::walk(image, root("message"));
    let mut reached = messages.reached.clone();
    for table in &others {
        let tree = Tree::walk(image, root(&table.name));
        counts.bad += copy(image, &tree, &change, table)?;
        reached.extend(&tree.reached);
    }
    let strays = strays(image, &reached);
    for table in &others {
        gather(image, &strays, &change, table)?;
    }
    keep_identity(image, &change, &fresh)?;
    schema::mark(&change)?;
    let found = Messages::new(&change)?.take(image, &messages, &strays)?;
    counts.messages = found.messages;
    counts.bad += found.bad;
    let last = "SELECT ifnull(max(seq), 0) FROM message";
    let last: i64 = change.query_row(last, [], |row| row.get(0))?;
    let lost = u64::from(image.lost_frames.unwrap_or(0)) * MESSAGES_A_PAGE;
    let reserved = meta(&change, RESERVED)?.map_or(0, from_column);
    let reserved = reserved.max(from_column(last) + lost);
    set_meta(&change, RESERVED, to_column(reserved))?;
    change.commit()?;
    Ok(counts)
}

/// Where the trees of the tables begin: as the damaged database says, or else as a new one has them.
fn roots(image: &Image, new: &Connection) -> rusqlite::Result<HashMap<String, u32>> {
    let mut known = new.prepare("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'")?;
    let known = known.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut roots: HashMap<String, u32> = known.collect::<Result<_, _>>()?;
    let mut page = Vec::new();
    for number in Tree::walk(image, 1).pages {
        image.page(number, &mut page);
        listed(image, number, &page, |cell| {
            if let [
                ValueRef::Text(b"table"),
                ValueRef::Text(name),
                _,
                ValueRef::Integer(root),
                ..,
            ] = cell.values()[..]
                && let (Ok(name), Ok(root)) = (std::str::from_utf8(name), u32::try_from(root))
            {
                roots.insert(name.to_owned(), root);
            }
            true
        });
    }
    Ok(roots)
}

/// Copies the rows that `tree` leads to into `table`. Returns how many pages are bad.
fn copy(image: &Image, tree: &Tree, change: &Connection, table: &Table) -> rusqlite::Result<u64> {
    let mut insert = change.prepare(&table.insert("REPLACE"))?;
    let mut bad = u64::from(tree.is_broken);
    let mut page = Vec::new();
    let mut failure = None;
    for &number in &tree.pages {
        image.page(number, &mut page);
        let all = listed(image, number, &page, |cell| {
            keep(&mut insert, table, cell).unwrap_or_else(|error| {
                failure = Some(error);
                false
            })
        });
        bad += u64::from(!all);
    }
    failure.map_or(Ok(bad), Err)
}

/// Copies the rows on `strays` that can only belong to `table`, where no other has their key.
fn gather(
    image: &Image,
    strays: &[u32],
    change: &Connection,
    table: &Table,
) -> rusqlite::Result<()> {
    let mut insert = change.prepare(&table.insert("IGNORE"))?;
    let mut page = Vec::new();
    let mut failure = None;
    for &number in strays {
        image.page(number, &mut page);
        listed(image, number, &page, |cell| {
            if table.is_told_by(&cell.values())
                && let Err(error) = keep(&mut insert, table, cell)
            {
                failure = Some(error);
            }
            true
        });
    }
    failure.map_or(Ok(()), Err)
}

/// Keeps a row of `table`. Returns whether it can be one.
fn keep(insert: &mut Statement<'_>, table: &Table, cell: &Cell) -> rusqlite::Result<bool> {
    let values = cell.values();
    let Some(values) = table.arrange(&values, cell.rowid) else {
        return Ok(false);
    };
    if !values.iter().all(is_sound) {
        return Ok(false);
    }
    let values = values.into_iter().map(ToSqlOutput::Borrowed);
    match insert.execute(params_from_iter(values)) {
        Ok(_) => Ok(true),
        Err(error) => match error.sqlite_error_code() {
            // A value that rotted has the wrong type; anything else ends it all.
            Some(rusqlite::ErrorCode::ConstraintViolation) => Ok(false),
            _ => Err(error),
        },
    }
}

/// Sees to it that the store still has its id, or else gets the `fresh` one, and that it still says
/// how many seqs may be used: if the list of the page with them is damaged, they are looked for
/// wherever they can be.
fn keep_identity(image: &Image, change: &Connection, fresh: &str) -> rusqlite::Result<()> {
    let mut id: Option<String> = meta(change, "store")?;
    let mut reserved: Option<i64> = meta(change, RESERVED)?;
    let mut page = Vec::new();
    let mut number = 0;
    while id.is_none() && number < image.pages {
        number += 1;
        image.page(number, &mut page);
        anywhere(image, &page, false, |cell| match cell.values()[..] {
            [ValueRef::Text(b"store"), ValueRef::Text(text)] if text.len() == fresh.len() => {
                id = std::str::from_utf8(text).ok().map(str::to_owned);
            }
            [ValueRef::Text(name), ValueRef::Integer(seq)] if name == RESERVED.as_bytes() => {
                reserved = reserved.max(Some(seq));
            }
            _ => {}
        });
    }
    schema::set_store_id(change, id.as_deref().unwrap_or(fresh))?;
    reserved.map_or(Ok(()), |reserved| set_meta(change, RESERVED, reserved))
}

/// Takes messages over.
struct Messages<'a> {
    change: &'a Connection,
    insert: CachedStatement<'a>,
    counts: Counts,
    scratch: Vec<u8>,
    failure: Option<rusqlite::Error>,
}

impl<'a> Messages<'a> {
    fn new(change: &'a Connection) -> rusqlite::Result<Self> {
        let insert = INSERT.replacen("INSERT", "INSERT OR IGNORE", 1);
        Ok(Self {
            change,
            insert: change.prepare_cached(&insert)?,
            counts: Counts::default(),
            scratch: Vec::new(),
            failure: None,
        })
    }

    /// Takes over all that `tree` leads to and all on `strays`, or, if the tree can't be walked, on
    /// all pages; then what pages that are damaged do not list any more.
    fn take(mut self, image: &Image, tree: &Tree, strays: &[u32]) -> rusqlite::Result<Counts> {
        let mut suspects = self.take_listed(image, tree.pages.iter().copied());
        self.counts.bad = suspects.len() as u64 + u64::from(tree.is_broken);
        if tree.is_broken || self.counts.messages == 0 {
            self.take_listed(image, 1..=image.pages);
            suspects = (1..=image.pages).collect();
        } else {
            self.take_listed(image, strays.iter().copied());
        }
        let mut page = Vec::new();
        for number in suspects {
            image.page(number, &mut page);
            // Whatever lies about with a good checksum was sent once. One that was no longer kept
            // comes back too, until it is let go again: rather that than one too few.
            anywhere(image, &page, true, |cell| {
                self.keep(cell);
            });
        }
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.counts),
        }
    }

    /// Returns the pages that do not look as they should.
    fn take_listed(&mut self, image: &Image, pages: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut suspects = Vec::new();
        let mut page = Vec::new();
        for number in pages {
            image.page(number, &mut page);
            let all = listed(image, number, &page, |cell| self.keep(cell));
            if !all {
                suspects.push(number);
            }
        }
        suspects
    }

    /// Keeps a message, if it is one. Returns whether it is.
    fn keep(&mut self, cell: &Cell) -> bool {
        let values = cell.values();
        let value = |column: usize| match column {
            0 => Some(ValueRef::Integer(cell.rowid)),
            column => values.get(column).copied(),
        };
        let row = Row::read(value, &mut self.scratch).filter(|row| row.message().is_some());
        let Some(row) = row else { return false };
        let checksum = row.checksum(&mut self.scratch);
        let kept = self.insert.execute(row.values(checksum));
        match kept.and_then(|kept| match (kept, row.key) {
            (0, Some(key)) => self.give_way(&row, key, checksum),
            _ => Ok(kept),
        }) {
            Ok(kept) => self.counts.messages += kept as u64,
            Err(error) => self.failure = Some(error),
        }
        true
    }

    /// Keeps `row` in the place of an older one with its `key`, if that is what stands in its way:
    /// a key may be used again once its message is let go. Returns how many more there are then.
    fn give_way(&mut self, row: &Row<'_>, key: &str, checksum: i64) -> rusqlite::Result<usize> {
        let older = "DELETE FROM message WHERE key = ?1 AND room = ?2
            AND ifnull(sender, '') = ?3 AND seq < ?4";
        let scope = (key, row.room, row.sender.unwrap_or(""), row.seq);
        let gone = self.change.prepare_cached(older)?.execute(scope)?;
        let kept = self.insert.execute(row.values(checksum))?;
        Ok(kept.saturating_sub(gone))
    }
}

//! Takes over the messages of a home from before `gatepost.db`: the lines of `messages.log`, each a
//! JSON object. All of them come over in one transaction; then the file is renamed, never deleted.

use super::row::{INSERT, Row, to_column, to_milliseconds};
use super::schema::{meta, set_meta, set_store_id};
use crate::store::StoreError;
use crate::store::directory::Directory;
use crate::store::ledger::MAX_SEQ;
use crate::wire::{Key, RoomName, UserName};
use rusqlite::Connection;
use serde::Deserialize;
use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

/// The file in the home folder.
pub(super) const NAME: &str = "messages.log";

/// Its name once it was taken over.
const IMPORTED: &str = "messages.log.imported";

/// Where the database says that it was.
const DONE: &str = "imported";

/// The version of the format that is read.
const VERSION: u64 = 1;

/// The longest line that is believed, in bytes: the longest text there can be, each character of
/// it escaped.
const MAX_LINE: u64 = 400 << 20;

/// The first line.
#[derive(Deserialize)]
struct Header<'a> {
    gatepost: u64,
    #[serde(borrow)]
    store: Cow<'a, str>,
}

/// One message.
#[derive(Deserialize)]
struct Line<'a> {
    seq: u64,
    prev: u64,
    #[serde(borrow)]
    room: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// What was taken over.
#[derive(Debug, Default, PartialEq, Eq)]
struct Imported {
    messages: u64,
    /// Lines that can't be read.
    unreadable: u64,
}

/// Takes over what `messages.log` in `home` holds, if it is there, into a database without
/// messages. Returns sentences about it for the operator.
///
/// # Errors
///
/// [`StoreError`] if the file is there and can't be read, or was written by a newer version of this
/// program; nothing is then taken over.
pub(super) fn import(
    home: &Directory,
    connection: &mut Connection,
) -> Result<Vec<String>, StoreError> {
    let Some(file) = home.open_file(NAME)? else {
        return Ok(Vec::new());
    };
    let change = connection.transaction()?;
    let is_empty = "SELECT NOT EXISTS (SELECT 1 FROM message)";
    let is_empty: bool = change.query_row(is_empty, [], |row| row.get(0))?;
    let is_done = meta::<bool>(&change, DONE)?.is_some();
    if home.holds(IMPORTED)? || !is_empty && !is_done {
        return Ok(vec![format!(
            "{NAME} lies beside messages that are newer: left there and not read"
        )]);
    }
    if is_done {
        // A crash came before it got its new name.
        home.rename(NAME, home, IMPORTED)?;
        return Ok(Vec::new());
    }
    let imported = read_all(BufReader::with_capacity(1 << 18, file), &change)?;
    set_meta(&change, DONE, true)?;
    change.commit()?;
    home.rename(NAME, home, IMPORTED)?;
    let Imported {
        messages,
        unreadable,
    } = imported;
    let mut notes = vec![format!(
        "{messages} messages were taken over from {NAME}, which is now {IMPORTED}"
    )];
    if unreadable > 0 {
        notes.push(format!(
            "{unreadable} lines of {IMPORTED} can't be read: skipped"
        ));
    }
    Ok(notes)
}

fn read_all(mut file: impl BufRead, change: &Connection) -> Result<Imported, StoreError> {
    let mut imported = Imported::default();
    let mut line = Vec::new();
    let mut scratch = Vec::new();
    let mut last = 0;
    let is_header = |line: &[u8]| match serde_json::from_slice::<Header<'_>>(line) {
        Ok(header) if header.gatepost > VERSION => Err(StoreError::Io(io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "{NAME} has format {}, which is not known here",
                header.gatepost
            ),
        ))),
        Ok(header) if header.gatepost == VERSION && !header.store.is_empty() => {
            set_store_id(change, &header.store)?;
            Ok(true)
        }
        _ => Ok(false),
    };
    if read_line(&mut file, &mut line)? && !is_header(&line)? {
        imported.unreadable += 1;
    }
    while read_line(&mut file, &mut line)? {
        match parse(&line) {
            Some(message) if message.seq > last => {
                last = message.seq;
                imported.messages += u64::from(insert(change, &message, &mut scratch)?);
            }
            _ => imported.unreadable += 1,
        }
    }
    set_meta(change, "reserved", to_column(last))?;
    Ok(imported)
}

/// Reads the next line, or the part of it that is believed, into `line`. Returns whether there is
/// one.
fn read_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    Ok(file.by_ref().take(MAX_LINE).read_until(b'\n', line)? > 0)
}

/// A line as a message; `None` if no store of ours wrote it, or not to its end.
fn parse(line: &[u8]) -> Option<Line<'_>> {
    let line: Line<'_> = serde_json::from_slice(line.strip_suffix(b"\n")?).ok()?;
    let is_ours = (1..=MAX_SEQ).contains(&line.seq)
        && RoomName::new(&*line.room).is_ok()
        && line
            .from
            .as_deref()
            .is_none_or(|from| UserName::new(from).is_ok())
        && line.key.as_deref().is_none_or(|key| Key::new(key).is_ok())
        && humantime::parse_rfc3339(&line.time).is_ok();
    is_ours.then_some(line)
}

/// Keeps a message under its old seq. Where two have the same key the first one counts, as it did
/// then.
fn insert(change: &Connection, line: &Line<'_>, scratch: &mut Vec<u8>) -> Result<bool, StoreError> {
    let time = humantime::parse_rfc3339(&line.time).map_err(io::Error::other)?;
    let row = Row {
        seq: to_column(line.seq),
        room: &line.room,
        prev: to_column(line.prev),
        time: to_milliseconds(time),
        sender: line.from.as_deref(),
        key: line.key.as_deref(),
        text: &line.text,
        file_name: None,
        file_size: None,
        file_digest: None,
    };
    let insert = INSERT.replacen("INSERT", "INSERT OR IGNORE", 1);
    let mut statement = change.prepare_cached(&insert)?;
    Ok(statement.execute(row.values(row.checksum(scratch)))? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{Desk, message, pending};
    use crate::store::{Database, Messages, Query, Range};
    use crate::time::{Clock, Random};
    use proptest::prelude::*;
    use std::fs;
    use tempfile::TempDir;

    const LOG: &str = concat!(
        r#"{"gatepost":1,"store":"ab12"}"#,
        "\n",
        r#"{"seq":3,"prev":0,"room":"大厅","time":"1970-01-01T00:00:01.500Z","from":null,"key":"k","text":"a\n你好"}"#,
        "\nno line of ours\n",
        r#"{"seq":7,"prev":3,"room":"大厅","time":"1970-01-01T00:00:02Z","from":"张三","text":""}"#,
        "\n",
        r#"{"seq":8,"prev":7,"room":"大厅","time":"19"#,
    );

    fn open(home: &TempDir) -> Result<Database, StoreError> {
        Database::open(home.path(), Clock::system(), &Random::system())
    }

    fn home(log: &str) -> TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(NAME), log).unwrap();
        home
    }

    #[test]
    fn an_old_home_keeps_its_id_its_messages_and_its_keys() {
        let home = home(LOG);
        for start in 0..2 {
            let database = open(&home).unwrap();
            assert_eq!(database.id(), "ab12");
            assert_eq!(database.notes().len(), if start == 0 { 2 } else { 0 });
            let query = Query {
                room: RoomName::new("大厅").unwrap(),
                range: Range::After(0),
                limit: 9,
                max_bytes: 99,
                search: None,
            };
            let page = database.page(&query).unwrap().messages;
            let told: Vec<_> = page.iter().map(|it| (it.seq, it.prev, &*it.text)).collect();
            assert_eq!(told[..2], [(3, 0, "a\n你好"), (7, 3, "")]);
            assert_eq!(page[1].from, UserName::new("张三").ok());
            assert_eq!(to_milliseconds(page[0].time), 1_500);
            let desk = Desk::new();
            for key in ["k", ""] {
                database.post(message("大厅", "", key, ""), Some(pending(&desk, 0)));
            }
            let receipt = desk.told().receipt.unwrap();
            assert_eq!((receipt.seq, receipt.duplicate), (3, true));
            assert_eq!(desk.told().receipt.unwrap().seq, 8 + start);
        }
        let (log, imported) = (home.path().join(NAME), home.path().join(IMPORTED));
        assert_eq!(fs::read_to_string(&imported).unwrap(), LOG);
        // As a crash leaves it that comes right before the name is changed.
        fs::rename(&imported, &log).unwrap();
        assert!(open(&home).unwrap().notes().is_empty());
        assert!(imported.exists() && !log.exists());
    }

    #[test]
    fn a_log_beside_newer_messages_or_of_a_newer_program_is_left_alone() {
        let newer = home("{\"gatepost\":2,\"store\":\"x\"}\n");
        let error = open(&newer).unwrap_err().to_string();
        assert!(error.contains("format 2"), "{error}");
        fs::remove_file(newer.path().join(NAME)).unwrap();
        let database = open(&newer).unwrap();
        database.post(message("a", "", "", ""), None);
        drop(database);
        fs::write(newer.path().join(NAME), LOG).unwrap();
        let database = open(&newer).unwrap();
        assert_ne!(database.id(), "ab12");
        assert!(
            database.notes()[0].contains("left there"),
            "{:?}",
            database.notes()
        );
        assert!(newer.path().join(NAME).exists());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_none(line: Vec<u8>) {
            let _ = parse(&line);
        }
    }
}

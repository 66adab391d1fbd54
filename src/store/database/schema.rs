//! What `gatepost.db` looks like, and how an older one becomes a newer one.
//!
//! A message is one row that says everything about it, with its room's name and its key, so that
//! each row that can still be read in a damaged file is whole by itself.

use crate::store::StoreError;
use crate::time::Random;
use rusqlite::{Connection, OptionalExtension};
use std::cmp::Ordering;
use std::io;

/// The file's name in the home folder.
pub(super) const NAME: &str = "gatepost.db";

/// A new one while it is made of what can be read in a damaged one.
pub(super) const SALVAGED: &str = "gatepost.db.new";

/// Lies there if damage was seen that the next start should look for.
pub(super) const DAMAGED: &str = "gatepost.db.check";

/// Under this name `meta` says up to which seq they may be used.
pub(super) const RESERVED: &str = "reserved";

/// Under this one it says the version once more, so that one that rotted in the header is known.
const VERSION: &str = "version";

/// Marks a file as ours in its header: "gate" in ASCII.
const APPLICATION_ID: i32 = 0x6761_7465;

/// Random bytes in a store's id.
const ID_BYTES: usize = 16;

/// Each step leads from the version that is its index to the next one. Steps are only ever added.
const MIGRATIONS: &[&str] = &[MESSAGES, FILES, LOGINS];

/// `time` is in milliseconds since 1970. The keys of all guests together are one scope.
const MESSAGES: &str = "
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
    seq INTEGER PRIMARY KEY,
    room TEXT NOT NULL,
    prev INTEGER NOT NULL,
    time INTEGER NOT NULL,
    sender TEXT,
    key TEXT,
    text TEXT NOT NULL,
    file_name TEXT,
    file_size INTEGER,
    file_digest TEXT,
    checksum INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX message_room ON message (room, seq);

CREATE UNIQUE INDEX message_key ON message (key, room, ifnull(sender, ''))
WHERE key IS NOT NULL;

CREATE VIEW messages AS
SELECT seq, room, strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS time,
       ifnull(sender, 'guest') AS sender, text, file_name AS file
FROM message;
";

/// What is known of files. `state` is 0 while a file is published, 1 once it is, 2 while it still has
/// to be synced; `incoming` names it in `uploads/.incoming`. `inode`, `size` and `mtime`, in
/// nanoseconds since 1970, tell whether the file is still the one that was recorded. All guests
/// together are the user ''.
const FILES: &str = "
CREATE TABLE file (
    name TEXT PRIMARY KEY,
    asked TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB,
    blake3 BLOB,
    state INTEGER NOT NULL,
    reader TEXT,
    time INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    mtime INTEGER NOT NULL,
    incoming TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX file_sha256 ON file (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX file_blake3 ON file (blake3) WHERE blake3 IS NOT NULL;
CREATE INDEX file_unsettled ON file (state) WHERE state <> 1;

CREATE TABLE owner (
    file TEXT NOT NULL,
    user TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (file, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE partial (
    incoming TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    asked TEXT NOT NULL,
    size INTEGER NOT NULL,
    digest TEXT NOT NULL,
    durable INTEGER NOT NULL,
    time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE file_key (
    user TEXT NOT NULL,
    room TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    digest TEXT,
    seq INTEGER,
    prev INTEGER,
    time INTEGER,
    PRIMARY KEY (user, room, key)
) STRICT, WITHOUT ROWID;
";

/// Tokens by their hashes; how long a source has to wait before its next try of a password, and
/// which sources logged in of late. A source is an address, or an address, a space and a user. Times
/// are in seconds since 1970, waits in seconds, where 0 says that an operator has lifted it.
///
/// All have rowids: rows that lie about in a damaged file are taken for no table of that kind, so
/// that what was revoked stays revoked. No index has more columns than one, for the same reason.
const LOGINS: &str = "
CREATE TABLE token (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    user TEXT NOT NULL,
    mark BLOB NOT NULL,
    issued INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX token_hash ON token (hash);
CREATE INDEX token_user ON token (user);

CREATE TABLE ban (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    wait INTEGER NOT NULL,
    since INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX ban_source ON ban (source);

CREATE TABLE known_source (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX known_source_source ON known_source (source);
";

/// Brings the file up to date, and makes what it is made of if it is new.
///
/// # Errors
///
/// [`SchemaError`]; nothing is then changed.
pub(super) fn migrate(connection: &mut Connection, random: &Random) -> Result<(), SchemaError> {
    let version: i64 = number(connection, "user_version")?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    let application: i32 = number(connection, "application_id")?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    let is_new = tables == 0 && version == 0;
    if !is_new && application != APPLICATION_ID {
        return Err(SchemaError::Foreign);
    }
    if version > MIGRATIONS.len() {
        let is_so = meta(connection, VERSION)? == Some(version.to_string());
        return Err(if is_so {
            SchemaError::Newer(version)
        } else {
            SchemaError::Foreign
        });
    }
    if version < MIGRATIONS.len() {
        let change = connection.transaction()?;
        for step in &MIGRATIONS[version..] {
            change.execute_batch(step)?;
        }
        if is_new {
            let id = random.hex(ID_BYTES);
            set_store_id(&change, &id)?;
        }
        mark(&change)?;
        change.commit()?;
    }
    Ok(())
}

/// Sees to it that the file is ours and just as this program makes it.
///
/// # Errors
///
/// [`SchemaError`] if not.
pub(super) fn check_version(connection: &Connection) -> Result<(), SchemaError> {
    let version: i64 = number(connection, "user_version")?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    let application: i32 = number(connection, "application_id")?;
    if application != APPLICATION_ID {
        return Err(SchemaError::Foreign);
    }
    match version.cmp(&MIGRATIONS.len()) {
        Ordering::Less => Err(SchemaError::Older(version)),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(SchemaError::Newer(version)),
    }
}

/// Says in the file that it is ours, and of this version.
pub(super) fn mark(connection: &Connection) -> rusqlite::Result<()> {
    let version = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", version)?;
    set_meta(connection, VERSION, version.to_string())
}

/// Whether everything that this program makes is in the file just as it makes it.
pub(super) fn is_as_made(connection: &Connection) -> rusqlite::Result<bool> {
    let made = Connection::open_in_memory()?;
    for step in MIGRATIONS {
        made.execute_batch(step)?;
    }
    let sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL";
    let mut made = made.prepare(sql)?;
    let mut made = made.query([])?;
    let same = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1 AND sql = ?2)";
    let mut same = connection.prepare_cached(same)?;
    while let Some(row) = made.next()? {
        let (name, sql): (String, String) = (row.get(0)?, row.get(1)?);
        if !same.query_row([name, sql], |row| row.get(0))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives the store the id of another that it takes the place of.
pub(super) fn set_store_id(connection: &Connection, id: &str) -> rusqlite::Result<()> {
    set_meta(connection, "store", id)
}

/// The store's id.
///
/// # Errors
///
/// [`SchemaError`], also if there is none.
pub(super) fn store_id(connection: &Connection) -> Result<String, SchemaError> {
    meta(connection, "store")?.ok_or(SchemaError::Foreign)
}

/// What `meta` holds under `name`.
pub(super) fn meta<T: rusqlite::types::FromSql>(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<Option<T>> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// Keeps `value` in `meta` under `name`.
pub(super) fn set_meta(
    connection: &Connection,
    name: &str,
    value: impl rusqlite::ToSql,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    statement.execute((name, value)).map(drop)
}

fn number<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Why a file can't be used as it is.
#[derive(Debug)]
pub(super) enum SchemaError {
    /// It was written by a program that knows more than this one.
    Newer(usize),
    /// It was written by a program that knew less, and is to be brought up to date.
    Older(usize),
    /// It is a database, but not one of ours.
    Foreign,
    /// It can't be read or changed.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<SchemaError> for StoreError {
    fn from(error: SchemaError) -> Self {
        let (kind, text) = match error {
            SchemaError::Newer(version) => (
                io::ErrorKind::Unsupported,
                format!(
                    "{NAME} has version {version}; this program knows up to {}: use a newer one",
                    MIGRATIONS.len()
                ),
            ),
            SchemaError::Older(version) => (
                io::ErrorKind::Unsupported,
                format!(
                    "{NAME} has version {version}, not {}: start the daemon once",
                    MIGRATIONS.len()
                ),
            ),
            SchemaError::Foreign => (
                io::ErrorKind::InvalidData,
                format!("{NAME} was written by another program"),
            ),
            SchemaError::Sqlite(error) => return error.into(),
        };
        Self::Io(io::Error::new(kind, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn a_new_file_gets_an_id_that_stays() {
        let mut connection = open();
        let mut id = |seed| {
            migrate(&mut connection, &Random::seeded(seed)).unwrap();
            store_id(&connection).unwrap()
        };
        let first = id(1);
        assert_eq!(first.len(), 2 * ID_BYTES);
        assert_eq!(id(2), first);
    }

    #[test]
    fn a_file_of_a_newer_program_is_left_alone_and_named() {
        let mut connection = open();
        migrate(&mut connection, &Random::seeded(1)).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let rotten = migrate(&mut connection, &Random::seeded(1));
        assert!(matches!(rotten, Err(SchemaError::Foreign)), "{rotten:?}");
        set_meta(&connection, VERSION, "99").unwrap();
        let error = migrate(&mut connection, &Random::seeded(1)).unwrap_err();
        let text = StoreError::from(error).to_string();
        assert!(text.contains("version 99"), "{text}");
    }

    #[test]
    fn a_file_of_another_program_is_known() {
        let mut connection = open();
        connection.execute_batch("CREATE TABLE a (b)").unwrap();
        let error = migrate(&mut connection, &Random::seeded(1));
        assert!(matches!(error, Err(SchemaError::Foreign)), "{error:?}");
    }

    #[test]
    fn the_view_is_made_for_people() {
        let mut connection = open();
        migrate(&mut connection, &Random::seeded(1)).unwrap();
        let insert = "INSERT INTO message (seq, room, prev, time, text, checksum)
             VALUES (1, 'lobby', 0, 1234567890123, '你好', 0)";
        connection.execute(insert, []).unwrap();
        let line = "SELECT concat_ws('|', seq, room, time, sender, text) FROM messages";
        let line: String = connection.query_row(line, [], |row| row.get(0)).unwrap();
        assert_eq!(line, "1|lobby|2009-02-13T23:31:30.123Z|guest|你好");
    }
}

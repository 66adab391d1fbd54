//! What happens to `gatepost.db` at a start: it is made, or what a crash left in its log is carried
//! over and made durable before anybody is told of it. What is damaged is salvaged first.

use super::damage::{self, Image};
use super::fault::{Failure, Fault};
use super::schema::{self, DAMAGED, NAME, SchemaError};
use super::writing::Counters;
use super::{check, checkpoint, connection, import};
use crate::store::StoreError;
use crate::store::directory::{Access, Directory};
use crate::time::Random;
use rusqlite::Connection;
use std::path::Path;

/// A database of no more bytes is looked at as a whole before it is used. A bigger one would keep
/// the start waiting; it is scanned beside the work.
const SMALL: u64 = 32 << 20;

/// A file that is ready to be written to.
pub(super) struct Opened {
    /// The store's id.
    pub(super) id: String,
    /// What was damaged or taken over, a sentence each.
    pub(super) notes: Vec<String>,
    /// The connection that writes.
    pub(super) connection: Connection,
    /// The counters.
    pub(super) counters: Counters,
    /// Whether every message was looked at.
    pub(super) is_checked: bool,
}

/// Why a file can't be used.
enum Unusable {
    /// It is damaged: this is what SQLite says.
    Damaged(String),
    Failed(StoreError),
}

/// Opens or creates the file in the folder `home`, a path without links.
pub(super) fn open(home: &Path, random: &Random) -> Result<Opened, StoreError> {
    let folder = Directory::open(home)?;
    damage::resume(&folder)?;
    if folder.open_file(NAME)?.is_none() {
        // Before SQLite does, for its permissions; the log takes them over.
        drop(folder.create(NAME, Access::Private)?);
        folder.sync()?;
    }
    let mut notes = Vec::new();
    let (mut lost, mut is_small) = (false, true);
    if let Some(image) = Image::read(&folder)? {
        lost = !image.is_all_there();
        is_small = image.bytes() <= SMALL;
        if !image.findings().is_empty() {
            lost = true;
            notes.extend_from_slice(image.findings());
            notes.extend(damage::salvage(&folder, home, image, random)?);
        }
    }
    let must_check = is_small || folder.holds(DAMAGED)?;
    let mut connection = match attempt(home, random, must_check) {
        Ok(connection) => connection,
        Err(Unusable::Failed(error)) => return Err(error),
        Err(Unusable::Damaged(why)) => {
            notes.push(why);
            lost = true;
            if let Some(image) = Image::read(&folder)? {
                notes.extend(damage::salvage(&folder, home, image, random)?);
            }
            match attempt(home, random, false) {
                Ok(connection) => connection,
                Err(Unusable::Failed(error)) => return Err(error),
                Err(Unusable::Damaged(why)) => {
                    return Err(StoreError::Io(std::io::Error::other(why)));
                }
            }
        }
    };
    if folder.holds(DAMAGED)? {
        folder.remove(DAMAGED)?;
    }
    notes.extend(import::import(&folder, &mut connection)?);
    checkpoint(&folder, &connection)?;
    let id = schema::store_id(&connection)?;
    let counters = Counters::load(&connection, lost)?;
    Ok(Opened {
        id,
        notes,
        connection,
        counters,
        is_checked: must_check,
    })
}

/// Opens the file for writing and, if it `must_check`, looks at all of it.
fn attempt(home: &Path, random: &Random, must_check: bool) -> Result<Connection, Unusable> {
    let mut connection = connection::writer(home)?;
    schema::migrate(&mut connection, random)?;
    if must_check && !check::is_whole(&connection)? {
        return Err(Unusable::Damaged(
            "what it holds does not fit together".to_owned(),
        ));
    }
    // The newest message, and so the path to it.
    Counters::load(&connection, false)?;
    Ok(connection)
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        let Failure { fault, text } = Failure::of_reading(&error);
        match fault {
            Fault::Damage => Self::Damaged(text),
            Fault::NoSpace | Fault::Broken => Self::Failed(error.into()),
        }
    }
}

impl From<SchemaError> for Unusable {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::Sqlite(error) => error.into(),
            SchemaError::Foreign => {
                Self::Damaged("its header is not that of one of ours".to_owned())
            }
            other @ (SchemaError::Newer(_) | SchemaError::Older(_)) => Self::Failed(other.into()),
        }
    }
}

/// Carries over what is in the log, and so makes it durable: a crash of the daemon alone leaves
/// commits in the page cache that were never synced, and their senders will be told of them.
fn checkpoint(folder: &Directory, connection: &Connection) -> Result<(), StoreError> {
    match checkpoint::whole(connection).map_err(StoreError::from) {
        Err(StoreError::NoSpace) => {
            // A full disk must not keep the daemon down. It stays where it is, but for good.
            tracing::warn!("no checkpoint: there is no space left on the disk");
            if let Some(log) = folder.open_file(&format!("{NAME}-wal"))? {
                log.sync_all()?;
            }
        }
        done => drop(done?),
    }
    Ok(folder.sync()?)
}

//! What happens to `gatepost.db` at a start: it is made, or what a crash left in its WAL is carried
//! over and made durable before anybody is told of it.

use super::schema::{self, NAME};
use super::writing::Counters;
use super::{checkpoint, connection, import};
use crate::store::StoreError;
use crate::store::directory::{Access, Directory};
use crate::time::Random;
use rusqlite::Connection;
use std::path::Path;

/// A file that is ready to be written to.
pub(super) struct Opened {
    /// The store's id.
    pub(super) id: String,
    /// What was damaged, a sentence each.
    pub(super) notes: Vec<String>,
    /// The connection that writes.
    pub(super) connection: Connection,
    /// The counters.
    pub(super) counters: Counters,
}

/// Opens or creates the file in the folder `home`, a path without links.
pub(super) fn open(home: &Path, random: &Random) -> Result<Opened, StoreError> {
    let folder = Directory::open(home)?;
    if folder.open_file(NAME)?.is_none() {
        // Before SQLite does, for its permissions; the WAL takes them over.
        drop(folder.create(NAME, Access::Private)?);
        folder.sync()?;
    }
    let mut connection = connection::writer(home)?;
    schema::migrate(&mut connection, random)?;
    let notes = import::import(&folder, &mut connection)?;
    checkpoint::whole(&connection)?;
    folder.sync()?;
    let counters = Counters::load(&connection, false)?;
    let id = schema::store_id(&connection)?;
    Ok(Opened {
        id,
        notes,
        connection,
        counters,
    })
}

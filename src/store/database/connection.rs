//! How `gatepost.db` is opened: by the one who writes, the one who checkpoints, and those who read.

use super::schema::NAME;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long one waits for a lock that another holds. Inside the daemon none is held for longer
/// than a step of a checkpoint; an operator's `sqlite3` may hold one too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the file in `home` for writing. It must be there.
///
/// The WAL is synced in every commit, before anybody can see what was committed. Checkpoints are
/// only made on request, by the thread that is there for it.
pub(super) fn writer(home: &Path) -> rusqlite::Result<Connection> {
    let connection = open(home, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // In KiB: the keys of a million messages are looked up all over their index.
    connection.pragma_update(None, "cache_size", -16_384)?;
    Ok(connection)
}

/// Opens the file in `home` for reading alone.
pub(super) fn reader(home: &Path) -> rusqlite::Result<Connection> {
    let connection = open(home, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -1_024)?;
    Ok(connection)
}

fn open(home: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(home.join(NAME), flags)?;
    connection.busy_timeout(PATIENCE)?;
    // Whoever goes last would sync and checkpoint, also after a sync has failed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

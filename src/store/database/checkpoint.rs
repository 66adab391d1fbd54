//! The checkpoint thread: carries what was committed from the WAL into the database, beside the
//! commits, so that none of them waits for it.

use super::connection;
use super::fault::{Failure, Fault};
use super::fence::Fence;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A checkpoint is made once about so many bytes were written.
const EVERY_BYTES: usize = 16 << 20;

/// What a commit writes at least: a page of the table, one of its index.
const COMMIT_BYTES: usize = 8 << 10;

/// A WAL of more bytes gets a checkpoint that holds the commits up until all of it is carried over.
const WAITING_BYTES: u64 = 256 << 20;

/// How long such a one waits for readers; they read no more than a page of messages at once.
const PATIENCE: Duration = Duration::from_millis(100);

/// Tells the checkpoint thread when it is time.
pub(super) struct Trigger {
    sender: Sender<()>,
    bytes: usize,
}

impl Trigger {
    /// Another one, for whoever writes besides.
    pub(super) fn another(&self) -> Self {
        let sender = self.sender.clone();
        Self { sender, bytes: 0 }
    }

    /// A batch with `bytes` of text was committed.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.bytes += COMMIT_BYTES + bytes;
        if self.bytes >= EVERY_BYTES {
            self.bytes = 0;
            // Full: it has not yet got to the last one. Gone: it has said why.
            let (Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(()))) =
                self.sender.try_send(());
        }
    }
}

/// Starts the thread. It ends when every [`Trigger`] is dropped, with a last checkpoint that leaves
/// nothing in the WAL.
pub(super) fn start(home: PathBuf, fence: Arc<Fence>) -> io::Result<(Trigger, JoinHandle<()>)> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let thread = thread::Builder::new()
        .name("checkpoint".to_owned())
        .spawn(move || run(&home, &fence, &receiver))?;
    Ok((Trigger { sender, bytes: 0 }, thread))
}

fn run(home: &std::path::Path, fence: &Fence, times: &Receiver<()>) {
    let mut connection = None;
    let mut is_open = true;
    while is_open {
        is_open = times.recv().is_ok();
        if fence.is_up() {
            continue;
        }
        let done = match &mut connection {
            Some(connection) => Ok(connection),
            none => open(home).map(|connection| none.insert(connection)),
        }
        .and_then(|connection| {
            if is_open {
                beside(connection)
            } else {
                last(connection)
            }
        });
        if let Err(error) = done {
            // A new handle, if there is a next time at all.
            connection = None;
            let failure = Failure::of_opening(error);
            judge(&failure, fence, || super::space::is_lacking(home));
        }
    }
}

/// Puts the `fence` up for a checkpoint that failed, if that calls for it. `is_lacking` is asked
/// whether there is no space.
fn judge(failure: &Failure, fence: &Fence, is_lacking: impl FnOnce() -> bool) {
    match failure.fault {
        // What was committed stays in the WAL, from which it is read too.
        Fault::NoSpace => tracing::warn!("no checkpoint: {}", failure.text),
        Fault::Damage => fence.damaged(&failure.text),
        // Some lacks of space look like a broken disk. A new handle may try again: nothing leaves
        // the WAL before its copy is synced.
        Fault::Broken if is_lacking() => tracing::warn!("no checkpoint: {}", failure.text),
        Fault::Broken => fence.raise(&failure.text),
    }
}

fn open(home: &std::path::Path) -> rusqlite::Result<Connection> {
    let connection = connection::writer(home)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// One beside the commits, and if the WAL has got long one that they wait for.
fn beside(connection: &Connection) -> rusqlite::Result<()> {
    let wal = checkpoint(connection, "PASSIVE")?;
    if wal > WAITING_BYTES {
        // Not TRUNCATE: what is overwritten later is synced faster than what has to grow again.
        checkpoint(connection, "RESTART")?;
    }
    Ok(())
}

/// The one at the end, after which nothing is left but the database itself.
fn last(connection: &Connection) -> rusqlite::Result<()> {
    whole(connection)?;
    // Nothing failed, so SQLite may take its two other files away as it closes.
    let config = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(config, false).map(drop)
}

/// Carries over all there is and empties the WAL, as far as nobody is still reading it. Returns
/// how many bytes are left in it.
pub(super) fn whole(connection: &Connection) -> rusqlite::Result<u64> {
    checkpoint(connection, "TRUNCATE")
}

/// Returns the bytes in the WAL.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<u64> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let frames: i64 = connection.query_row(&sql, [], |row| row.get(1))?;
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    Ok(super::row::from_column(frames.saturating_mul(page)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::{Error, ffi};

    #[test]
    fn a_checkpoint_that_lacks_space_fences_nobody() {
        let is_up = |code, is_lacking| {
            let home = tempfile::tempdir().unwrap();
            let fence = Fence::new(home.path().to_owned());
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            judge(&Failure::of_opening(error), &fence, || is_lacking);
            fence.is_up()
        };
        // A quota of the file system, or a sync that found no space, is told as a bad write.
        for code in [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC] {
            assert!(!is_up(code, true));
            assert!(is_up(code, false));
        }
        assert!(!is_up(ffi::SQLITE_FULL, false));
        assert!(is_up(ffi::SQLITE_CORRUPT, true));
    }
}

//! Which file is which: the daemon knows a file again by its number in the file system and by when
//! it was written, and a file that is made anew for a trial has neither. After a real loss of power
//! it would, so the records are corrected.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a file is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    inode: i64,
    mtime: i64,
}

impl Stamp {
    /// Of what is at `path`.
    #[track_caller]
    pub(super) fn of(path: &Path) -> Self {
        let metadata = fs::symlink_metadata(path).unwrap();
        Self {
            inode: metadata.ino().cast_signed(),
            mtime: metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec(),
        }
    }
}

/// Makes one file again of those that were one under several names, as while it is renamed.
pub(super) fn link(home: &Path, stamps: &BTreeMap<Vec<u8>, Stamp>) {
    let mut first: HashMap<Stamp, PathBuf> = HashMap::new();
    for (path, stamp) in stamps {
        let path = home.join(std::str::from_utf8(path).unwrap());
        if !path.is_file() {
            continue;
        }
        if let Some(first) = first.get(stamp) {
            fs::remove_file(&path).unwrap();
            fs::hard_link(first, path).unwrap();
        } else {
            first.insert(*stamp, path);
        }
    }
}

/// Corrects the records in `home`, where the file at each path was recorded with its stamp. SQLite
/// then reads the WAL before the daemon does, and leaves it where it is.
pub(super) fn correct(home: &Path, stamps: &BTreeMap<Vec<u8>, Stamp>) {
    // Where there is no database yet, or none that can be read, there is nothing to correct.
    let _ = try_correct(home, stamps);
}

fn try_correct(home: &Path, stamps: &BTreeMap<Vec<u8>, Stamp>) -> rusqlite::Result<()> {
    let path = home.join("gatepost.db");
    if !path.exists() {
        return Ok(());
    }
    let mut connection = Connection::open(path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let change = connection.transaction()?;
    for (path, old) in stamps {
        let new = Stamp::of(&home.join(std::str::from_utf8(path).unwrap()));
        change.execute(
            "UPDATE file SET inode = ?1, mtime = ?2 WHERE inode = ?3 AND mtime = ?4",
            params![new.inode, new.mtime, old.inode, old.mtime],
        )?;
    }
    change.commit()
}

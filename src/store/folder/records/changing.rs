//! What is written into the records, inside a commit that somebody else makes.

use super::{PartialRecord, Record, Scope, State, user_text};
use crate::store::Published;
use crate::store::directory::Stamp;
use crate::store::ledger::to_millis;
use crate::wire::{Digest, RoomName, UserName};
use rusqlite::{Connection, Result, params};
use std::time::{SystemTime, UNIX_EPOCH};

const ENTER: &str = "INSERT OR REPLACE INTO file (name, asked, size, sha256, blake3, state, \
     reader, time, inode, mtime, incoming) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

const SEEN: &str = "INSERT INTO file (name, asked, size, sha256, state, time, inode, mtime)
     VALUES (?1, ?1, ?2, ?3, 1, ?4, ?5, ?6)
     ON CONFLICT (name) DO UPDATE SET size = ?2, sha256 = ?3, blake3 = NULL, time = ?4, inode = ?5,
     mtime = ?6 WHERE state <> 0";

const KEEP_PARTIAL: &str = "INSERT OR REPLACE INTO partial (incoming, user, asked, size, digest, \
     durable, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const KEEP_POSTED: &str = "INSERT OR IGNORE INTO file_key (user, room, key, name, size, digest, \
     seq, prev, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Enters a file in the place of whatever had its name, which must be gone.
pub(in crate::store::folder) fn enter(db: &Connection, record: &Record) -> Result<()> {
    let name = record.name.as_str();
    db.prepare_cached("DELETE FROM owner WHERE file = ?1")?
        .execute([name])?;
    db.prepare_cached(ENTER)?.execute(params![
        name,
        record.asked.as_str(),
        record.stamp.size.cast_signed(),
        record.sha256,
        record.blake3,
        record.state as i64,
        record.reader,
        millis(record.time),
        record.stamp.inode.cast_signed(),
        record.stamp.mtime,
        record.incoming,
    ])?;
    Ok(())
}

/// Says how far the file `name` has come now.
pub(in crate::store::folder) fn settle(db: &Connection, name: &str, state: State) -> Result<()> {
    let sql = "UPDATE file SET state = ?2, incoming = NULL WHERE name = ?1";
    db.prepare_cached(sql)?
        .execute(params![name, state as i64])?;
    Ok(())
}

/// Enters a file that was placed by hand, or changed, with the digest that it has.
pub(in crate::store::folder) fn seen(
    db: &Connection,
    name: &str,
    stamp: Stamp,
    sha256: &[u8; 32],
    time: SystemTime,
) -> Result<()> {
    let (size, inode) = (stamp.size.cast_signed(), stamp.inode.cast_signed());
    let values = params![name, size, sha256, millis(time), inode, stamp.mtime];
    db.prepare_cached(SEEN)?.execute(values)?;
    Ok(())
}

/// Forgets the file `name` and to whom it belongs.
pub(in crate::store::folder) fn forget(db: &Connection, name: &str) -> Result<()> {
    db.prepare_cached("DELETE FROM owner WHERE file = ?1")?
        .execute([name])?;
    db.prepare_cached("DELETE FROM file WHERE name = ?1")?
        .execute([name])?;
    Ok(())
}

/// Makes `user` one more owner of the file `name`. Returns whether that is new.
pub(in crate::store::folder) fn claim(
    db: &Connection,
    name: &str,
    user: Option<&UserName>,
    since: SystemTime,
) -> Result<bool> {
    let sql = "INSERT OR IGNORE INTO owner (file, user, since) VALUES (?1, ?2, ?3)";
    let values = params![name, user_text(user), millis(since)];
    Ok(db.prepare_cached(sql)?.execute(values)? > 0)
}

/// Takes the file `name` from `user`.
pub(in crate::store::folder) fn disown(db: &Connection, name: &str, user: &UserName) -> Result<()> {
    db.prepare_cached("DELETE FROM owner WHERE file = ?1 AND user = ?2")?
        .execute([name, user.as_str()])?;
    Ok(())
}

/// Says how much of a partial is durable.
pub(in crate::store::folder) fn keep_partial(
    db: &Connection,
    partial: &PartialRecord,
) -> Result<()> {
    let id = &partial.id;
    db.prepare_cached(KEEP_PARTIAL)?.execute(params![
        partial.incoming,
        user_text(id.user.as_ref()),
        id.name.as_str(),
        id.size.cast_signed(),
        id.digest.to_string(),
        partial.durable.cast_signed(),
        millis(partial.time),
    ])?;
    Ok(())
}

/// Forgets the partial that is called `incoming` there.
pub(in crate::store::folder) fn forget_partial(db: &Connection, incoming: &str) -> Result<()> {
    db.prepare_cached("DELETE FROM partial WHERE incoming = ?1")?
        .execute([incoming])?;
    Ok(())
}

/// Keeps what came of the first post with a key.
pub(in crate::store::folder) fn keep_posted(
    db: &Connection,
    scope: &Scope,
    published: &Published,
) -> Result<()> {
    let post = published.post.as_ref();
    db.prepare_cached(KEEP_POSTED)?.execute(params![
        user_text(scope.user.as_ref()),
        scope.room.as_ref().map_or("", RoomName::as_str),
        scope.key.as_str(),
        published.name.as_str(),
        published.size.cast_signed(),
        published.digest.as_ref().map(Digest::to_string),
        post.map(|post| post.seq.cast_signed()),
        post.map(|post| post.prev.cast_signed()),
        post.map(|post| millis(post.time)),
    ])?;
    Ok(())
}

fn millis(time: SystemTime) -> i64 {
    let since = to_millis(time).duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

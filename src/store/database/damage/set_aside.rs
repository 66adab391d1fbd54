//! Puts a new database in the place of a damaged one, which is renamed with all that belongs to it;
//! step by step, so that a start after a crash in the middle goes on with it.

use crate::store::database::schema::{NAME, SALVAGED as NEW};
use crate::store::directory::Directory;
use std::io;

/// What SQLite keeps beside a database.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Renames the database in `home` and takes the new one, which is whole and synced, for it. Returns
/// the old one's new name.
pub(super) fn swap(home: &Directory) -> io::Result<String> {
    let aside = free_name(home)?;
    if home.holds(NAME)? {
        home.rename(NAME, home, &aside)?;
    }
    finish(home, &aside)?;
    Ok(aside)
}

/// Goes on with what a crash interrupted.
///
/// # Errors
///
/// What the system says.
pub(crate) fn resume(home: &Directory) -> io::Result<()> {
    if !home.holds(NEW)? {
        return Ok(());
    }
    if home.holds(NAME)? {
        // It may not be whole, and the old one is still there.
        return home.remove(NEW);
    }
    let mut last = 1u64;
    while home.holds(&name(last + 1))? {
        last += 1;
    }
    finish(home, &name(last))
}

fn finish(home: &Directory, aside: &str) -> io::Result<()> {
    for suffix in BESIDE {
        let beside = format!("{NAME}{suffix}");
        if home.holds(&beside)? {
            home.rename(&beside, home, &format!("{aside}{suffix}"))?;
        }
    }
    home.rename(NEW, home, NAME)?;
    home.sync()
}

fn free_name(home: &Directory) -> io::Result<String> {
    for number in 1u64.. {
        let name = name(number);
        let is_held = ["", "-wal", "-shm"].map(|suffix| home.holds(&format!("{name}{suffix}")));
        let mut is_free = true;
        for held in is_held {
            is_free &= !held?;
        }
        if is_free {
            return Ok(name);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn name(number: u64) -> String {
    format!("{NAME}.damaged-{number}")
}

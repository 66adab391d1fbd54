//! The list of files: the names in the folder in their order, kept from page to page, and what is
//! known of those on one page.
//!
//! The folder itself says which files there are, so whatever an operator places or takes away by
//! hand counts. It is read again when it has changed, at most once a second; what the daemon itself
//! publishes and removes is known at once.

use super::Shared;
use super::records::{Record, file, owner};
use crate::store::directory::{Directory, Stamp};
use crate::store::{FilePage, ListQuery, Listed, StoreError};
use crate::wire::{FileName, UserName};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::io;
use std::ops::Bound;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a reading of the folder counts as its state, and how much younger than its reading its
/// last change must not be: the stamps of a file system are coarse.
const FRESH: Duration = Duration::from_secs(1);

/// Names that are looked at together before what was found is counted.
const STRIDE: usize = 256;

/// The names of all published files, once somebody has asked for them.
#[derive(Debug, Default)]
pub(super) struct Listing(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    names: Option<Names>,
    /// How many are reading the folder just now.
    readers: usize,
    /// What came and went since the first of them began, which may have missed it: a name, and
    /// whether it came.
    missed: Vec<(Box<str>, bool)>,
}

#[derive(Debug)]
struct Names {
    names: BTreeSet<Box<str>>,
    /// When the folder had last changed, in nanoseconds since 1970.
    changed: i64,
    read: Instant,
    /// Whether the folder may have changed after it was read without its stamp telling.
    doubtful: bool,
}

impl Names {
    fn read(folder: &Directory) -> io::Result<Self> {
        let changed = folder.changed()?;
        let read = Instant::now();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX));
        let age = now.saturating_sub(changed);
        let names = folder.names()?.into_iter();
        let names = names.filter(|name| FileName::new(name.as_str()).is_ok());
        Ok(Self {
            names: names.map(String::into_boxed_str).collect(),
            changed,
            read,
            doubtful: u128::try_from(age).is_ok_and(|age| age < FRESH.as_nanos()),
        })
    }

    /// Whether this is what a folder holds that last changed at `changed`.
    fn is_current(&self, changed: i64) -> bool {
        self.read.elapsed() < FRESH || !self.doubtful && self.changed == changed
    }

    fn change(&mut self, name: Box<str>, came: bool) {
        if came {
            self.names.insert(name);
        } else {
            self.names.remove(&name);
        }
    }

    /// Up to a stride of names after `from` that begin with `prefix`.
    fn stride(&self, prefix: &str, from: Bound<&str>) -> Vec<String> {
        let names = self.names.range::<str, _>((from, Bound::Unbounded));
        // Names that begin with the prefix stand together, so the first other one is the end.
        let names = names.take_while(|name| name.starts_with(prefix));
        names.take(STRIDE).map(|name| name.to_string()).collect()
    }
}

impl Listing {
    /// Enters a name that was published.
    pub(super) fn add(&self, name: &str) {
        self.0.lock().change(name, true);
    }

    /// Takes out a name that was removed.
    pub(super) fn take(&self, name: &str) {
        self.0.lock().change(name, false);
    }

    /// Hands the names to `look`, read again if need be.
    fn with<T>(&self, folder: &Directory, look: impl FnOnce(&Names) -> T) -> io::Result<T> {
        let changed = folder.changed()?;
        let mut state = self.0.lock();
        if let Some(names) = &state.names
            && names.is_current(changed)
        {
            return Ok(look(names));
        }
        state.readers += 1;
        drop(state);
        // Without the lock: it takes some ten milliseconds for a hundred thousand files.
        let read = Names::read(folder);
        let mut state = self.0.lock();
        let missed = match state.readers {
            1 => std::mem::take(&mut state.missed),
            _ => state.missed.clone(),
        };
        state.readers -= 1;
        let mut names = read?;
        for (name, came) in missed {
            names.change(name, came);
        }
        Ok(look(state.names.insert(names)))
    }
}

impl State {
    fn change(&mut self, name: &str, came: bool) {
        if let Some(names) = &mut self.names {
            names.change(name.into(), came);
        }
        if self.readers > 0 {
            self.missed.push((name.into(), came));
        }
    }
}

impl Shared {
    /// One page of the list.
    pub(super) fn list_files(&self, query: &ListQuery) -> Result<FilePage, StoreError> {
        let mut page = FilePage::default();
        let mut after = query.after.clone();
        loop {
            let from = match &after {
                Some(after) if *after >= query.prefix => Bound::Excluded(after.as_str()),
                _ => Bound::Included(query.prefix.as_str()),
            };
            let look = |names: &Names| names.stride(&query.prefix, from);
            let stride = self.listing.with(&self.uploads, look)?;
            let Some(last) = stride.last() else {
                return Ok(page);
            };
            after = Some(last.clone());
            let known = self.database.read(|db| {
                let know = |name: &String| Ok((file(db, name)?, owner(db, name)?));
                stride
                    .iter()
                    .map(know)
                    .collect::<rusqlite::Result<Vec<_>>>()
            })?;
            for (name, (record, owner)) in stride.into_iter().zip(known) {
                let Some(stamp) = self.uploads.stamp(&name)? else {
                    // A link, a folder or a device, or gone by now.
                    continue;
                };
                let reader = record.as_ref().and_then(|record| record.reader.as_deref());
                let is_visible = (record.as_ref()).is_none_or(|record| self.is_visible(record));
                if !is_visible || !query.viewer.sees(reader) {
                    continue;
                }
                if page.files.len() >= query.limit {
                    page.more = true;
                    return Ok(page);
                }
                if let Ok(name) = FileName::new(name) {
                    page.files.push(self.listed(name, stamp, record, owner));
                }
            }
        }
    }

    fn listed(
        &self,
        name: FileName,
        stamp: Stamp,
        record: Option<Record>,
        owner: Option<UserName>,
    ) -> Listed {
        let current = record.filter(|record| record.stamp == stamp);
        if current.is_none() {
            self.placed.notice(&name);
        }
        let written = u64::try_from(stamp.mtime).unwrap_or(0);
        Listed {
            name,
            size: stamp.size,
            digest: current.as_ref().and_then(Record::digest),
            owner,
            time: match current {
                Some(record) => record.time,
                None => UNIX_EPOCH + Duration::from_nanos(written),
            },
        }
    }
}

//! Publishing a batch of files: what each turns out to be, names, syncs, records, renames. Each step
//! is made for all of them before the next one, so that they share its cost.
//!
//! A durable file is synced and its record says `publishing` before it gets its name, and its folder
//! is synced before anybody is told: whatever happens then, a start finds the record and the name and
//! makes an end of it. So that the record says `published` need not be waited for: the next commit
//! sees to it. Only what has a post to a room or a key waits for a second commit, which has both. A
//! file that asked for less skips the waiting.
//!
//! One file of it is in `item`, what is committed for each at its end in `change`.

mod change;
mod item;

use super::Shared;
use super::publisher::Finished;
use super::records::{State, claim, enter, file, posted};
use super::upkeep::settle_all;
use crate::store::beside::beside;
use crate::store::database::Writing;
use crate::store::{Arrival, Published, StoreError};
use crate::ticket::redeem_all;
use crate::wire::FileName;
use change::{Change, Committed};
use crossbeam_channel::bounded;
use item::{Course, Item};
use std::collections::HashSet;
use std::io;
use std::sync::Arc;

/// Files that are published together.
pub(super) struct Batch<'a> {
    shared: &'a Arc<Shared>,
    items: Vec<Item>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, files: Vec<Finished>) -> Self {
        let items = files.into_iter().map(Item::new).collect();
        Self { shared, items }
    }

    /// Publishes all of it and answers.
    pub(super) fn publish(mut self) {
        self.check_fence();
        self.recognize();
        // Again only for those whose name was taken in the meantime.
        loop {
            self.name();
            self.secure();
            if !self.rename() {
                break;
            }
        }
        self.sync_folder();
        self.settle_plain();
        self.tell();
        self.commit();
        self.tell();
    }

    fn check_fence(&mut self) {
        for item in &mut self.items {
            if item.wanted.durable
                && let Err(error) = self.shared.check_fence()
            {
                item.fail(error.into());
            }
        }
    }

    /// Finds those that were posted before, and those that are here already.
    fn recognize(&mut self) {
        for item in &mut self.items {
            if let Some(scope) = &item.scope {
                match self.shared.database.read(|db| posted(db, scope)) {
                    Ok(Some(mut first)) => {
                        match vouch(self.shared, &mut first, item.wanted.durable) {
                            Ok(()) => item.end(Ok(first), false),
                            Err(error) => item.fail(error.into()),
                        }
                    }
                    Ok(None) => {}
                    Err(error) => item.fail(error.into()),
                }
            }
            if let Err(error) = item.recognize(self.shared) {
                item.fail(error);
            }
        }
    }

    /// Finds a name for each new file that has none.
    fn name(&mut self) {
        let mut taken: HashSet<FileName> = HashSet::new();
        for item in &mut self.items {
            let Course::New {
                incoming,
                record: record @ None,
                ..
            } = &mut item.course
            else {
                continue;
            };
            let uploads = &self.shared.uploads;
            let holds = |name: &FileName| Ok(taken.contains(name) || uploads.holds(name.as_str())?);
            let asked = &item.wanted.name;
            let found = match holds(asked) {
                Ok(false) => Ok(asked.clone()),
                Ok(true) => beside(asked, 1, holds).map(|(name, _)| name),
                Err(error) => Err(error),
            };
            let made = found.and_then(|name| {
                let mut made = self.shared.record(incoming, &item.wanted, name)?;
                if let Some(digest) = item.digest {
                    made.set_digest(digest);
                }
                Ok(made)
            });
            match made {
                Ok(made) => {
                    taken.insert(made.name.clone());
                    *record = Some(made);
                }
                Err(error) => item.fail(error.into()),
            }
        }
    }

    /// Syncs the files and commits their records, at the same time.
    fn secure(&mut self) {
        let mut records = Vec::new();
        let mut syncs = Vec::new();
        for (place, item) in self.items.iter().enumerate() {
            let Course::New {
                incoming,
                record: Some(record),
                renamed: false,
            } = &item.course
            else {
                continue;
            };
            if item.waits() {
                records.push((record.clone(), item.wanted.owner.clone()));
            }
            if item.wanted.durable {
                syncs.push((place, Arc::clone(incoming.file())));
            }
        }
        if records.is_empty() {
            return;
        }
        let finished: Vec<_> = self.shared.finished.lock().iter().cloned().collect();
        let settled = finished.clone();
        let (done, committed) = bounded(1);
        self.shared.database.write(
            move |db| {
                settle_all(db, &settled)?;
                for (record, owner) in &records {
                    enter(db, record)?;
                    claim(db, record.name.as_str(), owner.as_ref(), record.time)?;
                }
                Ok(())
            },
            move |result| {
                let _ = done.send(result);
            },
        );
        let synced = self.shared.sync_files(syncs);
        let committed = committed.recv().unwrap_or(Err(StoreError::Fenced));
        for (place, result) in synced {
            if let Err(error) = result {
                self.fail_named(place, error);
            }
        }
        match committed {
            Ok(()) => self.shared.unfinish(&finished),
            Err(error) => {
                for place in 0..self.items.len() {
                    if self.items[place].waits() {
                        self.fail_named(place, error.again());
                    }
                }
            }
        }
    }

    /// Fails a new file that has no name yet, and takes back its record.
    fn fail_named(&mut self, place: usize, error: StoreError) {
        let item = &mut self.items[place];
        if let Course::New {
            record: Some(record),
            renamed: false,
            ..
        } = &item.course
        {
            self.shared.forget_later(&record.name);
            item.fail(error.into());
        }
    }

    /// Gives each new file its name. Returns whether one was taken meanwhile, so that its file needs
    /// another.
    fn rename(&mut self) -> bool {
        let mut again = false;
        for item in &mut self.items {
            let Course::New {
                incoming,
                record: Some(record),
                renamed: renamed @ false,
            } = &mut item.course
            else {
                continue;
            };
            let (from, name) = (incoming.name(), record.name.clone());
            let (incoming, uploads) = (&self.shared.incoming, &self.shared.uploads);
            match incoming.rename(from, uploads, name.as_str()) {
                Ok(()) => *renamed = true,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    self.shared.forget_later(&name);
                    if let Course::New { record, .. } = &mut item.course {
                        *record = None;
                    }
                    again = true;
                }
                Err(error) => {
                    self.shared.forget_later(&name);
                    item.fail(error.into());
                }
            }
        }
        again
    }

    /// Makes the new names durable, or takes them away again.
    fn sync_folder(&mut self) {
        let is_new = |item: &Item| {
            item.wanted.durable && matches!(item.course, Course::New { renamed: true, .. })
        };
        if !self.items.iter().any(is_new) {
            return;
        }
        let Err(error) = self.shared.sync_folder(&self.shared.uploads) else {
            return;
        };
        for item in &mut self.items {
            if is_new(item) {
                item.take_back(self.shared);
                item.fail(error.again().into());
            }
        }
    }

    /// Ends those for which nothing more has to be committed: their records and their names are
    /// durable, and a start would end them the same way.
    fn settle_plain(&mut self) {
        for item in &mut self.items {
            if let Some(name) = item.plain_name() {
                self.shared.finished.lock().insert(name);
                item.settle(self.shared, Committed::default());
            }
        }
    }

    /// Commits what the others have come to, with the posts to rooms.
    fn commit(&mut self) {
        let changes: Vec<Change> = self.items.iter_mut().filter_map(Item::change).collect();
        if changes.is_empty() {
            return;
        }
        let waits = self.items.iter().any(Item::waits);
        let now = self.shared.clock.now();
        let make = move |db: &mut Writing<'_>| {
            let made = changes.into_iter().map(|change| change.make(db, now));
            made.collect::<Result<Vec<_>, _>>()
        };
        let committed = if waits {
            self.shared.commit(make)
        } else {
            // Nobody is told anything that would have to be true after a crash.
            let places = self.items.iter().filter(|item| item.is_under_way());
            let unknown = places.map(|_| Committed::default()).collect();
            self.shared.commit_later(make);
            Ok(unknown)
        };
        match committed {
            Ok(made) => {
                let items = self.items.iter_mut().filter(|item| item.is_under_way());
                for (item, made) in items.zip(made) {
                    item.settle(self.shared, made);
                }
            }
            Err(error) => {
                for item in self.items.iter_mut().filter(|item| item.is_under_way()) {
                    // Nobody knows what a fenced database holds: then the next start ends it.
                    if !matches!(error, StoreError::Fenced) {
                        item.take_back(self.shared);
                    }
                    item.fail(error.again().into());
                }
            }
        }
    }

    /// Answers those that have ended, and tells the witness of what is new.
    fn tell(&mut self) {
        let mut arrivals = Vec::new();
        let mut answers = Vec::with_capacity(self.items.len());
        let items = std::mem::take(&mut self.items);
        for item in items {
            let Course::Settled(outcome) = item.course else {
                self.items.push(item);
                continue;
            };
            if let Ok(published) = &outcome
                && !published.duplicate
            {
                arrivals.push(Arrival {
                    name: published.name.clone(),
                    size: published.size,
                    owner: item.wanted.owner.clone(),
                    personal: item.wanted.reader().is_some(),
                });
            }
            let answer = match outcome {
                Ok(published) => (item.answer)(Ok(published)),
                Err(error) => (item.answer)(Err(&error)),
            };
            answers.push((item.ticket, answer));
        }
        redeem_all(answers);
        if let Some(witness) = self.shared.witness.get()
            && !arrivals.is_empty()
        {
            witness.published(&arrivals);
        }
    }
}

/// Sees to it that what was posted in haste is durable before it is said to be.
fn vouch(shared: &Shared, first: &mut Published, is_asked: bool) -> Result<(), StoreError> {
    let record = (shared.database).read(|db| file(db, first.name.as_str()))?;
    match record.filter(|record| record.state == State::Hasty) {
        Some(record) if is_asked => shared.settle_one(&record),
        Some(_) => {
            first.durable = false;
            Ok(())
        }
        None => Ok(()),
    }
}

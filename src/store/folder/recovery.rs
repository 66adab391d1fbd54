//! What a start does before anybody is told anything: files that were being published get their
//! names for good or not at all, what was published in haste is checked, what can be resumed is cut
//! to what is durable, and both folders are synced.

use super::leftovers;
use super::records::{
    PartialRecord, Record, State, forget, forget_partial, partials, settle, unsettled,
};
use super::space::{Share, Space};
use super::{INCOMING, Shared};
use crate::store::StoreError;
use crate::store::digester::Digester;
use crate::store::directory::{Access, Stamp};
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

impl Shared {
    /// Puts right what the last run left. Returns what the operator should know, a sentence each.
    pub(super) fn recover(self: &Arc<Self>) -> Result<Vec<String>, StoreError> {
        let mut notes = Vec::new();
        for record in self.database.read(unsettled)? {
            notes.extend(self.end_publishing(&record)?);
        }
        let mut kept = HashSet::new();
        for record in self.database.read(partials)? {
            let name = record.incoming.clone();
            match self.restore_partial(record)? {
                None => {
                    kept.insert(name);
                }
                Some(note) => notes.push(note),
            }
        }
        let (expired, bytes) = self.expire_partials();
        if expired > 0 {
            notes.push(format!(
                "{expired} uploads had broken off too long ago: their {bytes} bytes are removed"
            ));
        }
        let (resumable, bytes) = self.partials.count();
        if resumable > 0 {
            notes.push(format!(
                "{resumable} uploads had broken off and can be resumed: {bytes} bytes"
            ));
        }
        for note in leftovers::clear(&self.incoming, &kept)? {
            notes.push(format!("{INCOMING}: {note}"));
        }
        notes.extend(self.check_reserving()?);
        // After a crash of the daemon alone, names may be visible that were never synced.
        self.incoming.sync()?;
        self.uploads.sync()?;
        Ok(notes)
    }

    /// Ends the publishing of one file.
    fn end_publishing(&self, record: &Record) -> Result<Option<String>, StoreError> {
        let name = record.name.as_str();
        let is_incoming = match &record.incoming {
            Some(incoming) => self.incoming.holds(incoming)?,
            None => false,
        };
        let opened = self.uploads.open_to_read(name)?;
        let is_it =
            |stamp: &Stamp| (stamp.inode, stamp.size) == (record.stamp.inode, record.stamp.size);
        let found = opened.filter(|(_, stamp)| is_it(stamp));
        let Some((file, _)) = found else {
            // It never got its name, or another size than it was to have; nobody was told.
            self.forget_now(record)?;
            return self.set_aside_hasty(record, is_incoming);
        };
        if record.state == State::Hasty && !is_whole(&file, record)? {
            self.forget_now(record)?;
            return self.set_aside(name).map(Some);
        }
        file.sync_all()?;
        self.uploads.sync()?;
        let old = record.incoming.clone();
        if let Some(old) = old.as_ref().filter(|_| is_incoming) {
            // It has both names: where a renaming is two links, or what became of it in the other
            // folder was not synced. By the old one it would be cut to what can be resumed.
            self.incoming.remove(old)?;
        }
        let name = name.to_owned();
        self.commit(move |db| {
            if let Some(old) = old {
                forget_partial(db, &old)?;
            }
            Ok(settle(db, &name, State::Published)?)
        })?;
        Ok(None)
    }

    /// Sets aside what has the name of a file that was published in haste but is not that file.
    fn set_aside_hasty(
        &self,
        record: &Record,
        is_incoming: bool,
    ) -> Result<Option<String>, StoreError> {
        // What was to be durable was synced before it could get a name: it is somebody else's that
        // stands there now, though it may have got the same number.
        if is_incoming || record.state != State::Hasty {
            return Ok(None);
        }
        let name = record.name.as_str();
        let now = self.uploads.stamp(name)?;
        let is_torn =
            now.is_some_and(|now| now.inode == record.stamp.inode && now.size != record.stamp.size);
        if !is_torn {
            return Ok(None);
        }
        self.set_aside(name).map(Some)
    }

    /// Takes a published file that is not what it should be out of sight.
    fn set_aside(&self, name: &str) -> Result<String, StoreError> {
        let aside = format!("set-aside-{}", self.random.hex(8));
        self.uploads.rename(name, &self.incoming, &aside)?;
        Ok(format!(
            "{name:?} was not asked to be durable, and did not survive whole: what is left of it \
             is {INCOMING}/{aside}"
        ))
    }

    fn forget_now(&self, record: &Record) -> Result<(), StoreError> {
        let (name, is_hasty) = (record.name.to_string(), record.state == State::Hasty);
        self.commit(move |db| {
            if is_hasty {
                // A resend with its key must not be told that the file is here.
                db.execute("DELETE FROM file_key WHERE name = ?1", [&name])?;
            }
            Ok(forget(db, &name)?)
        })
    }

    /// Takes up one partial. Returns a sentence if it can't be.
    fn restore_partial(&self, record: PartialRecord) -> Result<Option<String>, StoreError> {
        let opened = self.incoming.open_file(&record.incoming);
        let file = match opened {
            Ok(Some(file)) if file.metadata()?.nlink() > 1 => {
                // It was published for good, and only the old name has come back with a loss of
                // power. Cut by this one it would be cut by the other as well.
                self.incoming.remove(&record.incoming)?;
                self.forget_partial_later(record.incoming);
                return Ok(None);
            }
            Ok(Some(file)) if file.metadata()?.len() >= record.durable => file,
            Err(error) => {
                // Perhaps only for now: what was told of it is not forgotten for that.
                tracing::warn!(
                    "an upload of {:?} that broke off can't be opened, and waits for the next \
                     start: {error}",
                    record.id.name.as_str()
                );
                return Ok(None);
            }
            Ok(_) => {
                self.forget_partial_later(record.incoming);
                return Ok(Some(format!(
                    "an upload of {:?} that broke off can't be resumed: its bytes are gone",
                    record.id.name.as_str()
                )));
            }
        };
        file.set_len(record.durable)?;
        file.sync_all()?;
        let mut share = Share::new(&self.space, record.id.user.clone());
        // What is here already is here; a quota only keeps more from coming.
        share.take(record.durable);
        self.partials.restore(&record, share);
        Ok(None)
    }

    /// Says whether space can be reserved here.
    fn check_reserving(&self) -> Result<Option<String>, StoreError> {
        let name = leftovers::partial_name(&self.random);
        let file = self.incoming.create(&name, Access::Private)?;
        let can_reserve = Space::can_reserve(&file);
        self.incoming.remove(&name)?;
        Ok((!can_reserve).then(|| {
            "the file system can't reserve space: an upload may find the disk full on its way"
                .to_owned()
        }))
    }
}

/// Whether a file that nobody has synced is still what was recorded, as far as that can be told.
fn is_whole(mut file: &File, record: &Record) -> Result<bool, StoreError> {
    let Some(expected) = record.digest() else {
        return Ok(true);
    };
    let mut digester = Digester::new(expected.algorithm);
    let read = digester.read(&mut file, u64::MAX)?;
    Ok(read == record.stamp.size && digester.finish() == expected)
}

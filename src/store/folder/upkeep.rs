//! What is done beside publishing, every hour and at the end: old partials expire, and what was
//! published in haste is synced.

use super::Shared;
use super::records::{Record, State, forget_partial, settle, unsettled};
use crate::store::StoreError;
use crate::wire::FileName;
use rusqlite::Connection;

/// Says in the records that files are published for good.
pub(super) fn settle_all(db: &Connection, names: &[FileName]) -> Result<(), StoreError> {
    for name in names {
        settle(db, name.as_str(), State::Published)?;
    }
    Ok(())
}

impl Shared {
    /// Says in the records what is published for good.
    pub(super) fn settle_finished(&self) {
        let names: Vec<_> = self.finished.lock().iter().cloned().collect();
        if names.is_empty() {
            return;
        }
        let settled = names.clone();
        let committed = self.commit(move |db| settle_all(db, &settled));
        match committed {
            Ok(()) => self.unfinish(&names),
            // Then the next commit or a start does it.
            Err(error) => tracing::debug!("published files can't be recorded as such: {error}"),
        }
    }

    /// Forgets of files that their records still have to say that they are published.
    pub(super) fn unfinish(&self, names: &[FileName]) {
        let mut finished = self.finished.lock();
        for name in names {
            finished.remove(name);
        }
    }

    /// Does what has to be done now and then.
    pub(super) fn look_after(&self) {
        self.expire_partials();
        self.settle_hasty();
    }

    /// Forgets uploads that broke off too long ago. Returns how many, and their bytes.
    pub(super) fn expire_partials(&self) -> (usize, u64) {
        let old = self.partials.expire(self.clock.now(), self.partial_kept);
        let bytes = old.iter().map(|(_, _, durable)| durable).sum();
        for (id, name, durable) in &old {
            tracing::info!(
                "an upload of {:?} that broke off after {durable} of {} bytes has expired",
                id.name.as_str(),
                id.size
            );
            self.drop_partial(name, *durable);
        }
        let (count, left) = self.partials.count();
        if count > 0 {
            tracing::info!("{count} uploads that broke off can be resumed: {left} bytes");
        }
        (old.len(), bytes)
    }

    /// Syncs all that was published without.
    pub(super) fn settle_hasty(&self) {
        let hasty = match self.database.read(unsettled) {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!("files that were not synced can't be looked up: {error}");
                return;
            }
        };
        for record in hasty {
            if record.state == State::Hasty
                && let Err(error) = self.settle_one(&record)
            {
                tracing::warn!("{:?} can't be synced: {error}", record.name.as_str());
                return;
            }
        }
    }

    /// Makes durable what was published in haste.
    pub(super) fn settle_one(&self, record: &Record) -> Result<(), StoreError> {
        self.check_fence()?;
        let name = record.name.as_str();
        let Some((file, _)) = self.uploads.open_to_read(name)? else {
            return Ok(());
        };
        self.sync_file(&file)?;
        self.sync_folder(&self.uploads)?;
        let (name, stamp) = (name.to_owned(), record.stamp);
        self.commit(move |db| {
            // Unless it is another file by now.
            if super::records::file(db, &name)?.is_some_and(|record| record.stamp == stamp) {
                settle(db, &name, State::Published)?;
            }
            Ok(())
        })
    }

    /// Forgets the partial `name` in one of the next commits.
    pub(super) fn forget_partial_later(&self, name: String) {
        self.change_later(move |db| forget_partial(db, &name));
    }
}

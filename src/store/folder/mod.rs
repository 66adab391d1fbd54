//! The lasting engine of [`Files`]: published files by their names in `uploads/`, files on their
//! way in under names of our own in `uploads/.incoming/`, and what is known of them in the database.
//! Both folders are on one file system, so that publishing is a rename.
//!
//! An upload is in `upload`, its bytes in `incoming`, what is here already in `duplicate`, what can be
//! resumed in `partials`, quotas and reserves in `space`; the thread that publishes in `publisher` and
//! `batch`, removing in `removal`; reading in `opening` and `listing`; what an operator places by hand
//! in `placed`; what a start finds in `recovery` and `leftovers`.

mod batch;
mod duplicate;
mod helpers;
mod incoming;
mod leftovers;
mod listing;
mod opening;
mod partials;
mod placed;
mod publisher;
mod records;
mod recovery;
mod removal;
mod shared;
mod space;
#[cfg(test)]
mod tests;
mod upkeep;
mod upload;

use super::directory::Directory;
use super::{
    Database, FileError, FilePage, FileWitness, Files, ListQuery, NewFile, Offset, PartialId,
    StoreError, StoredFile, Upload, Viewer,
};
use crate::time::{Clock, Random};
use crate::wire::{Digest, FileName};
use crossbeam_channel::bounded;
use helpers::Helpers;
use listing::Listing;
use parking_lot::Mutex;
use partials::Partials;
use placed::Placed;
use publisher::{Job, Publisher};
use shared::Shared;
use space::Space;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use upload::FolderUpload;

/// Where published files are.
const UPLOADS: &str = "uploads";

/// Where files on their way in are; its leading dot keeps every client's name out of it.
const INCOMING: &str = ".incoming";

/// How much a store of files may take.
#[derive(Debug, Clone)]
pub struct FileLimits {
    /// What the files of one user may have together, in bytes; 0 is no bound.
    pub quota_per_user: u64,
    /// What all files together may have, in bytes; 0 is no bound.
    pub quota: u64,
    /// What uploads leave free on the disk, in bytes: this or a twentieth of the disk, whichever is
    /// more, but never more than half of what is free at the start.
    pub disk_reserve: u64,
    /// How long an upload that broke off can be resumed.
    pub partial_kept: Duration,
}

/// Files in the folder `uploads`.
#[derive(Debug)]
pub struct Folder {
    shared: Arc<Shared>,
    notes: Vec<String>,
}

impl Folder {
    /// Opens `uploads` in the folder `home`, creates what is missing, and finishes or undoes what the
    /// last run left. What is known of files is in `database`, which must be that of the same home.
    /// No other daemon may be at work there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the folders can't be opened, created or synced, or the database not read.
    pub fn open(
        home: &Path,
        database: Arc<Database>,
        limits: &FileLimits,
        clock: Clock,
        random: Random,
    ) -> Result<Self, StoreError> {
        let home = Directory::open(home)?;
        // An operator may have put the files on another disk: this one may be a link.
        let uploads = home.subfolder(UPLOADS, 0o777, true)?;
        let incoming = uploads.subfolder(INCOMING, 0o700, false)?;
        let (users, all) = database.read(records::usage)?;
        let space = Space::new(&uploads, limits, users, all)?;
        let (publisher, jobs) = Publisher::new();
        let (placed, names) = Placed::new();
        let shared = Arc::new(Shared {
            uploads,
            incoming,
            database,
            clock,
            random,
            partial_kept: limits.partial_kept,
            fence: shared::Fence::default(),
            space: Arc::new(space),
            partials: Partials::default(),
            listing: Listing::default(),
            finished: Mutex::default(),
            helpers: Helpers::start()?,
            placed,
            publisher,
            witness: OnceLock::new(),
        });
        let notes = shared.recover()?;
        for note in &notes {
            tracing::warn!("{UPLOADS}: {note}");
        }
        shared.publisher.start(&shared, jobs)?;
        shared.placed.start(&shared, names)?;
        Ok(Self { shared, notes })
    }

    /// What was found left over when the folder was opened, a sentence each; already logged.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Files for Folder {
    fn begin(&self, file: NewFile) -> Result<Box<dyn Upload>, FileError> {
        Ok(Box::new(FolderUpload::begin(&self.shared, file)?))
    }

    fn offset(&self, partial: &PartialId) -> Result<Offset, FileError> {
        self.shared.offset(partial)
    }

    fn open(
        &self,
        name: &FileName,
        viewer: &Viewer,
        expected: Option<Digest>,
    ) -> Result<StoredFile, FileError> {
        self.shared.open_file(name, viewer, expected)
    }

    fn list(&self, query: &ListQuery) -> Result<FilePage, FileError> {
        Ok(self.shared.list_files(query)?)
    }

    fn remove(&self, name: &FileName, viewer: &Viewer) -> Result<(), FileError> {
        let (done, removed) = bounded(1);
        self.shared.publisher.hand(Job::Remove {
            name: name.clone(),
            viewer: viewer.clone(),
            done,
        });
        let removed = removed.recv();
        removed.unwrap_or(Err(StoreError::Fenced.into()))
    }

    fn observe(&self, witness: Arc<dyn FileWitness>) {
        // Only the first counts.
        let _ = self.shared.witness.set(witness);
    }

    fn close(&self) {
        self.shared.publisher.close();
        self.shared.placed.close();
        self.shared.helpers.close();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.close();
    }
}

//! The lasting engine of [`Files`]: published files by their names in `uploads/`, files on their
//! way in under names of our own in `uploads/.incoming/`. Both are on one file system, so that
//! publishing is a rename.
//!
//! One upload is in `upload`, what a start finds in `.incoming` in `leftovers`. Digests, resuming
//! and quotas are left to the next engine.

mod leftovers;
mod upload;

use super::directory::Directory;
use super::{
    FileError, FilePage, FileWitness, Files, ListQuery, NewFile, Offset, PartialId, StoreError,
    StoredFile, Upload, Viewer,
};
use crate::time::Random;
use crate::wire::{Digest, FileName};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use upload::FolderUpload;

/// Where published files are.
const UPLOADS: &str = "uploads";

/// Where files on their way in are; its leading dot keeps every client's name out of it.
const INCOMING: &str = ".incoming";

/// Files in the folder `uploads`.
#[derive(Debug)]
pub struct Folder {
    shared: Arc<Shared>,
    notes: Vec<String>,
}

/// What a folder and its uploads share.
#[derive(Debug)]
struct Shared {
    uploads: Directory,
    incoming: Directory,
    random: Random,
    /// Set once a sync of `uploads` has failed: nobody knows then which names are durable.
    fenced: AtomicBool,
    /// Whether it was already said that space can't be reserved here.
    unreserved: AtomicBool,
    witness: OnceLock<Arc<dyn FileWitness>>,
}

impl Folder {
    /// Opens `uploads` in the folder `home`, creates what is missing, and clears away what uploads
    /// that never ended left behind. No other daemon may be at work in the same home.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the folders can't be opened, created or synced.
    pub fn open(home: &Path, random: Random) -> Result<Self, StoreError> {
        let home = Directory::open(home)?;
        // An operator may have put the files on another disk: this one may be a link.
        let uploads = home.subfolder(UPLOADS, 0o777, true)?;
        let incoming = uploads.subfolder(INCOMING, 0o700, false)?;
        let notes = leftovers::clear(&incoming)?;
        for note in &notes {
            tracing::warn!("{UPLOADS}/{INCOMING}: {note}");
        }
        // After a crash of the daemon alone, names may be visible that were never synced.
        uploads.sync()?;
        Ok(Self {
            shared: Arc::new(Shared {
                uploads,
                incoming,
                random,
                fenced: AtomicBool::new(false),
                unreserved: AtomicBool::new(false),
                witness: OnceLock::new(),
            }),
            notes,
        })
    }

    /// What was found left over when the folder was opened, a sentence each; already logged.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Files for Folder {
    fn begin(&self, file: NewFile) -> Result<Box<dyn Upload>, FileError> {
        if file.offset > 0 {
            return Err(FileError::Conflict { offset: 0 });
        }
        if file.durable && self.shared.fenced.load(Ordering::Acquire) {
            return Err(StoreError::Fenced.into());
        }
        Ok(Box::new(FolderUpload::begin(&self.shared, file)?))
    }

    fn offset(&self, _: &PartialId) -> Result<Offset, FileError> {
        Err(unsupported())
    }

    fn open(&self, _: &FileName, _: &Viewer, _: Option<Digest>) -> Result<StoredFile, FileError> {
        Err(unsupported())
    }

    fn list(&self, _: &ListQuery) -> Result<FilePage, FileError> {
        Err(unsupported())
    }

    fn remove(&self, _: &FileName, _: &Viewer) -> Result<(), FileError> {
        Err(unsupported())
    }

    fn observe(&self, witness: Arc<dyn FileWitness>) {
        // Only the first counts.
        let _ = self.shared.witness.set(witness);
    }

    fn close(&self) {}
}

fn unsupported() -> FileError {
    std::io::Error::from(std::io::ErrorKind::Unsupported).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{FilesUnderTest, files_conform, published};
    use crate::wire::Code;
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use tempfile::TempDir;

    /// A folder in a home of its own, which goes with it.
    struct Home {
        folder: Folder,
        home: TempDir,
    }

    impl FilesUnderTest for Home {
        fn open() -> Self {
            let home = tempfile::tempdir().unwrap();
            let folder = Folder::open(home.path(), Random::system()).unwrap();
            Self { folder, home }
        }

        fn store(&self) -> Arc<dyn Files> {
            Arc::new(Folder {
                shared: Arc::clone(&self.folder.shared),
                notes: Vec::new(),
            })
        }

        fn published(&self) -> BTreeMap<String, Vec<u8>> {
            let entries = fs::read_dir(self.home.path().join(UPLOADS)).unwrap();
            entries
                .map(|entry| entry.unwrap())
                .filter(|entry| entry.file_name() != INCOMING)
                .map(|entry| {
                    let name = entry.file_name().into_string().unwrap();
                    (name, fs::read(entry.path()).unwrap())
                })
                .collect()
        }

        fn under_way(&self) -> usize {
            self.folder.shared.incoming.entries().unwrap().len()
        }
    }

    files_conform!(Home);

    fn wanted(size: u64) -> NewFile {
        NewFile {
            size: Some(size),
            ..NewFile::named(FileName::new("a").unwrap())
        }
    }

    #[test]
    fn what_no_disk_holds_is_refused_and_leaves_nothing() {
        let home = Home::open();
        for size in [1 << 60, u64::MAX] {
            let refused = home.folder.begin(wanted(size)).map(drop);
            assert!(
                matches!(refused, Err(FileError::Store(StoreError::NoSpace))),
                "{size}"
            );
        }
        assert_eq!(home.under_way(), 0);
    }

    #[test]
    fn space_is_reserved_without_lengthening_the_file() {
        let home = Home::open();
        let _upload = home.folder.begin(wanted(4 << 20)).unwrap();
        let incoming = home.home.path().join(UPLOADS).join(INCOMING);
        let partial = fs::read_dir(incoming).unwrap().next().unwrap().unwrap();
        let partial = partial.metadata().unwrap();
        assert_eq!(partial.len(), 0);
        let reserved = partial.blocks() * 512;
        assert!(reserved >= 4 << 20, "can this file system reserve space?");
    }

    #[test]
    fn incoming_is_private_and_published_files_are_not() {
        let home = Home::open();
        published(home.folder.begin(wanted(0)).unwrap()).unwrap();
        let mode = |name: &str| {
            let path = home.home.path().join(UPLOADS).join(name);
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(INCOMING), 0o700);
        assert_eq!(mode("a") & 0o600, 0o600);
        assert_eq!(mode("a") & 0o111, 0);
    }

    #[test]
    fn a_start_clears_what_a_crash_left_and_keeps_what_was_published() {
        let Home { folder, home } = Home::open();
        published(folder.begin(wanted(0)).unwrap()).unwrap();
        let mut upload = folder.begin(wanted(9)).unwrap();
        upload.write(b"12345").unwrap();
        // Not dropped, as in a crash.
        std::mem::forget(upload);
        let folder = Folder::open(home.path(), Random::system()).unwrap();
        assert_eq!(
            folder.notes(),
            ["1 uploads had not ended: their 5 bytes are removed"]
        );
        let home = Home { folder, home };
        assert_eq!((home.under_way(), home.published().len()), (0, 1));
    }

    #[test]
    fn uploads_may_be_on_another_disk_but_incoming_may_not() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(other.path(), home.path().join(UPLOADS)).unwrap();
        let folder = Folder::open(home.path(), Random::system()).unwrap();
        published(folder.begin(wanted(0)).unwrap()).unwrap();
        assert!(other.path().join("a").exists());

        fs::remove_dir(other.path().join(INCOMING)).unwrap();
        std::os::unix::fs::symlink(home.path(), other.path().join(INCOMING)).unwrap();
        assert!(Folder::open(home.path(), Random::system()).is_err());
    }

    #[test]
    fn a_fenced_folder_takes_no_durable_file() {
        let home = Home::open();
        let upload = home.folder.begin(wanted(0)).unwrap();
        home.folder.shared.fenced.store(true, Ordering::Release);
        assert_eq!(published(upload), Err(Code::GoingAway));
        let refused = home.folder.begin(wanted(0)).map(drop);
        assert!(matches!(refused, Err(FileError::Store(StoreError::Fenced))));
        let hasty = NewFile {
            durable: false,
            ..wanted(0)
        };
        assert!(published(home.folder.begin(hasty).unwrap()).is_ok());
        assert_eq!((home.under_way(), home.published().len()), (0, 1));
    }
}

//! The engine in a real folder: what every engine does, and what only one that lasts can do.

mod crashes;
mod faults;
mod obstacles;
mod quotas;

use super::space::Share;
use super::upload::{Place, claim};
use super::*;
use crate::store::Messages;
use crate::store::conformance::{FilesUnderTest, files_conform, published, wanted};
use crate::store::digester::Digester;
use crate::wire::{Algorithm, Code, Digest, Key, UserName, WantedDigest};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::SystemTime;
use tempfile::TempDir;

/// A folder in a home of its own, which goes with it.
struct Home {
    folder: Arc<Folder>,
    database: Arc<Database>,
    home: TempDir,
}

/// No bounds but those of the disk.
fn limits() -> FileLimits {
    FileLimits {
        quota_per_user: 0,
        quota: 0,
        disk_reserve: 0,
        partial_kept: Duration::from_secs(60),
    }
}

fn open(home: TempDir, limits: &FileLimits, clock: Clock) -> Home {
    let random = Random::system();
    let database = Database::open(home.path(), clock.clone(), &random).unwrap();
    let database = Arc::new(database);
    let folder = Folder::open(home.path(), Arc::clone(&database), limits, clock, random);
    let folder = Arc::new(folder.unwrap());
    Home {
        folder,
        database,
        home,
    }
}

impl Home {
    /// Opens it anew while the clock says what `now` says.
    fn at(now: &Arc<Mutex<SystemTime>>, limits: &FileLimits) -> Self {
        let now = Arc::clone(now);
        let clock = Clock::from_fn(move || *now.lock());
        open(tempfile::tempdir().unwrap(), limits, clock)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(UPLOADS).join(name)
    }

    /// What a start makes of this home once the daemon is gone.
    fn restart(self) -> Self {
        let Self {
            folder,
            database,
            home,
        } = self;
        folder.close();
        database.close();
        drop((folder, database));
        open(home, &limits(), Clock::system())
    }
}

impl FilesUnderTest for Home {
    fn open() -> Self {
        open(tempfile::tempdir().unwrap(), &limits(), Clock::system())
    }

    fn store(&self) -> Arc<dyn Files> {
        self.folder.clone()
    }

    fn messages(&self) -> Arc<dyn Messages> {
        self.database.clone()
    }

    fn published(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.path("")).unwrap();
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

fn begin(home: &Home, size: u64) -> Result<Box<dyn Upload>, FileError> {
    home.folder.begin(wanted("a", Some(size), true))
}

/// The file `name` of `owner`, nobody for a guest, with the size and digest of `content`.
fn proven(name: &str, owner: &str, content: &[u8]) -> NewFile {
    let mut digester = Digester::new(Algorithm::Sha256);
    digester.update(content);
    NewFile {
        size: Some(content.len() as u64),
        digest: Some(WantedDigest::Verify(digester.finish())),
        owner: UserName::new(owner).ok(),
        ..NewFile::named(FileName::new(name).unwrap())
    }
}

/// Sends the first `bytes` of `content` from where `file` begins, and breaks off.
fn break_off(home: &Home, file: &NewFile, content: &[u8], bytes: usize) -> u64 {
    let mut upload = home.folder.begin(file.clone()).unwrap();
    upload.write(&content[file.offset as usize..bytes]).unwrap();
    upload.suspend()
}

fn offset(home: &Home, file: &NewFile) -> u64 {
    let offset = home.folder.offset(&file.partial().unwrap());
    offset.unwrap().bytes
}

fn put(home: &Home, name: &str, content: &[u8]) -> Result<String, Code> {
    let mut upload = home.folder.begin(wanted(name, None, true)).unwrap();
    upload.write(content).unwrap();
    published(upload).map(|published| published.name.into_string())
}

#[test]
fn what_no_disk_holds_is_refused_and_leaves_nothing() {
    let home = Home::open();
    for size in [1 << 60, u64::MAX] {
        let refused = begin(&home, size).map(drop);
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
    let _upload = begin(&home, 4 << 20).unwrap();
    let partial = fs::read_dir(home.path(INCOMING)).unwrap().next();
    let partial = partial.unwrap().unwrap().metadata().unwrap();
    assert_eq!(partial.len(), 0);
    let reserved = partial.blocks() * 512;
    assert!(reserved >= 4 << 20, "can this file system reserve space?");
}

#[test]
fn incoming_is_private_and_published_files_are_not() {
    let home = Home::open();
    put(&home, "a", b"").unwrap();
    let mode = |name: &str| fs::metadata(home.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(INCOMING), 0o700);
    assert_eq!(mode("a") & 0o600, 0o600);
    assert_eq!(mode("a") & 0o111, 0);
}

#[test]
fn a_start_clears_what_a_crash_left_and_keeps_what_was_published() {
    let home = Home::open();
    put(&home, "a", b"x").unwrap();
    let mut upload = begin(&home, 9).unwrap();
    upload.write(b"12345").unwrap();
    // Not dropped, as in a crash.
    std::mem::forget(upload);
    let home = home.restart();
    assert_eq!(
        home.folder.notes(),
        [".incoming: 1 uploads had not ended: their 5 bytes are removed"]
    );
    assert_eq!((home.under_way(), home.published().len()), (0, 1));
}

#[test]
fn uploads_may_be_on_another_disk_but_incoming_may_not() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(other.path(), home.path().join(UPLOADS)).unwrap();
    let home = open(home, &limits(), Clock::system());
    put(&home, "a", b"").unwrap();
    assert!(other.path().join("a").exists());

    fs::remove_dir(other.path().join(INCOMING)).unwrap();
    symlink(home.home.path(), other.path().join(INCOMING)).unwrap();
    let database = Arc::clone(&home.database);
    let (clock, random) = (Clock::system(), Random::system());
    let refused = Folder::open(home.home.path(), database, &limits(), clock, random);
    assert!(refused.is_err());
}

#[test]
fn a_fenced_folder_takes_no_durable_file() {
    let home = Home::open();
    put(&home, "old", b"x").unwrap();
    let upload = begin(&home, 0).unwrap();
    home.folder
        .shared
        .fence
        .raise(&std::io::ErrorKind::Other.into());
    assert_eq!(published(upload), Err(Code::GoingAway));
    let refused = begin(&home, 0).map(drop);
    assert!(matches!(refused, Err(FileError::Store(StoreError::Fenced))));
    let hasty = home.folder.begin(wanted("a", None, false)).unwrap();
    assert!(published(hasty).is_ok());
    assert_eq!((home.under_way(), home.published().len()), (0, 2));
    let old = FileName::new("old").unwrap();
    assert!(home.folder.open(&old, &Viewer::default(), None).is_ok());
}

/// The whole of it may be published between the two looks that a later upload takes: it was then begun
/// anew beside its published file, and lay there until it had expired.
#[test]
fn what_is_published_between_two_looks_is_not_begun_anew() {
    let home = Home::open();
    let (file, content) = (proven("a", "u", b"0123456789"), b"0123456789");
    let (shared, id) = (&home.folder.shared, file.partial().unwrap());
    let again = |ended| {
        let share = Share::new(&shared.space, file.owner.clone());
        claim(shared, &file, (id.clone(), ended), share, None)
    };
    let before = shared.partials.ended();
    assert!(
        shared
            .same(&id.name, id.size, id.digest, None)
            .unwrap()
            .is_none()
    );
    let mut upload = home.folder.begin(file.clone()).unwrap();
    upload.write(content).unwrap();
    published(upload).unwrap();
    assert!(matches!(again(before), Ok(Place::Same { .. })));
    assert_eq!(offset(&home, &file), 10);
    assert_eq!(home.under_way(), 0);
}

//! A second connection to `gatepost.db`, for an operator's commands: beside a daemon that runs or
//! without one. Makes nothing and brings nothing up to date; that is left to a start.
//!
//! SQLite lets one connection write at a time, and here each change is a few rows in a transaction
//! of its own. The daemon's journal waits for as long as that takes, as this waits for it. A daemon
//! that starts with a damaged file makes a new one of it: what is written to the old one meanwhile
//! may be lost, and is told so.

use super::schema::{self, NAME, SALVAGED};
use super::{bans, connection, tokens};
use crate::store::{
    Ban, Bans, Done, IssuedToken, Remembered, Source, StoreError, Tokens, WhichBans, WhichTokens,
};
use crate::wire::TokenHash;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Tokens and bans in the file `gatepost.db`, seen by who does not serve it. A change fails as
/// [`ErrorKind::ResourceBusy`] where a starting daemon is replacing the file, and is worth another
/// try.
pub struct Maintenance {
    connection: Mutex<Connection>,
    home: PathBuf,
    /// The file as it was found under its name.
    file: FileId,
}

/// The device and the inode.
type FileId = (u64, u64);

impl Maintenance {
    /// Opens the file in the folder `home`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it can't be read, or was last served by another version of this program.
    pub fn open(home: &Path) -> Result<Option<Self>, StoreError> {
        let home = match home.canonicalize() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            home => home?,
        };
        // Before it is opened: if it is replaced in between, that is found out after a change.
        let Some(file) = file_id(&home.join(NAME))? else {
            return Ok(None);
        };
        let connection = connection::writer(&home)?;
        schema::check_version(&connection)?;
        Ok(Some(Self {
            connection: Mutex::new(connection),
            home,
            file,
        }))
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        Ok(read(&self.connection.lock())?)
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let connection = self.connection.lock();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let changed = change(&connection).and_then(|changed| {
            connection.execute_batch("COMMIT")?;
            Ok(changed)
        });
        if changed.is_err() && !connection.is_autocommit() {
            // What failed is told already.
            let _ = connection.execute_batch("ROLLBACK");
        }
        let changed = changed?;
        drop(connection);
        self.check_still_served()?;
        Ok(changed)
    }

    /// Whether what was just committed is in the file that is or will be served. No lock keeps a
    /// daemon from starting meanwhile.
    fn check_still_served(&self) -> Result<(), StoreError> {
        // In this order: the new one takes the name, and is then not there under its own.
        let is_replacing = self.home.join(SALVAGED).try_exists()?;
        if !is_replacing && file_id(&self.home.join(NAME))? == Some(self.file) {
            return Ok(());
        }
        let what = "it was damaged and a starting daemon makes a new one of it, perhaps without \
                    this change: try again once the daemon has started";
        Err(io::Error::new(ErrorKind::ResourceBusy, what).into())
    }
}

/// Which file has the name `path`; `None` if none has.
fn file_id(path: &Path) -> io::Result<Option<FileId>> {
    match path.metadata() {
        Ok(file) => Ok(Some((file.dev(), file.ino()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl fmt::Debug for Maintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Maintenance")
    }
}

/// What nobody is told the end of. Where it fails nothing but the memory of it is lost.
fn unheard(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::debug!(%error, "not written");
    }
}

impl Tokens for Maintenance {
    fn issue(&self, token: IssuedToken, most: usize, done: Done<()>) {
        done(self.write(|db| tokens::issue(db, &token, most)));
    }

    fn find(&self, hash: &TokenHash) -> Result<Option<IssuedToken>, StoreError> {
        self.read(|db| tokens::find(db, hash))
    }

    fn touch(&self, hash: &TokenHash, time: SystemTime) {
        unheard(self.write(|db| tokens::touch(db, hash, time)));
    }

    fn list(&self, which: &WhichTokens) -> Result<Vec<IssuedToken>, StoreError> {
        self.read(|db| tokens::list(db, which))
    }

    fn revoke(&self, which: WhichTokens, done: Done<u64>) {
        done(self.write(|db| tokens::revoke(db, &which)));
    }
}

impl Bans for Maintenance {
    fn remembered(&self) -> Result<Remembered, StoreError> {
        self.read(bans::remembered)
    }

    fn lifted(&self) -> Result<Vec<Source>, StoreError> {
        self.read(bans::lifted)
    }

    fn ban(&self, ban: Ban) {
        unheard(self.write(|db| bans::keep(db, &ban)));
    }

    fn know(&self, source: Source, since: SystemTime) {
        unheard(self.write(|db| bans::know(db, &source, since)));
    }

    fn forget_lifted(&self, sources: Vec<Source>) {
        unheard(self.write(|db| bans::forget_lifted(db, &sources)));
    }

    fn forget_before(&self, banned: SystemTime, known: SystemTime) {
        unheard(self.write(|db| bans::forget_before(db, banned, known)));
    }

    fn lift(&self, which: WhichBans, done: Done<u64>) {
        done(self.write(|db| bans::lift(db, &which)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{
        BansUnderTest, Desk, TokensUnderTest, issue_token, message, pending, revoke_tokens, token,
    };
    use crate::store::{Database, Messages};
    use crate::time::{Clock, Random};

    fn database(home: &Path) -> Database {
        Database::open(home, Clock::system(), &Random::system()).unwrap()
    }

    /// A second connection to a file that nobody serves.
    struct Offline;

    fn offline(run: impl FnOnce(&Maintenance)) {
        let home = tempfile::tempdir().unwrap();
        drop(database(home.path()));
        run(&Maintenance::open(home.path()).unwrap().unwrap());
    }

    impl TokensUnderTest for Offline {
        fn with(run: impl FnOnce(&dyn Tokens)) {
            offline(|maintenance| run(maintenance));
        }
    }

    impl BansUnderTest for Offline {
        fn with(run: impl FnOnce(&dyn Bans)) {
            offline(|maintenance| run(maintenance));
        }
    }

    crate::store::conformance::tokens_conform!(Offline);
    crate::store::conformance::bans_conform!(Offline);

    #[test]
    fn what_is_not_there_is_not_made() {
        let home = tempfile::tempdir().unwrap();
        assert!(Maintenance::open(home.path()).unwrap().is_none());
        let nowhere = home.path().join("nowhere");
        assert!(Maintenance::open(&nowhere).unwrap().is_none());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        std::fs::write(home.path().join(NAME), "no database").unwrap();
        assert!(Maintenance::open(home.path()).is_err());
    }

    #[test]
    fn a_file_of_another_version_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        drop(database(home.path()));
        let file = Connection::open(home.path().join(NAME)).unwrap();
        file.pragma_update(None, "user_version", 1).unwrap();
        drop(file);
        let error = Maintenance::open(home.path()).unwrap_err().to_string();
        assert!(error.contains("start the daemon"), "{error}");
    }

    #[test]
    fn beside_a_daemon_each_sees_what_the_other_wrote() {
        let home = tempfile::tempdir().unwrap();
        let daemon = database(home.path());
        issue_token(&daemon, token(1, "a", 0), 9);
        let maintenance = Maintenance::open(home.path()).unwrap().unwrap();
        let found = maintenance.find(&token(1, "a", 0).hash).unwrap();
        assert_eq!(found, Some(token(1, "a", 0)));
        assert_eq!(revoke_tokens(&maintenance, WhichTokens::All).unwrap(), 1);
        assert_eq!(daemon.list(&WhichTokens::All).unwrap(), []);
    }

    #[test]
    fn a_change_of_a_file_that_is_being_set_aside_is_refused() {
        let home = tempfile::tempdir().unwrap();
        drop(database(home.path()));
        let maintenance = Maintenance::open(home.path()).unwrap().unwrap();
        let revoke = || revoke_tokens(&maintenance, WhichTokens::All);
        let is_busy = |revoked: Result<u64, StoreError>| matches!(revoked, Err(StoreError::Io(error)) if error.kind() == ErrorKind::ResourceBusy);
        assert!(revoke().is_ok());
        // As a salvage goes: beside the old one, then in its place.
        let path = |name: &str| home.path().join(name);
        std::fs::copy(path(NAME), path(SALVAGED)).unwrap();
        assert!(is_busy(revoke()));
        std::fs::rename(path(NAME), path("gatepost.db.damaged-1")).unwrap();
        assert!(is_busy(revoke()));
        std::fs::rename(path(SALVAGED), path(NAME)).unwrap();
        assert!(is_busy(revoke()));
    }

    #[test]
    fn who_posts_meanwhile_waits_and_is_refused_nothing() {
        let home = tempfile::tempdir().unwrap();
        let daemon = database(home.path());
        let maintenance = Maintenance::open(home.path()).unwrap().unwrap();
        let desk = Desk::new();
        let posted = maintenance.write(|_| {
            daemon.post(message("a", "", "", "b"), Some(pending(&desk, 0)));
            Ok(desk.is_empty())
        });
        assert!(posted.unwrap(), "the lock is held");
        assert_eq!(desk.told().receipt.unwrap().seq, 1);
        for number in 0..50 {
            daemon.post(message("a", "", "", "b"), Some(pending(&desk, number)));
            maintenance.touch(&token(1, "a", 0).hash, SystemTime::now());
        }
        for _ in 0..50 {
            assert!(desk.told().receipt.is_ok());
        }
    }
}

//! The lasting engine of accounts: `users.txt`, which people edit by hand as well.
//!
//! Reading is in [`line`], which reading counts in [`belief`], changing bytes in [`edit`], changing
//! the file in [`editor`]. Who may log in is left to [`crate::gate`].

mod belief;
mod edit;
mod editor;
mod line;
#[cfg(test)]
mod tests;

pub use edit::EditError;
pub use editor::UsersEditor;
pub use line::Fault;

use super::{Account, Secret, StoreError, Users};
use crate::time::Clock;
use crate::wire::UserName;
use belief::{Belief, Reading, Stamp};
use parking_lot::Mutex;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// How many unreadable lines are reported one by one; a file in a wrong encoding has nothing else.
const MOST_REPORTS: usize = 10;

/// Accounts in `users.txt`. The file is looked at on each [`find`](Users::find), and read again
/// when it changed; a file that can't be read for a while changes nothing.
#[derive(Debug)]
pub struct UsersFile {
    editor: UsersEditor,
    clock: Clock,
    belief: Mutex<Belief>,
    unreadable: AtomicBool,
}

impl UsersFile {
    /// Opens the file at `path`, and creates it with an explaining comment if it is missing.
    /// Unreadable lines are logged with their number and left in place.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it can be neither read nor created.
    pub fn open(path: impl Into<PathBuf>, clock: Clock) -> Result<Self, StoreError> {
        let editor = UsersEditor::new(path);
        editor.create()?;
        let belief = Belief::new(read(&editor)?, clock.now());
        let users = Self {
            editor,
            clock,
            belief: Mutex::new(belief),
            unreadable: AtomicBool::new(false),
        };
        let faults = users.belief.lock().faults().to_vec();
        users.report(&faults);
        Ok(users)
    }

    /// What edits the same file.
    #[must_use]
    pub fn editor(&self) -> &UsersEditor {
        &self.editor
    }

    /// Looks whether the file changed, and takes in what it says now. No lock is held while the
    /// disk is asked: of two readings at once the one that began later counts.
    fn refresh(&self) {
        match self.reread() {
            Ok(()) => self.unreadable.store(false, Ordering::Relaxed),
            Err(error) => {
                if !self.unreadable.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        path = %self.editor.path().display(),
                        %error,
                        "the accounts can't be read; those known so far go on to count"
                    );
                }
            }
        }
    }

    fn reread(&self) -> io::Result<()> {
        let stamp = or_missing(fs::metadata(self.editor.path()))?.map(|found| Stamp::of(&found));
        let turn = {
            let mut belief = self.belief.lock();
            if !belief.asks_for_reading(stamp, self.clock.now()) {
                return Ok(());
            }
            belief.begin()
        };
        let reading = read(&self.editor)?;
        let faults = self.belief.lock().take_in(turn, reading, self.clock.now());
        self.report(&faults);
        Ok(())
    }

    fn report(&self, faults: &[Fault]) {
        let path = self.editor.path().display();
        for fault in faults.iter().take(MOST_REPORTS) {
            tracing::warn!(%path, line = fault.line, reason = %fault.reason, "an account line does not count");
        }
        if let Some(more) = faults
            .len()
            .checked_sub(MOST_REPORTS)
            .filter(|more| *more > 0)
        {
            tracing::warn!(%path, more, "further account lines do not count");
        }
    }
}

impl Users for UsersFile {
    fn find(&self, name: &str) -> Option<Account> {
        self.refresh();
        self.belief.lock().accounts().get(name).cloned()
    }

    fn is_empty(&self) -> bool {
        self.refresh();
        self.belief.lock().accounts().is_empty()
    }

    fn revision(&self) -> u64 {
        self.refresh();
        self.belief.lock().revision()
    }

    fn take_gone(&self) -> Vec<UserName> {
        self.refresh();
        self.belief.lock().take_gone()
    }

    fn replace_secret(&self, account: &Account, secret: &Secret) -> Result<(), StoreError> {
        match self.editor.replace_secret(account, secret) {
            Err(EditError::Store(error)) => Err(error),
            // The account is gone or another: nothing to replace.
            _ => Ok(()),
        }
    }
}

/// Reads the file. The stamp is that of the time before, so that a change meanwhile is noticed.
fn read(editor: &UsersEditor) -> io::Result<Reading> {
    let Some(mut file) = or_missing(open_regular(editor.path()))? else {
        return Ok(Reading::default());
    };
    let stamp = Stamp::of(&file.metadata()?);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Reading {
        stamp: Some(stamp),
        contents: line::parse(&bytes),
    })
}

/// Opens a file to be read, and nothing else: a pipe in its place would keep every login waiting.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let error = "it is no regular file";
    Err(io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// All of a regular file.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `None` for what is not there.
fn or_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

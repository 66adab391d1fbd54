//! Whoever makes the index: reads messages after their commit and writes them as blocks. The thread
//! it runs on has less right to the processor than those that serve, and sleeps at rest.

use super::Texts;
use super::block::{Amount, Builder};
use super::file::{self, IndexError, IndexFile, NAME};
use super::shared::{Shared, Task};
use crate::store::StoreError;
use std::path::Path;
use std::sync::Arc;

/// So much of the disk is left to messages and files, in bytes.
const RESERVE: u64 = 64 << 20;

/// A file that is damaged again and again lies on a bad disk; it is then left alone until a restart.
const REBUILDS: u32 = 3;

/// How nice the thread is to others: as nice as can be, since a receipt is waited for and the index
/// is not. What it has not come to is searched without it, a second for a million messages.
const NICE: i32 = 19;

/// Makes the index.
pub(super) struct Indexer {
    shared: Arc<Shared>,
    store: String,
    texts: Box<dyn Texts>,
    file: Option<IndexFile>,
    rebuilds: u32,
}

impl Indexer {
    /// An indexer of the store `store`, whose messages `texts` tells; and a sentence for what was
    /// wrong with the file.
    pub(super) fn open(
        shared: Arc<Shared>,
        store: &str,
        texts: Box<dyn Texts>,
    ) -> (Self, Option<String>) {
        let mut indexer = Self {
            shared,
            store: store.to_owned(),
            texts,
            file: None,
            rebuilds: 0,
        };
        let note = match indexer.resume() {
            Ok(()) => None,
            Err(error) => Some(indexer.begin_anew(&error)),
        };
        (indexer, note)
    }

    /// Does what there is to do until it is told to end.
    pub(super) fn run(mut self) {
        // Without the right to be nicer it does its work all the same.
        let _ = rustix::process::setpriority_process(None, NICE);
        self.catch_up();
        loop {
            match self.shared.next_task() {
                Task::CatchUp => self.catch_up(),
                Task::Rebuild => {
                    self.rebuild(&IndexError::Damaged);
                    self.catch_up();
                }
                Task::Forget(seq) => self.forget(seq),
                Task::End => break,
            }
        }
    }

    /// Opens the file as it is.
    fn resume(&mut self) -> Result<(), IndexError> {
        let file = IndexFile::create(self.shared.home(), &self.store)?;
        if file.end()? > self.texts.last()? {
            // The store lost its newest messages, and others may be counted the same.
            return Err(IndexError::Foreign);
        }
        self.file = Some(file);
        self.shared.publish();
        Ok(())
    }

    /// Throws the file away if it is of no use, and begins a new one. Returns what to say of it.
    fn begin_anew(&mut self, error: &IndexError) -> String {
        self.file = None;
        if let IndexError::Refused(why) = error {
            return format!("{why}: searches read every message");
        }
        let begun = file::discard(self.shared.home()).map_err(IndexError::from);
        match begun.and_then(|()| self.resume()) {
            Ok(()) => format!("{error}: it is made anew"),
            Err(again) => format!(
                "{error}, and a new one can't be made ({again}): searches read every message"
            ),
        }
    }

    fn rebuild(&mut self, error: &IndexError) {
        self.shared.withdraw();
        self.rebuilds += 1;
        self.file = None;
        if self.rebuilds > REBUILDS {
            tracing::warn!("{NAME}: {error} again: searches read every message until a restart");
            return;
        }
        let note = self.begin_anew(error);
        tracing::warn!("{NAME}: {note}");
    }

    /// Writes all blocks that can be made of what is committed.
    pub(super) fn catch_up(&mut self) {
        while !self.shared.is_closing() {
            match self.write_block() {
                Ok(None) => {}
                Ok(Some(rest)) => return self.shared.recount(rest),
                Err(IndexError::Refused(why)) => {
                    // It is tried again when there is another block.
                    self.shared.recount(Amount::default());
                    tracing::warn!("{NAME}: {why}: the newest messages are searched without it");
                    return;
                }
                Err(error) => self.rebuild(&error),
            }
        }
    }

    /// Deletes the blocks of messages up to `seq`.
    fn forget(&mut self, seq: u64) {
        while !self.shared.is_closing()
            && let Some(file) = &mut self.file
        {
            match file.forget(seq) {
                Ok(true) => {}
                Ok(false) => return,
                Err(IndexError::Refused(why)) => {
                    // It is tried again when it is told again.
                    tracing::debug!("{NAME}: {why}: what is of no more use stays for now");
                    return;
                }
                Err(error) => {
                    self.rebuild(&error);
                    return self.catch_up();
                }
            }
        }
    }

    /// Writes the next block, or tells how many messages are too few for one.
    fn write_block(&mut self) -> Result<Option<Amount>, IndexError> {
        if self.file.is_none() && self.rebuilds <= REBUILDS {
            // Perhaps there is space by now.
            self.resume()?;
        }
        let Some(file) = &mut self.file else {
            return Ok(Some(Amount::default()));
        };
        let end = file.end()?;
        let mut builder = Builder::new(end);
        self.texts
            .after(end, &mut |seq, room, text| builder.add(seq, room, text))?;
        match builder.seal() {
            Ok(block) => {
                check_space(self.shared.home())?;
                file.append(&block)?;
                Ok(None)
            }
            Err(rest) => Ok(Some(rest)),
        }
    }
}

fn check_space(home: &Path) -> Result<(), IndexError> {
    let space = rustix::fs::statvfs(home).map_err(std::io::Error::from)?;
    if space.f_bavail.saturating_mul(space.f_frsize) < RESERVE {
        return Err(IndexError::Refused("the disk is nearly full".to_owned()));
    }
    Ok(())
}

impl From<StoreError> for IndexError {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.to_string())
    }
}

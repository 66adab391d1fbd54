//! Files in memory, with a bound on their bytes so that a full disk can be played. What is written
//! counts as durable at once.
//!
//! One upload is in `upload`.

use super::MemoryMessages;
use super::upload::MemoryUpload;
use crate::store::digester::Digester;
use crate::store::{
    Content, FileError, FilePage, FileWitness, Files, ListQuery, Listed, NewFile, Offset,
    PartialId, Published, StoreError, StoredFile, Upload, Viewer,
};
use crate::time::Clock;
use crate::wire::{Digest, FileName, Key, RoomName, UserName};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// A store of files in memory.
#[derive(Debug, Clone)]
pub struct MemoryFiles(Arc<Shared>);

/// What the store and its uploads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) witness: OnceLock<Arc<dyn FileWitness>>,
    /// Where files are posted. Its lock is taken while `state` is held, never the other way round.
    pub(super) messages: Option<Arc<MemoryMessages>>,
    pub(super) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) published: BTreeMap<FileName, Stored>,
    pub(super) partials: HashMap<PartialId, Partial>,
    pub(super) keys: HashMap<Scope, Published>,
    /// How many bytes there is still space for.
    pub(super) free: u64,
    /// Uploads under way that can't be resumed.
    pub(super) under_way: usize,
    /// How many uploads have begun; tells which one a partial belongs to.
    pub(super) begun: u64,
    pub(super) closed: bool,
}

/// What makes a key one: who used it (all guests together are one), where, and the key itself.
pub(super) type Scope = (Option<UserName>, Option<RoomName>, Key);

/// A published file.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) content: Arc<[u8]>,
    pub(super) asked: FileName,
    pub(super) digest: Option<Digest>,
    /// Whoever sent it, the first one first.
    pub(super) owners: Vec<Option<UserName>>,
    pub(super) reader: Option<String>,
    pub(super) time: SystemTime,
}

/// What has come of a file that can be resumed.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) content: Vec<u8>,
    /// The upload that may write to it; all others are fenced out.
    pub(super) writer: u64,
}

impl State {
    /// The file that is the same as the one wanted, if it is published and may be told of.
    pub(super) fn same(
        &self,
        asked: &FileName,
        size: u64,
        digest: Digest,
        reader: Option<&str>,
    ) -> Option<FileName> {
        let is_same = |stored: &Stored| {
            stored.asked == *asked
                && stored.content.len() as u64 == size
                && stored.digest == Some(digest)
                && (stored.reader.is_none() || stored.reader.as_deref() == reader)
        };
        let mut published = self.published.iter();
        let found = published.find(|(_, stored)| is_same(stored));
        found.map(|(name, _)| name.clone())
    }

    fn seen(&self, name: &FileName, viewer: &Viewer) -> Result<&Stored, FileError> {
        let stored = self.published.get(name);
        stored
            .filter(|stored| viewer.sees(stored.reader.as_deref()))
            .ok_or(FileError::NotFound)
    }
}

impl Default for MemoryFiles {
    fn default() -> Self {
        Self::with_space(u64::MAX)
    }
}

impl MemoryFiles {
    /// An empty store without a bound.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that is full once its files have `bytes` bytes together.
    #[must_use]
    pub fn with_space(bytes: u64) -> Self {
        Self::build(bytes, Clock::system(), None)
    }

    /// An empty store without a bound that posts to `messages` and takes the time from `clock`.
    #[must_use]
    pub fn posting_to(messages: Arc<MemoryMessages>, clock: Clock) -> Self {
        Self::build(u64::MAX, clock, Some(messages))
    }

    fn build(free: u64, clock: Clock, messages: Option<Arc<MemoryMessages>>) -> Self {
        let state = State {
            free,
            ..State::default()
        };
        Self(Arc::new(Shared {
            clock,
            witness: OnceLock::new(),
            messages,
            state: Mutex::new(state),
        }))
    }

    /// Every published file's name, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let state = self.0.state.lock();
        state.published.keys().map(ToString::to_string).collect()
    }

    /// The bytes of the file published as `name`.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.0.state.lock();
        (state.published.get(name)).map(|stored| stored.content.to_vec())
    }

    /// How many uploads have left something that isn't published.
    #[must_use]
    pub fn under_way(&self) -> usize {
        let state = self.0.state.lock();
        state.under_way + state.partials.len()
    }
}

impl Files for MemoryFiles {
    fn begin(&self, file: NewFile) -> Result<Box<dyn Upload>, FileError> {
        Ok(Box::new(MemoryUpload::begin(&self.0, file)?))
    }

    fn offset(&self, partial: &PartialId) -> Result<Offset, FileError> {
        let state = self.0.state.lock();
        let published = state.same(&partial.name, partial.size, partial.digest, None);
        let here = state.partials.get(partial);
        let bytes = match &published {
            Some(_) => partial.size,
            None => here.map_or(0, |partial| partial.content.len() as u64),
        };
        Ok(Offset { bytes, published })
    }

    fn open(
        &self,
        name: &FileName,
        viewer: &Viewer,
        expected: Option<Digest>,
    ) -> Result<StoredFile, FileError> {
        let state = self.0.state.lock();
        let stored = state.seen(name, viewer)?;
        if let Some(expected) = expected {
            let mut digester = Digester::new(expected.algorithm);
            digester.read(&mut &*stored.content, u64::MAX)?;
            if digester.finish() != expected {
                return Err(FileError::Changed);
            }
        }
        Ok(StoredFile {
            name: name.clone(),
            size: stored.content.len() as u64,
            digest: expected.or(stored.digest),
            content: Content::Bytes(Arc::clone(&stored.content)),
        })
    }

    fn list(&self, query: &ListQuery) -> Result<FilePage, FileError> {
        let state = self.0.state.lock();
        // Names that begin with the prefix stand together, so the first other one is the end.
        let from = match &query.after {
            Some(after) if after.as_str() >= query.prefix.as_str() => {
                Bound::Excluded(after.as_str())
            }
            _ => Bound::Included(query.prefix.as_str()),
        };
        let found = state.published.range::<str, _>((from, Bound::Unbounded));
        let mut page = FilePage::default();
        for (name, stored) in found {
            if !name.as_str().starts_with(&query.prefix) {
                break;
            }
            if !query.viewer.sees(stored.reader.as_deref()) {
                continue;
            }
            if page.files.len() >= query.limit {
                page.more = true;
                break;
            }
            page.files.push(Listed {
                name: name.clone(),
                size: stored.content.len() as u64,
                digest: stored.digest,
                owner: stored.owners.first().cloned().flatten(),
                time: stored.time,
            });
        }
        Ok(page)
    }

    fn remove(&self, name: &FileName, viewer: &Viewer) -> Result<(), FileError> {
        let mut state = self.0.state.lock();
        let stored = state.published.get_mut(name).ok_or(FileError::NotFound)?;
        let owns = |owner: &Option<UserName>| owner.is_some() && *owner == viewer.user;
        if viewer.admin {
            stored.owners.clear();
        } else if stored.owners.iter().any(owns) {
            stored.owners.retain(|owner| !owns(owner));
        } else if viewer.sees(stored.reader.as_deref()) {
            return Err(FileError::Forbidden);
        } else {
            return Err(FileError::NotFound);
        }
        if stored.owners.is_empty() {
            let bytes = stored.content.len() as u64;
            state.published.remove(name);
            state.free = state.free.saturating_add(bytes);
        }
        Ok(())
    }

    fn observe(&self, witness: Arc<dyn FileWitness>) {
        // Only the first counts.
        let _ = self.0.witness.set(witness);
    }

    fn close(&self) {
        self.0.state.lock().closed = true;
    }
}

impl Shared {
    /// Refuses what comes after the end.
    pub(super) fn check_open(state: &State) -> Result<(), FileError> {
        if state.closed {
            Err(StoreError::Fenced.into())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Messages;
    use crate::store::conformance::{FilesUnderTest, files_conform, published, wanted};
    use crate::time::Random;
    use crate::wire::Code;

    impl FilesUnderTest for MemoryFiles {
        fn open() -> Self {
            let clock = Clock::system();
            let messages = MemoryMessages::new(clock.clone(), &Random::seeded(1));
            Self::posting_to(Arc::new(messages), clock)
        }

        fn messages(&self) -> Arc<dyn Messages> {
            self.0.messages.clone().unwrap()
        }

        fn store(&self) -> Arc<dyn Files> {
            Arc::new(self.clone())
        }

        fn published(&self) -> BTreeMap<String, Vec<u8>> {
            let name = |name: String| {
                let content = self.content(&name).unwrap();
                (name, content)
            };
            self.names().into_iter().map(name).collect()
        }

        fn under_way(&self) -> usize {
            self.under_way()
        }
    }

    files_conform!(MemoryFiles);

    #[test]
    fn a_full_store_refuses_and_heals() {
        let no_space = |error| matches!(error, FileError::Store(StoreError::NoSpace));
        let store = MemoryFiles::with_space(10);
        let begin = |size| store.begin(wanted("a", size, true));
        assert!(no_space(begin(Some(11)).map(drop).unwrap_err()));
        let reserved = begin(Some(8)).unwrap();
        let mut upload = begin(None).unwrap();
        assert!(upload.write(b"ab").is_ok());
        assert!(no_space(upload.write(b"c").unwrap_err()));
        drop(reserved);
        // Its end is missing, though there would be space now.
        assert_eq!(published(upload), Err(Code::NoSpace));
        let mut upload = begin(Some(3)).unwrap();
        upload.write(b"abc").unwrap();
        assert_eq!(published(upload).unwrap().size, 3);
        assert!(begin(Some(8)).is_err());
        assert!(begin(Some(7)).is_ok());
    }
}

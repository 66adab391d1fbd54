//! Files in memory, with a bound on their bytes so that a full disk can be played.

use crate::store::beside::beside;
use crate::store::{Files, NewFile, Published, StoreError, Upload, amended_size, check_size};
use crate::wire::FileName;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A store of files in memory.
#[derive(Debug, Clone)]
pub struct MemoryFiles(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    published: BTreeMap<FileName, Vec<u8>>,
    free: u64,
    under_way: usize,
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
        Self(Arc::new(Mutex::new(State {
            published: BTreeMap::new(),
            free: bytes,
            under_way: 0,
        })))
    }

    /// Every published file's name, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let state = self.0.lock();
        state.published.keys().map(ToString::to_string).collect()
    }

    /// The bytes of the file published as `name`.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.0.lock().published.get(name).cloned()
    }

    /// How many uploads have begun and are neither published nor dropped.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.0.lock().under_way
    }
}

impl Files for MemoryFiles {
    fn begin(&self, file: NewFile) -> Result<Box<dyn Upload>, StoreError> {
        let mut state = self.0.lock();
        let reserved = file.size.unwrap_or(0);
        state.free = (state.free.checked_sub(reserved)).ok_or(StoreError::NoSpace)?;
        state.under_way += 1;
        Ok(Box::new(MemoryUpload {
            state: Arc::clone(&self.0),
            file,
            content: Vec::new(),
            charged: reserved,
            lost: false,
            published: false,
        }))
    }
}

/// One upload; on drop it gives back what it was charged.
struct MemoryUpload {
    state: Arc<Mutex<State>>,
    file: NewFile,
    content: Vec<u8>,
    charged: u64,
    /// Whether a write was refused, so that it can't become whole any more.
    lost: bool,
    published: bool,
}

impl Upload for MemoryUpload {
    fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        let wanted = (self.content.len() + piece.len()) as u64;
        let more = wanted.saturating_sub(self.charged);
        let mut state = self.state.lock();
        let Some(free) = state.free.checked_sub(more) else {
            self.lost = true;
            return Err(StoreError::NoSpace);
        };
        state.free = free;
        drop(state);
        self.charged += more;
        self.content.extend_from_slice(piece);
        Ok(())
    }

    fn amend(&mut self, name: FileName, skip: u64, front: &[u8]) -> Result<(), StoreError> {
        let size = amended_size(self.content.len() as u64, skip, front)?;
        let rest = self.content.split_off(skip as usize);
        self.content = [front, &rest].concat();
        self.file.name = name;
        self.file.size = self.file.size.map(|_| size);
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<Published, StoreError> {
        let size = self.content.len() as u64;
        check_size(self.file.size, size)?;
        if self.lost {
            return Err(StoreError::NoSpace);
        }
        let content = std::mem::take(&mut self.content);
        let mut state = self.state.lock();
        let asked = &self.file.name;
        let name = if state.published.contains_key(asked) {
            let taken = |name: &FileName| Ok(state.published.contains_key(name));
            beside(asked, 1, taken)?.0
        } else {
            asked.clone()
        };
        state.published.insert(name.clone(), content);
        drop(state);
        self.published = true;
        Ok(Published { name, size })
    }
}

impl Drop for MemoryUpload {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        state.under_way -= 1;
        if !self.published {
            state.free += self.charged;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{FilesUnderTest, files_conform};

    impl FilesUnderTest for MemoryFiles {
        fn open() -> Self {
            Self::new()
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
        let store = MemoryFiles::with_space(10);
        let file = |size| NewFile {
            name: FileName::new("a").unwrap(),
            size,
            owner: None,
            durable: true,
        };
        assert!(matches!(
            store.begin(file(Some(11))),
            Err(StoreError::NoSpace)
        ));
        let reserved = store.begin(file(Some(8))).unwrap();
        let mut upload = store.begin(file(None)).unwrap();
        assert!(upload.write(b"ab").is_ok());
        assert!(matches!(upload.write(b"c"), Err(StoreError::NoSpace)));
        drop(reserved);
        // Its end is missing, though there would be space now.
        assert!(matches!(upload.publish(), Err(StoreError::NoSpace)));
        let mut upload = store.begin(file(Some(3))).unwrap();
        upload.write(b"abc").unwrap();
        assert_eq!(upload.publish().unwrap().size, 3);
        assert!(store.begin(file(Some(8))).is_err());
        assert!(store.begin(file(Some(7))).is_ok());
    }
}

//! Search in the messages: an index of what texts are made of, in a file of its own, which says
//! where a needle can be. Whether it is there is seen in the text itself, by whoever searches.
//!
//! The index is made beside the commits: a thread reads what was committed and writes it as blocks
//! of some thousand messages that never change. What no block speaks of yet, less than one block
//! as long as the thread keeps up, is searched without. So a search always sees every committed
//! message, and neither waits for the index nor holds up a commit; and where the index is damaged,
//! of another store or gone, messages are only found more slowly until it is made anew. Blocks of messages that are no longer
//! kept are deleted; the few that are, each the last of its room, are searched without.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`gram`] | by which tokens a text is found |
//! | [`docs`] | a set of messages of one block |
//! | [`chunk`] | tokens with their sets, in a page |
//! | [`block`] | messages collected and turned into chunks |
//! | [`file`] | blocks in SQLite, each read checked |
//! | [`shared`] | what searches and the thread share |
//! | [`indexer`] | the thread's work |
//! | [`walk`] | a search's way through the blocks |

mod block;
mod chunk;
mod docs;
mod file;
mod gram;
mod indexer;
mod shared;
#[cfg(test)]
mod tests;
mod walk;

pub(super) use walk::{Stretch, Walk};

use crate::store::{Range, StoreError};
use indexer::Indexer;
use parking_lot::Mutex;
use shared::Shared;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// The committed messages, as whoever makes the index reads them.
pub(super) trait Texts: Send {
    /// The last seq, 0 if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it can't be read.
    fn last(&mut self) -> Result<u64, StoreError>;

    /// Gives `take` the seq, room and text of every message after `seq`, ascending, until it
    /// breaks.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they can't be read.
    fn after(
        &mut self,
        seq: u64,
        take: &mut dyn FnMut(u64, &str, &str) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;
}

/// The index of a store, and the thread that makes it.
#[derive(Debug)]
pub(super) struct Index {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Index {
    /// Opens or creates the index in the folder `home`, of the store with the id `store`, whose
    /// messages are `texts`. An index that can't be used is thrown away and made anew; that is
    /// logged, and never keeps the store from opening.
    ///
    /// # Errors
    ///
    /// An I/O error if no thread can be started.
    pub(super) fn open(home: &Path, store: &str, texts: Box<dyn Texts>) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(home));
        let (indexer, note) = Indexer::open(Arc::clone(&shared), store, texts);
        if let Some(note) = note {
            tracing::warn!("{}: {note}", file::NAME);
        }
        let thread = thread::Builder::new().name("search index".to_owned());
        let thread = thread.spawn(move || indexer.run())?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Tells that so many messages with texts of so many bytes were committed.
    pub(super) fn committed(&self, messages: usize, bytes: usize) {
        self.shared.count(messages, bytes);
    }

    /// Tells that of the messages up to `seq` only few are still kept. Blocks that speak only of
    /// those are of no more use.
    pub(super) fn forget(&self, seq: u64) {
        self.shared.forget(seq);
    }

    /// Where `needle`, which is not empty, can be in the part `range` of `room`.
    pub(super) fn walk(&self, room: &str, needle: &str, range: Range) -> Walk {
        Walk::new(Arc::clone(&self.shared), room, needle, range)
    }

    /// Ends the thread, which finishes the block it is at.
    pub(super) fn close(&self) {
        self.shared.close();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the search index ended with a panic");
        }
        self.shared.withdraw();
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.close();
    }
}

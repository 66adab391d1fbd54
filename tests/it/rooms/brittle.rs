//! Messages in memory whose pages can fail to be read.

use gatepost::store::{
    MemoryMessages, Messages, NewMessage, Page, Pending, PersonalRooms, Query, RoomHead,
    StoreError, Witness,
};
use gatepost::time::{Clock, Random};
use gatepost::wire::RoomName;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// A store whose pages are read until they are broken.
pub(super) struct Brittle {
    messages: MemoryMessages,
    is_broken: AtomicBool,
}

impl Brittle {
    pub(super) fn new(clock: Clock, random: &Random) -> Self {
        Self {
            messages: MemoryMessages::new(clock, random),
            is_broken: AtomicBool::new(false),
        }
    }

    /// From now on no page is read.
    pub(super) fn break_pages(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
    }
}

impl Messages for Brittle {
    fn post(&self, message: NewMessage, pending: Option<Pending>) {
        self.messages.post(message, pending);
    }

    fn observe(&self, witness: Arc<dyn Witness>) {
        self.messages.observe(witness);
    }

    fn id(&self) -> &str {
        self.messages.id()
    }

    fn head(&self, room: &RoomName) -> Result<u64, StoreError> {
        self.messages.head(room)
    }

    fn last_before(&self, time: SystemTime) -> Result<u64, StoreError> {
        self.messages.last_before(time)
    }

    fn page(&self, query: &Query) -> Result<Page, StoreError> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("broken by a test").into());
        }
        self.messages.page(query)
    }

    fn rooms(
        &self,
        after: Option<&RoomName>,
        limit: usize,
        personal: PersonalRooms<'_>,
    ) -> Result<Vec<RoomHead>, StoreError> {
        self.messages.rooms(after, limit, personal)
    }

    fn close(&self) {
        self.messages.close();
    }
}

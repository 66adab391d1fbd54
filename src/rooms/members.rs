//! Which mails belong to the readers of which room. The lists are copied when they change while a
//! delivery is at work on them, so that a delivery to thousands holds no lock over all.

use super::delivery::{Addressed, Batch};
use super::mail::Mail;
use crate::store::Kept;
use crate::wire::RoomName;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// The mails of one room's readers.
pub(super) type Mails = Arc<Vec<Arc<Mail>>>;

/// Every room that has readers.
#[derive(Debug, Default)]
pub(super) struct Members(Mutex<BTreeMap<RoomName, Mails>>);

impl Members {
    /// Adds a reader, who is not there yet.
    pub(super) fn add(&self, room: &RoomName, mail: &Arc<Mail>) {
        let mut rooms = self.0.lock();
        let mails = rooms.entry(room.clone()).or_default();
        Arc::make_mut(mails).push(Arc::clone(mail));
    }

    /// Removes a reader, if it is there.
    pub(super) fn remove(&self, room: &RoomName, mail: &Arc<Mail>) {
        let mut rooms = self.0.lock();
        let Some(mails) = rooms.get_mut(room) else {
            return;
        };
        if let Some(at) = mails.iter().position(|other| Arc::ptr_eq(other, mail)) {
            if mails.len() == 1 {
                rooms.remove(room);
            } else {
                Arc::make_mut(mails).swap_remove(at);
            }
        }
    }

    /// How many readers `room` has.
    pub(super) fn count(&self, room: &RoomName) -> usize {
        self.0.lock().get(room).map_or(0, |mails| mails.len())
    }

    /// The first `limit` rooms after `after` that are `wanted`, with their readers' number.
    pub(super) fn list(
        &self,
        after: Option<&RoomName>,
        limit: usize,
        wanted: impl Fn(&RoomName) -> bool,
    ) -> Vec<(RoomName, usize)> {
        let rooms = self.0.lock();
        let from = after.map_or(Unbounded, Excluded);
        let later = rooms.range::<RoomName, _>((from, Unbounded));
        let wanted = later.filter(|(room, _)| wanted(room));
        let count = |(room, mails): (&RoomName, &Mails)| (room.clone(), mails.len());
        wanted.take(limit).map(count).collect()
    }

    /// Those of `kept` that somebody reads, with their readers. Whoever joins later has the
    /// messages from the store: they were committed before it could look there.
    pub(super) fn address(&self, kept: Vec<Kept>) -> Batch {
        // A lock and no flag: either this sees who has just joined, or the joining reader sees in
        // the store what was committed before.
        let rooms = self.0.lock();
        if rooms.is_empty() {
            return Vec::new();
        }
        let address = |kept: Kept| {
            let mails = rooms.get(&kept.message.room)?;
            Some(Addressed {
                kept,
                mails: Arc::clone(mails),
            })
        };
        kept.into_iter().filter_map(address).collect()
    }
}

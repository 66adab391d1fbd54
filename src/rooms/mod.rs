//! Who reads which room, and how what is posted gets to them: from the store's thread, which only
//! looks up who is meant, over the one that delivers, which writes each push once, into the mail of
//! each reader, from where the owner of its connection moves it to the socket.
//!
//! Nobody here waits for a reader. A mail that is full takes no more of that room, and its reader
//! is told of the gap once it has caught up; what lies in the store is read from there, page by
//! page, until it meets what is delivered. Threads and sockets are left to [`mod@crate::server`],
//! who may read what to [`mod@crate::handler`].

mod delivery;
mod letter;
mod mail;
mod members;
mod reader;
#[cfg(test)]
mod tests;

pub use delivery::{Bell, Silent};
pub use reader::{JoinError, Reader};

use crate::budget::Budget;
use crate::store::Kept;
use crate::wire::RoomName;
use crossbeam_channel::{Receiver, Sender, unbounded};
use delivery::{Batch, Work};
use members::Members;

/// What readers may take up.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Bytes of pushes that wait for one connection; a single one may be longer.
    pub mail: usize,
    /// The same while the memory of all connections is used up.
    pub lean_mail: usize,
    /// Rooms that one connection may have joined at once.
    pub joins: usize,
}

/// All rooms that somebody reads.
#[derive(Debug)]
pub struct Rooms {
    members: Members,
    bounds: Bounds,
    budget: Budget,
    work: (Sender<Work>, Receiver<Work>),
}

impl Rooms {
    /// Rooms without readers, whose pushes are charged to `budget`.
    #[must_use]
    pub fn new(bounds: Bounds, budget: Budget) -> Self {
        Self {
            members: Members::default(),
            bounds,
            budget,
            work: unbounded(),
        }
    }

    /// Sends committed messages, in the order of their seqs, to those who read their rooms. Never
    /// blocks; what nobody reads is dropped here.
    pub fn deliver(&self, kept: Vec<Kept>) {
        let batch = self.members.address(kept);
        if !batch.is_empty() {
            self.send(Work::Deliver(batch));
        }
    }

    /// Delivers until [`stop`](Self::stop), and rings `bell` for connections that have new mail.
    pub fn work(&self, bell: &dyn Bell) {
        while let Ok(Work::Deliver(batch)) = self.work.1.recv() {
            self.put(batch, bell);
        }
    }

    /// Delivers what waits now.
    pub fn work_off(&self, bell: &dyn Bell) {
        while let Ok(Work::Deliver(batch)) = self.work.1.try_recv() {
            self.put(batch, bell);
        }
    }

    /// Ends [`work`](Self::work) once everything before it is delivered.
    pub fn stop(&self) {
        self.send(Work::Stop);
    }

    /// How many connections have joined `room`.
    #[must_use]
    pub fn members(&self, room: &RoomName) -> usize {
        self.members.count(room)
    }

    /// The first `limit` rooms after the name `after` that have members and are `wanted`, in the
    /// order of their bytes, with how many connections have joined each.
    #[must_use]
    pub fn joined(
        &self,
        after: Option<&RoomName>,
        limit: usize,
        wanted: impl Fn(&RoomName) -> bool,
    ) -> Vec<(RoomName, usize)> {
        self.members.list(after, limit, wanted)
    }

    fn put(&self, batch: Batch, bell: &dyn Bell) {
        let mail = if self.budget.is_spent() {
            self.bounds.lean_mail.min(self.bounds.mail)
        } else {
            self.bounds.mail
        };
        let woken = delivery::put(batch, mail);
        if !woken.is_empty() {
            bell.ring(&woken);
        }
    }

    fn send(&self, work: Work) {
        // The receiver lives as long as the sender.
        let _ = self.work.0.send(work);
    }
}

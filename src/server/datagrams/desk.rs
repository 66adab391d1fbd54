//! Where the tickets of datagrams are redeemed: answers wait here for the listener's own thread, so
//! that whoever redeems them makes no system call for each.

use crate::server::core::Core;
use crate::ticket::{Redeemed, Redeemer};
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::io;
use std::sync::Arc;

pub(super) struct Desk {
    core: Arc<Core>,
    finished: Mutex<Vec<Redeemed>>,
    wake: OwnedFd,
}

impl Desk {
    pub(super) fn new(core: Arc<Core>) -> io::Result<Self> {
        Ok(Self {
            core,
            finished: Mutex::default(),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// Readable while answers wait.
    pub(super) fn wake(&self) -> &OwnedFd {
        &self.wake
    }

    /// Takes the answers that wait.
    pub(super) fn take(&self) -> Vec<Redeemed> {
        // Before they are taken, so that no sign is lost; there may be none to read.
        let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
        std::mem::take(&mut self.finished.lock())
    }
}

impl Redeemer for Desk {
    fn redeem(&self, batch: Vec<Redeemed>) {
        for redeemed in &batch {
            self.core.count(redeemed.answer.is_err());
        }
        let mut finished = self.finished.lock();
        let is_first = finished.is_empty();
        finished.extend(batch);
        drop(finished);
        if is_first {
            // Fails only when the counter is full, and then it is readable.
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }
}

//! How much of the costly work runs at once: blocking work leaves a few workers free for
//! everything else, password hashes and TLS handshakes get as many threads as there are cores. Who finds no room
//! waits parked, holds no thread, and is woken in turn.

use super::connection::{Connection, PERMIT};
use super::core::Core;
use crate::handler::Cost;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Workers that costly work never takes, where there are at least two more.
const SPARE: usize = 4;

pub(super) struct Admission {
    blocking: Mutex<Pool>,
    hashing: Mutex<Pool>,
    handshaking: Mutex<Pool>,
}

struct Pool {
    free: usize,
    waiting: VecDeque<Arc<Connection>>,
}

impl Pool {
    fn new(free: usize) -> Mutex<Self> {
        Mutex::new(Self {
            free,
            waiting: VecDeque::new(),
        })
    }
}

/// The right to do costly work for the rest of a turn.
pub(super) struct Permit<'a> {
    core: &'a Core,
    cost: Cost,
}

impl Permit<'_> {
    /// Whether it covers work of this cost.
    pub(super) fn covers(&self, cost: Cost) -> bool {
        self.cost == cost
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.core.admission.pool(self.cost).lock().free += 1;
        Admission::call_next(self.core, self.cost);
    }
}

impl Admission {
    /// Room for `workers` threads in all, of which hashing takes at most `cores`.
    pub(super) fn new(workers: usize, cores: usize) -> Self {
        let costly = workers.saturating_sub(SPARE).max(2);
        let hashing = cores.clamp(1, costly - 1);
        Self {
            blocking: Pool::new(costly - hashing),
            hashing: Pool::new(hashing),
            // They hold a worker for a millisecond at most, and wait for nothing.
            handshaking: Pool::new(cores.clamp(1, workers.div_ceil(2))),
        }
    }

    fn pool(&self, cost: Cost) -> &Mutex<Pool> {
        match cost {
            Cost::Hashing => &self.hashing,
            Cost::Handshaking => &self.handshaking,
            Cost::Quick | Cost::Blocking => &self.blocking,
        }
    }

    /// How many wait for a permit for work of this `cost`.
    pub(super) fn waiting(core: &Core, cost: Cost) -> usize {
        core.admission.pool(cost).lock().waiting.len()
    }

    /// A permit, or for `connection` a place in the line: it is notified of [`PERMIT`] when it is
    /// worth another try.
    pub(super) fn enter<'a>(
        core: &'a Core,
        cost: Cost,
        connection: &Arc<Connection>,
        is_its_turn: bool,
    ) -> Option<Permit<'a>> {
        let mut pool = core.admission.pool(cost).lock();
        // Who comes fresh doesn't pass those who wait.
        if pool.free > 0 && (is_its_turn || pool.waiting.is_empty()) {
            pool.free -= 1;
            return Some(Permit { core, cost });
        }
        pool.waiting.push_back(Arc::clone(connection));
        None
    }

    /// Wakes the next in each line: one that was woken has no use for its turn any more.
    pub(super) fn pass_on(core: &Core) {
        for cost in [Cost::Blocking, Cost::Hashing, Cost::Handshaking] {
            Self::call_next(core, cost);
        }
    }

    /// Wakes the first in the line that is still there, if there is room for it.
    fn call_next(core: &Core, cost: Cost) {
        loop {
            let next = {
                let mut pool = core.admission.pool(cost).lock();
                if pool.free > 0 {
                    pool.waiting.pop_front()
                } else {
                    None
                }
            };
            let Some(connection) = next else { return };
            if core.notify(&connection, PERMIT) {
                return;
            }
        }
    }
}

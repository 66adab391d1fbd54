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

    /// Wakes the first in the line that is still there, if there is room for it: somebody is done, or
    /// one that was woken has no use for its turn any more.
    pub(super) fn call_next(core: &Core, cost: Cost) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::connection::Inside;
    use crate::server::core::tests::core;
    use crate::server::stream::Stream;
    use crate::server::turn::Turn;
    use crate::server::worker::Worker;
    use crate::session::Session;
    use std::net::{TcpListener, TcpStream};

    /// A connection that nobody serves, and the other end of it.
    fn connection(core: &Arc<Core>) -> (Arc<Connection>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, address) = listener.accept().unwrap();
        let (listen, limits) = (&core.listeners[0], &core.house.limits);
        let inside = Inside::new(
            Stream::plain(stream),
            Session::new(address, listen.login),
            crate::server::serving::begin(listen, limits, limits.max_header).unwrap(),
            limits,
            &core.house.budget,
            (core.shutdown.guard(), core.peers.standing()),
        );
        let connection = core.registry.add(|key| Connection::new(key, inside));
        connection.take_events();
        assert!(connection.park());
        (connection, peer)
    }

    /// A connection that waited for blocking work used its turn for a hash: the next in its line was
    /// never woken, and nobody did blocking work any more.
    #[test]
    fn a_turn_for_one_kind_of_work_is_not_used_up_by_another() {
        let (_home, core) = core(4);
        let ((first, _p1), (second, _p2), (third, _p3)) =
            (connection(&core), connection(&core), connection(&core));
        let busy = Admission::enter(&core, Cost::Blocking, &third, false);
        for waiting in [&first, &second] {
            assert!(Admission::enter(&core, Cost::Blocking, waiting, false).is_none());
        }
        first.inside().waits_for = Some(Cost::Blocking);
        drop(busy);
        assert_eq!(first.take_events() & PERMIT, PERMIT, "the first is woken");
        let mut worker = Worker::new(Arc::clone(&core));
        let mut turn = Turn::new(&core, &mut worker, &first);
        turn.its_turn = first.inside().waits_for.take();
        assert!(turn.enter(&mut first.inside(), Cost::Hashing));
        assert_eq!(second.take_events() & PERMIT, 0, "it may still be used");
        drop(turn);
        assert_eq!(second.take_events() & PERMIT, PERMIT, "it is passed on");
    }
}

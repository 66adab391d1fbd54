//! What acceptors, workers and whoever redeems a ticket share.

use super::admission::Admission;
use super::connection::{Connection, INBOX, Notified};
use super::peers::{Peers, Seat};
use super::poller::Poller;
use super::queue::Queue;
use super::registry::Registry;
use super::shutdown::Shutdown;
use super::timers::Timers;
use crate::config::Listen;
use crate::handler::House;
use crate::rate::RateLimit;
use crate::ticket::{Redeemed, Redeemer};
use crate::tls::Shown;
use crate::wire::Refusal;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Refusals that are logged a second.
const REFUSALS_LOGGED: u32 = 10;

/// How often idle connections are looked for in a second, at most.
const LOOKOUTS: u32 = 10;

/// Connections in one job: many receipts cost one wake-up, but not all of them one thread.
const SHARE: usize = 32;

pub(super) struct Core {
    pub(super) house: House,
    pub(super) listeners: Vec<Listen>,
    /// Who the server is where it speaks TLS.
    pub(super) shown: Option<Shown>,
    pub(super) queue: Queue,
    pub(super) poller: Poller,
    pub(super) timers: Timers,
    pub(super) registry: Registry,
    pub(super) admission: Admission,
    pub(super) peers: Peers,
    pub(super) shutdown: Arc<Shutdown>,
    /// When it was made.
    pub(super) begun: Instant,
    /// How often idle connections are looked for.
    pub(super) lookouts: RateLimit,
    /// How often it is logged that a peer was refused without hearing of it.
    pub(super) refusals: RateLimit,
}

impl Core {
    /// The core of a server that is not at work yet.
    ///
    /// # Errors
    ///
    /// The system's, if it has no poller to give.
    pub(super) fn new(
        house: House,
        listeners: Vec<Listen>,
        shown: Option<Shown>,
    ) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (queue, workers) = (house.limits.queue, house.limits.workers);
        Ok(Self {
            house,
            listeners,
            shown,
            queue: Queue::new(queue),
            poller: Poller::new()?,
            timers: Timers::default(),
            registry: Registry::default(),
            admission: Admission::new(workers, cores),
            peers: Peers::default(),
            shutdown: Arc::new(Shutdown::default()),
            begun: Instant::now(),
            lookouts: RateLimit::new(LOOKOUTS, Instant::now()),
            refusals: RateLimit::new(REFUSALS_LOGGED, Instant::now()),
        })
    }

    /// Tells `connection` of `events`; a parked one is put into the queue. `false` if it is gone.
    pub(super) fn notify(&self, connection: &Arc<Connection>, events: u32) -> bool {
        let notified = connection.notify(events);
        if notified == Notified::Owner {
            self.queue.push_ready(vec![Arc::clone(connection)]);
        }
        notified != Notified::Gone
    }

    /// Tells the connections with these keys of `events`; those that are gone are passed over.
    pub(super) fn tell(&self, keys: &[u64], events: u32) {
        let mut ready = Vec::new();
        self.registry.find(
            keys.iter().copied(),
            |key| *key,
            |_, connection| {
                if connection.notify(events) == Notified::Owner {
                    ready.push(Arc::clone(connection));
                }
            },
        );
        self.share(ready);
    }

    /// Tells every connection there is.
    pub(super) fn notify_all(&self, events: u32) {
        for connection in self.registry.all() {
            self.notify(&connection, events);
        }
    }

    /// A seat for one more connection from `peer`, unless its address has too many.
    pub(super) fn seat(&self, peer: SocketAddr) -> Option<Seat> {
        let limit = self.house.limits.max_connections_per_address;
        let seat = self.peers.seat(peer.ip(), limit);
        if seat.is_none() {
            tracing::debug!(%peer, limit, "too many connections from one address");
        }
        seat
    }

    /// Logs, at a limited rate, that `peer` was refused: where it will not hear of it, or where it
    /// may be guessing passwords.
    pub(super) fn log_refusal(&self, peer: SocketAddr, refusal: &Refusal) {
        if self.may_log() {
            tracing::warn!(%peer, code = %refusal.code, reason = %refusal.error, "refused");
        }
    }

    /// The same for one that comes too late: its peer has gone, perhaps because it waits for nothing.
    pub(super) fn log_late_refusal(&self, refusal: &Refusal) {
        if self.may_log() {
            let (code, reason) = (refusal.code, &refusal.error);
            tracing::warn!(%code, %reason, "refused, and its sender is gone");
        }
    }

    fn may_log(&self) -> bool {
        let Some(left_out) = self.refusals.admit(Instant::now()) else {
            return false;
        };
        if left_out > 0 {
            tracing::warn!(left_out, "refusals that were not logged");
        }
        true
    }

    /// Puts connections that the caller owns into the queue, some to each job.
    pub(super) fn share(&self, mut ready: Vec<Arc<Connection>>) {
        while ready.len() > SHARE {
            self.queue.push_ready(ready.split_off(ready.len() - SHARE));
        }
        self.queue.push_ready(ready);
    }

    /// Adds one to the count of requests served or refused.
    pub(super) fn count(&self, is_refused: bool) {
        let counters = &self.house.counters;
        let counter = if is_refused {
            &counters.refused
        } else {
            &counters.served
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Redeemer for Core {
    fn redeem(&self, batch: Vec<Redeemed>) {
        let mut ready = Vec::new();
        let mut refused = Vec::new();
        for redeemed in &batch {
            self.count(redeemed.answer.is_err());
            if let Err(refusal) = &redeemed.answer {
                refused.push((redeemed.connection, refusal.clone()));
            }
        }
        self.registry.find(
            batch,
            |redeemed| redeemed.connection,
            |redeemed, connection| {
                connection.deposit(redeemed);
                match connection.notify(INBOX) {
                    Notified::Owner => ready.push(Arc::clone(connection)),
                    Notified::Noted => {}
                    Notified::Gone => return,
                }
                // Its turns see to it from here, also the last one.
                refused.retain(|(key, _)| *key != connection.key);
            },
        );
        for (_, refusal) in &refused {
            self.log_late_refusal(refusal);
        }
        self.share(ready);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::Config;
    use crate::handler::Hidden;
    use crate::server::open::furnish;
    use tempfile::TempDir;

    /// The core of a server with `workers` that nobody starts, and its home.
    pub(in crate::server) fn core(workers: usize) -> (TempDir, Arc<Core>) {
        let home = tempfile::tempdir().unwrap();
        let mut config = Config::at(home.path());
        config.limits.workers = workers;
        let listeners = config.listen.clone();
        let house = furnish(config, Box::new(Hidden)).unwrap();
        let core = Core::new(house, listeners, None).unwrap();
        (home, Arc::new(core))
    }
}

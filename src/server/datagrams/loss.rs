//! The datagrams that the kernel threw away: looked up now and then while some arrive, counted, and
//! told in the log.

use crate::kernel;
use crate::server::core::Core;
use std::net::UdpSocket;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often it is looked up at most.
const PACE: Duration = Duration::from_secs(5);

pub(super) struct Loss {
    counted: u64,
    looked: Instant,
    /// Whether anything arrived since: where nothing arrives nothing is lost.
    is_due: bool,
}

impl Loss {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            counted: 0,
            looked: now,
            is_due: false,
        }
    }

    /// Notes that a datagram arrived.
    pub(super) const fn note_traffic(&mut self) {
        self.is_due = true;
    }

    /// How long until it is to be looked up again, if it is.
    pub(super) fn until_next_look(&self, now: Instant) -> Option<Duration> {
        let next = self.looked + PACE;
        self.is_due.then(|| next.saturating_duration_since(now))
    }

    /// Looks it up if it is time to.
    pub(super) fn look(&mut self, socket: &UdpSocket, core: &Core, now: Instant) {
        if self.until_next_look(now) == Some(Duration::ZERO) {
            self.looked = now;
            self.is_due = false;
            self.count(socket, core);
        }
    }

    /// Looks it up, and counts and tells what was lost since the last time.
    pub(super) fn count(&mut self, socket: &UdpSocket, core: &Core) {
        let Some(lost) = kernel::datagrams_lost(socket) else {
            return;
        };
        let more = lost.saturating_sub(self.counted);
        self.counted = lost;
        if more > 0 {
            core.house.counters.lost.fetch_add(more, Ordering::Relaxed);
            tracing::warn!(
                "{more} datagrams were lost: they came faster than they could be stored"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_up_only_after_traffic_and_not_too_often() {
        let now = Instant::now();
        let mut loss = Loss::new(now);
        assert_eq!(loss.until_next_look(now + PACE), None);
        loss.note_traffic();
        assert_eq!(loss.until_next_look(now), Some(PACE));
        assert_eq!(loss.until_next_look(now + 2 * PACE), Some(Duration::ZERO));
    }
}

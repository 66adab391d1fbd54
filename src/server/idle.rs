//! Room for newcomers: once nine tenths of the connections that may be are there, those that have been
//! idle for longest make way. As long as there is room nobody is closed for being silent.

use super::connection::{Connection, IDLE, Input, Inside};
use super::core::Core;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Core {
    /// How long this server has been running, in milliseconds.
    pub(super) fn age(&self, now: Instant) -> u64 {
        let age = now.saturating_duration_since(self.begun);
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells as many idle connections to make way as there are too many, if there are.
    pub(super) fn make_room(&self) {
        let limit = self.house.limits.max_connections;
        let too_many = self.shutdown.under_way().saturating_sub(limit - limit / 10);
        // All of them are looked at, so not for each newcomer.
        if too_many == 0 || self.lookouts.admit(Instant::now()).is_none() {
            return;
        }
        let idle = self.idle_since(Instant::now(), self.house.limits.idle_timeout);
        // Those that did not go when they were told have something under way: they are not told in
        // the place of others again.
        let idle = idle
            .into_iter()
            .filter(|(_, connection)| connection.may_make_way());
        for (_, connection) in idle.take(too_many) {
            self.notify(&connection, IDLE);
        }
    }

    /// Those that have been idle for `timeout`, the longest first.
    fn idle_since(&self, now: Instant, timeout: Duration) -> Vec<(u64, Arc<Connection>)> {
        let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let Some(latest) = self.age(now).checked_sub(timeout) else {
            return Vec::new();
        };
        let all = self.registry.all().into_iter();
        let mut idle: Vec<_> = all
            .map(|connection| (connection.active(), connection))
            .filter(|(active, _)| *active <= latest)
            .collect();
        idle.sort_unstable_by_key(|(active, _)| *active);
        idle
    }
}

impl Inside {
    /// Whether nothing has begun, is owed or is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.input == Input::Open
            && (self.pending.is_empty() || self.conversation.may_rest())
            && self.request.is_none()
            && self.held.is_none()
            && self.replies.is_empty()
            && self.asleep.is_empty()
            && self.outbox.is_empty()
            && self.transfer.is_none()
    }
}

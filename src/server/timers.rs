//! Deadlines of parked connections. Each connection has at most one entry, which may be earlier
//! than what it now waits for: it is then looked at once too often, and nothing needs cancelling.

use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

#[derive(Default)]
pub(super) struct Timers(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    heap: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Until when the leader sleeps at most; `None` while it sleeps without end or is awake.
    asleep_until: Option<Option<Instant>>,
}

impl Timers {
    /// Adds a deadline. `true` if the leader sleeps beyond it and must be woken.
    pub(super) fn add(&self, deadline: Instant, key: u64) -> bool {
        let mut inner = self.0.lock();
        inner.heap.push(Reverse((deadline, key)));
        match inner.asleep_until {
            None => false,
            Some(until) => until.is_none_or(|until| deadline < until),
        }
    }

    /// The earliest deadline, noted as the end of the leader's sleep.
    pub(super) fn fall_asleep(&self) -> Option<Instant> {
        let mut inner = self.0.lock();
        let until = inner.heap.peek().map(|Reverse((deadline, _))| *deadline);
        inner.asleep_until = Some(until);
        until
    }

    /// Notes that the leader is awake, and takes the keys whose deadlines have passed by `now`.
    pub(super) fn wake_up(&self, now: impl FnOnce() -> Instant, passed: &mut Vec<u64>) {
        let mut inner = self.0.lock();
        inner.asleep_until = None;
        if inner.heap.is_empty() {
            return;
        }
        let now = now();
        while let Some(Reverse((deadline, key))) = inner.heap.peek().copied() {
            if deadline > now {
                break;
            }
            inner.heap.pop();
            passed.push(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_leader_is_woken_only_for_what_is_earlier_than_its_sleep() {
        let (timers, now) = (Timers::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        assert!(
            !timers.add(at(10), 1),
            "the leader is awake and will see it"
        );
        assert_eq!(timers.fall_asleep(), Some(at(10)));
        assert!(!timers.add(at(11), 2));
        assert!(timers.add(at(5), 3));
        let mut passed = Vec::new();
        timers.wake_up(|| at(10), &mut passed);
        assert_eq!(passed, [3, 1]);
        assert!(!timers.add(at(1), 4));
    }

    #[test]
    fn a_sleep_without_end_is_ended_by_the_first_deadline() {
        let timers = Timers::default();
        assert_eq!(timers.fall_asleep(), None);
        assert!(timers.add(Instant::now(), 1));
    }
}

//! The phases of a server's end, and the count of what is under way. What goes up with a
//! [`Guard`] comes down when it is dropped, whichever way that happens.

use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Serving.
    Running,
    /// No new connections; what has begun is finished.
    Draining,
    /// Time is short: what is still under way is cut off.
    Cutting,
    /// Everybody goes home.
    Stopped,
}

#[derive(Default)]
pub(super) struct Shutdown {
    phase: AtomicU8,
    under_way: AtomicUsize,
    /// How many wait for the count to come down.
    waiters: AtomicUsize,
    lock: Mutex<()>,
    fewer: Condvar,
    /// See [`last_call`](Shutdown::last_call).
    last_call: OnceLock<Instant>,
}

/// One connection that is under way.
pub(super) struct Guard(Arc<Shutdown>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.0.waiters.load(Ordering::SeqCst) > 0 {
            // Taken so that a waiter can't look before and sleep after.
            drop(self.0.lock.lock());
            self.0.fewer.notify_all();
        }
    }
}

impl Shutdown {
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Draining,
            2 => Phase::Cutting,
            _ => Phase::Stopped,
        }
    }

    /// Moves on to `phase`; never back.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// Sets when the last connection is closed, whatever its peer does. Once.
    pub(super) fn call_last(&self, at: Instant) {
        // A second call would come from a second end, and there is none.
        let _ = self.last_call.set(at);
    }

    /// When the last connection is closed, once that is known.
    pub(super) fn last_call(&self) -> Option<Instant> {
        self.last_call.get().copied()
    }

    /// Counts one more that is under way.
    pub(super) fn guard(self: &Arc<Self>) -> Guard {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        Guard(Arc::clone(self))
    }

    /// How many are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }

    /// Waits until less than `count` are under way, or `deadline`. How many there are.
    pub(super) fn wait_for_less_than(&self, count: usize, deadline: Instant) -> usize {
        let mut lock = self.lock.lock();
        self.waiters.fetch_add(1, Ordering::SeqCst);
        while self.under_way.load(Ordering::SeqCst) >= count {
            if self.fewer.wait_until(&mut lock, deadline).timed_out() {
                break;
            }
        }
        self.waiters.fetch_sub(1, Ordering::SeqCst);
        self.under_way()
    }

    /// Waits until nothing is under way, or `deadline`. How many there are.
    pub(super) fn wait_until(&self, deadline: Instant) -> usize {
        self.wait_for_less_than(1, deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_count_comes_down_with_its_guards() {
        let shutdown = Arc::new(Shutdown::default());
        let (one, two) = (shutdown.guard(), shutdown.guard());
        drop(one);
        assert_eq!(shutdown.wait_until(Instant::now()), 1);
        let other = std::thread::spawn(move || drop(two));
        assert_eq!(
            shutdown.wait_until(Instant::now() + Duration::from_secs(60)),
            0
        );
        other.join().unwrap();
    }

    #[test]
    fn a_phase_never_goes_back() {
        let shutdown = Shutdown::default();
        shutdown.enter(Phase::Cutting);
        shutdown.enter(Phase::Draining);
        assert_eq!(shutdown.phase(), Phase::Cutting);
    }
}

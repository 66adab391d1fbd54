//! At most so many a second, and a count of what was left out: for lines that a peer can cause.
//! The time is handed in; what is done with the count is left to the caller.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A bound on how often something is said, by whole seconds since it was made. Lock-free, so that
/// any thread may ask.
///
/// ```
/// # use gatepost::rate::RateLimit;
/// # use std::time::Instant;
/// let refusals = RateLimit::new(10, Instant::now());
/// if let Some(left_out) = refusals.admit(Instant::now()) {
///     if left_out > 0 {
///         tracing::warn!(left_out, "refusals that were not logged");
///     }
///     tracing::warn!("refused");
/// }
/// ```
#[derive(Debug)]
pub struct RateLimit {
    per_second: u32,
    origin: Instant,
    /// The second that is being counted above 32 bits, what was admitted in it below.
    window: AtomicU64,
    left_out: AtomicU64,
}

impl RateLimit {
    /// A limit of `per_second`, whose seconds begin at `now`.
    #[must_use]
    pub fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second,
            origin: now,
            window: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
        }
    }

    /// Asks to say something now. `Some` means yes, with how many were left out since the last
    /// yes; `None` means no, and is counted. A `now` before an earlier caller's counts as that
    /// one's second.
    #[must_use]
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let second = now.saturating_duration_since(self.origin).as_secs();
        let second = u32::try_from(second).unwrap_or(u32::MAX);
        let admitted = self
            .window
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |window| {
                let (counted, taken) = ((window >> 32) as u32, window as u32);
                if second > counted {
                    (self.per_second > 0).then_some((u64::from(second) << 32) | 1)
                } else {
                    (taken < self.per_second).then_some(window + 1)
                }
            });
        match admitted {
            Ok(_) => Some(self.take_left_out()),
            Err(_) => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// How many were left out since the last yes, and forgets them: for whoever tells the count
    /// at the end, when no further yes will.
    pub fn take_left_out(&self) -> u64 {
        // The usual answer is none, and a load disturbs other threads less than a swap.
        match self.left_out.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.left_out.swap(0, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_over_the_limit_is_counted_and_told_with_the_next() {
        let start = Instant::now();
        let limit = RateLimit::new(2, start);
        let at = |millis| limit.admit(start + Duration::from_millis(millis));
        assert_eq!(at(0), Some(0));
        assert_eq!(at(999), Some(0));
        assert_eq!(at(999), None);
        assert_eq!(at(0), None);
        assert_eq!(at(1_000), Some(2));
        assert_eq!(at(1_001), Some(0));
        assert_eq!(at(999), None, "a late caller counts in the newer second");
        assert_eq!(at(9_000), Some(1));
        assert_eq!(limit.take_left_out(), 0);
    }

    #[test]
    fn a_limit_of_nothing_admits_nothing() {
        let start = Instant::now();
        let limit = RateLimit::new(0, start);
        assert_eq!(limit.admit(start), None);
        assert_eq!(limit.admit(start + Duration::from_secs(5)), None);
        assert_eq!(limit.take_left_out(), 2);
        assert_eq!(limit.take_left_out(), 0);
    }

    #[test]
    fn threads_together_stay_below_it() {
        let start = Instant::now();
        let limit = RateLimit::new(100, start);
        let admitted: usize = std::thread::scope(|scope| {
            let asking = || (0..1_000).filter(|_| limit.admit(start).is_some()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(asking)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(admitted, 100);
    }
}

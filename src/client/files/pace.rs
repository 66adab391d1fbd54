//! A bound on the bytes a second, shared by all transfers that hold it.

use crate::client::{Error, Stop};
use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// At most so many bytes a second, for all who hold it together.
#[derive(Debug)]
pub struct Pace {
    per_second: u64,
    /// When the bytes let through so far are paid for.
    paid: Mutex<Instant>,
}

/// How much of a second may go at once: the pieces are small enough that nobody takes a slow
/// transfer for a dead one, and large enough to cost nothing.
const SLICES: u64 = 10;

impl Pace {
    /// A pace of `per_second` bytes, at least 1.
    #[must_use]
    pub fn new(per_second: u64) -> Self {
        Self {
            per_second: per_second.max(1),
            paid: Mutex::new(Instant::now()),
        }
    }

    /// Waits until something may go; how many of `wanted` bytes, at least one unless none is
    /// wanted.
    pub(super) fn admit(&self, wanted: usize, stop: &Stop) -> Result<usize, Error> {
        let most = usize::try_from(self.per_second.div_ceil(SLICES)).unwrap_or(usize::MAX);
        let bytes = wanted.min(most);
        let begin = {
            let mut paid = self.paid.lock();
            // What was not used is not saved up: a pause would be followed by a burst.
            let begin = (*paid).max(Instant::now());
            *paid = begin + self.price(bytes);
            begin
        };
        stop.sleep(begin.saturating_duration_since(Instant::now()))?;
        Ok(bytes)
    }

    fn price(&self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.per_second);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_their_time() {
        let (pace, stop) = (Pace::new(100_000), Stop::new());
        let begun = Instant::now();
        let mut left = 30_000;
        while left > 0 {
            let bytes = pace.admit(left, &stop).unwrap();
            assert!((1..=10_000).contains(&bytes));
            left -= bytes;
        }
        // The last tenth is let through before it is paid for.
        assert!(begun.elapsed() >= Duration::from_millis(200));
        assert_eq!(pace.admit(0, &stop).unwrap(), 0);
        stop.ask();
        assert!(matches!(pace.admit(1, &stop), Err(Error::Stopped)));
    }
}

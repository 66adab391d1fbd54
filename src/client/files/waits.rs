//! How long to wait before the next try, and when to give up.

use std::time::{Duration, Instant};

/// The first wait; each further one is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(15);

/// The waits of one transfer.
#[derive(Debug)]
pub(super) struct Waits {
    patience: Duration,
    /// When something moved last.
    moved: Instant,
    next: Duration,
}

impl Waits {
    /// Waits that end once nothing has moved for `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            moved: Instant::now(),
            next: FIRST,
        }
    }

    /// Something moved: patience and waits begin anew.
    pub(super) fn moved(&mut self) {
        self.moved = Instant::now();
        self.next = FIRST;
    }

    /// How long to wait now, at least as long as the server asks; `None` when patience is over
    /// before that.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let wait = self.next.max(asked.unwrap_or_default());
        let left = self.patience.saturating_sub(self.moved.elapsed());
        if wait > left {
            return None;
        }
        self.next = (2 * self.next).min(LONGEST);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_until_patience_is_over_and_begin_anew() {
        let mut waits = Waits::new(Duration::from_secs(3600));
        assert_eq!(waits.next(None), Some(FIRST));
        assert_eq!(waits.next(None), Some(2 * FIRST));
        let asked = Duration::from_secs(100);
        assert_eq!(waits.next(Some(asked)), Some(asked));
        for _ in 0..10 {
            assert!(waits.next(None).unwrap() <= LONGEST);
        }
        assert_eq!(waits.next(None), Some(LONGEST));
        assert_eq!(waits.next(Some(Duration::from_secs(7200))), None);
        waits.moved();
        assert_eq!(waits.next(None), Some(FIRST));
        assert_eq!(Waits::new(Duration::ZERO).next(None), None);
    }
}

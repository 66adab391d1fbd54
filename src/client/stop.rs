//! The wish to end, as a value that every wait looks at. Who wishes it, a signal or a program, is
//! left to the caller.

use super::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a wait may last before it looks again whether it is to end: what a person feels as at
/// once.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A wish to end. Clones wish the same.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A wish that nobody has uttered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Utters it.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was uttered.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag that utters it when it is set, for a signal handler.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// An error once it was uttered.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self.is_asked() {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }

    /// Waits for `duration`, or until it is uttered.
    pub(super) fn sleep(&self, duration: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + duration;
        loop {
            self.check()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_the_wish() {
        let stop = Stop::new();
        assert!(stop.sleep(Duration::ZERO).is_ok());
        stop.clone().flag().store(true, Ordering::Relaxed);
        let begun = Instant::now();
        let slept = stop.sleep(Duration::from_secs(3600));
        assert!(matches!(slept, Err(Error::Stopped)));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}

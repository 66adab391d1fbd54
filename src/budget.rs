//! One bound for what all connections together keep in memory: texts on their way and outboxes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A shared count of bytes with a bound.
#[derive(Debug, Clone)]
pub struct Budget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// Bytes charged to a [`Budget`], given back on drop.
#[derive(Debug)]
pub struct Charge {
    used: Arc<AtomicUsize>,
    bytes: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            used: Arc::default(),
            limit,
        }
    }

    /// Whether nothing new should be begun.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.used() >= self.limit
    }

    /// Whether even what has begun should grow no further. There is as much room beyond the limit as
    /// below it: else two that have begun could wait for each other.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.used() >= self.limit.saturating_mul(2)
    }

    /// Bytes charged now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// An empty charge, to be grown as bytes arrive.
    #[must_use]
    pub fn charge(&self) -> Charge {
        Charge {
            used: Arc::clone(&self.used),
            bytes: 0,
        }
    }
}

impl Charge {
    /// Bytes charged.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Charges `bytes` more. Never refuses: what is new asks [`Budget::is_spent`] first, what goes on
    /// [`Budget::is_exhausted`].
    pub fn grow(&mut self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
    }

    /// Sets the charge to `bytes`.
    pub fn set(&mut self, bytes: usize) {
        if bytes >= self.bytes {
            self.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charged_comes_back_on_drop() {
        let budget = Budget::new(10);
        let mut charge = budget.charge();
        charge.grow(9);
        assert!(!budget.is_spent());
        charge.grow(1);
        assert!(budget.is_spent());
        charge.grow(9);
        assert!(!budget.is_exhausted());
        charge.grow(1);
        assert!(budget.is_exhausted());
        charge.set(4);
        assert_eq!(budget.used(), 4);
        drop(charge);
        assert_eq!(budget.used(), 0);
    }
}

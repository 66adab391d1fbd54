//! The fence: up once nobody can say what the disk holds. Then nothing is written until a restart.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether writing has ended for good.
#[derive(Debug, Default)]
pub(super) struct Fence(AtomicBool);

impl Fence {
    /// Whether it is up.
    pub(super) fn is_up(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Puts it up, and tells the operator why if it was down.
    pub(super) fn raise(&self, why: &str) {
        if !self.0.swap(true, Ordering::AcqRel) {
            tracing::error!(
                "messages can't be written: {why}. None is taken until a restart; check the disk \
                 first"
            );
        }
    }
}

//! The fence: up once nobody can say what the disk holds. Then nothing is written until a restart.
//!
//! It also remembers damage for the next start, which then looks at everything and salvages it.

use super::schema::DAMAGED;
use crate::store::directory::{Access, Directory};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether writing has ended for good.
#[derive(Debug)]
pub(super) struct Fence {
    home: PathBuf,
    is_up: AtomicBool,
    rotten: AtomicU64,
}

impl Fence {
    /// One that is down, for the database in `home`.
    pub(super) const fn new(home: PathBuf) -> Self {
        Self {
            home,
            is_up: AtomicBool::new(false),
            rotten: AtomicU64::new(0),
        }
    }

    /// Whether it is up.
    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    /// Puts it up, and tells the operator why if it was down.
    pub(super) fn raise(&self, why: &str) {
        if !self.is_up.swap(true, Ordering::AcqRel) {
            tracing::error!(
                "messages can't be written: {why}. None is taken until a restart; check the disk \
                 first"
            );
        }
    }

    /// Puts it up because the file is damaged. What can be read still is.
    pub(super) fn damaged(&self, why: &str) {
        if !self.is_up() {
            self.remember();
        }
        self.raise(why);
    }

    /// Some `messages` rotted. They are left out where they would be read; all others are as good
    /// as ever, so it stays down.
    pub(super) fn rotten(&self, messages: u64) {
        if self.rotten.fetch_add(messages, Ordering::AcqRel) == 0 {
            self.remember();
            tracing::error!(
                "messages are damaged on the disk and left out: check the disk. The next start \
                 sets the damaged file aside and keeps all others"
            );
        }
    }

    fn remember(&self) {
        let remembered = Directory::open(&self.home).and_then(|home| {
            if !home.holds(DAMAGED)? {
                drop(home.create(DAMAGED, Access::Private)?);
            }
            home.sync()
        });
        if let Err(error) = remembered {
            tracing::warn!("the next start may not look for the damage: {DAMAGED}: {error}");
        }
    }
}

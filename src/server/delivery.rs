//! The thread that delivers what is posted to those who read its room. What it does is left to
//! [`crate::rooms`].

use super::core::Core;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

/// The thread, and how its end is told: it holds the sender.
pub(super) struct Delivery {
    thread: JoinHandle<()>,
    gone: Receiver<()>,
}

impl Delivery {
    /// Begins to deliver.
    ///
    /// # Errors
    ///
    /// The system has no thread to give.
    pub(super) fn start(core: &Arc<Core>) -> io::Result<Self> {
        let (core, (here, gone)) = (Arc::clone(core), bounded(0));
        let deliver = move || {
            let here: Sender<()> = here;
            // A batch at which this panics is lost to those who read now; none after it is.
            let work = || core.house.rooms.work(&*core);
            while catch_unwind(AssertUnwindSafe(work)).is_err() {
                tracing::error!("a delivery panicked; who reads rooms may have missed messages");
            }
            drop(here);
        };
        let thread = std::thread::Builder::new()
            .name("delivery".into())
            .spawn(deliver)?;
        Ok(Self { thread, gone })
    }

    /// Ends it once everything before is delivered, or leaves it to the process's end at
    /// `deadline`. How many threads are left.
    pub(super) fn stop(self, core: &Core, deadline: Instant) -> usize {
        core.house.rooms.stop();
        let ended = self.gone.recv_deadline(deadline) == Err(RecvTimeoutError::Disconnected);
        usize::from(!ended || self.thread.join().is_err())
    }
}

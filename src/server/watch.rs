//! The thread that looks once a second whether what was done beside the server concerns those it
//! serves: accounts that changed, bans that were lifted. What follows is left to
//! [`crate::handler`] and [`crate::gate`].

use super::connection::ORDER;
use super::core::Core;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// The thread, what tells it to end, and how its end is told: it holds the sender.
pub(super) struct Watch {
    thread: JoinHandle<()>,
    stop: Sender<()>,
    gone: Receiver<()>,
}

impl Watch {
    /// Begins to look.
    ///
    /// # Errors
    ///
    /// The system has no thread to give.
    pub(super) fn start(core: &Arc<Core>) -> io::Result<Self> {
        // Held weakly, since the core would hold itself.
        let ringing = Arc::downgrade(core);
        core.house.presence.observe(Box::new(move |connections| {
            if let Some(core) = ringing.upgrade() {
                core.tell(connections, ORDER);
            }
        }));
        let (core, (here, gone)) = (Arc::clone(core), bounded(0));
        let (stop, stopped) = bounded::<()>(0);
        let watch = move || {
            let here: Sender<()> = here;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let look = AssertUnwindSafe(|| look(&core));
                if catch_unwind(look).is_err() {
                    tracing::error!("the look at the accounts panicked");
                }
            }
            drop(here);
        };
        let thread = std::thread::Builder::new()
            .name("watch".into())
            .spawn(watch)?;
        Ok(Self { thread, stop, gone })
    }

    /// Ends it, or leaves it to the process's end at `deadline`. How many threads are left.
    pub(super) fn stop(self, deadline: Instant) -> usize {
        drop(self.stop);
        let ended = self.gone.recv_deadline(deadline) == Err(RecvTimeoutError::Disconnected);
        usize::from(!ended || self.thread.join().is_err())
    }
}

fn look(core: &Core) {
    core.house.presence.review(&core.house.gate);
    core.house.gate.review_tokens();
    core.house.gate.review_bans();
}

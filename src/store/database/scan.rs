//! The scan: a thread that looks at every message of a database that was too big to be looked at
//! before the start, slowly enough that nobody notices.

use super::check;
use super::fence::Fence;
use super::readers::Readers;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many messages are looked at in one go.
const PART: usize = 256;

/// It rests for so many times as long as it worked.
const REST: u32 = 19;

/// The least rest.
const LEAST: Duration = Duration::from_millis(1);

/// Starts the thread. It ends with its work, or when the sender is dropped.
pub(super) fn start(
    readers: Arc<Readers>,
    fence: Arc<Fence>,
) -> io::Result<(Sender<()>, JoinHandle<()>)> {
    let (sender, stop) = crossbeam_channel::bounded(0);
    let thread = thread::Builder::new()
        .name("scan".to_owned())
        .spawn(move || run(&readers, &fence, &stop))?;
    Ok((sender, thread))
}

fn run(readers: &Readers, fence: &Fence, stop: &Receiver<()>) {
    let mut after = 0;
    loop {
        let begun = Instant::now();
        // What can't be read has said so itself.
        let Ok(part) = readers.read(|connection| check::part(connection, after, PART)) else {
            return;
        };
        if part.rotten > 0 {
            fence.rotten(part.rotten);
        }
        let Some(last) = part.last else {
            tracing::debug!("every message was looked at, up to {after}");
            return;
        };
        after = last;
        let rest = LEAST.max(begun.elapsed() * REST);
        if stop.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

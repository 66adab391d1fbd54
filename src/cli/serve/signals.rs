//! SIGINT and SIGTERM: the first asks for a graceful stop, the second ends the process at once,
//! even while the stop is stuck. SIGHUP ends nothing. What a stop is, is left to the server.

use crate::cli::exit::Exit;
use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Installs the handlers; the name of the first signal that asks for a stop comes through the
/// channel. Once a process.
///
/// # Errors
///
/// When the system refuses a handler or a thread.
pub(super) fn install() -> io::Result<Receiver<&'static str>> {
    let (first, asked) = bounded(1);
    let stop = Arc::new(Stop {
        asked: AtomicBool::new(false),
        first,
    });
    let by_terminal = Arc::clone(&stop);
    ctrlc::set_handler(move || by_terminal.ask("SIGINT")).map_err(io::Error::other)?;
    // Beside ctrlc, whose own way to hear SIGTERM would take SIGHUP with it.
    let mut signals = Signals::new([SIGTERM, SIGHUP])?;
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGTERM => stop.ask("SIGTERM"),
                _ => tracing::info!(
                    "SIGHUP: users.txt is re-read by itself when it changes; other settings \
                     need a restart"
                ),
            }
        }
    })?;
    Ok(asked)
}

struct Stop {
    asked: AtomicBool,
    first: Sender<&'static str>,
}

impl Stop {
    /// Runs on the thread of a signal: it may wait for nothing, or a second one is never heard.
    fn ask(&self, signal: &'static str) {
        if self.asked.swap(true, Ordering::Relaxed) {
            // Without unwinding, flushing or waiting for anybody: all of that may be what is stuck.
            signal_hook::low_level::exit(Exit::SecondSignal.number().into());
        }
        // The channel has room for the one signal that gets here.
        let _ = self.first.try_send(signal);
    }
}

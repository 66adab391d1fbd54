//! SIGINT and SIGTERM: the first asks for a graceful stop, the second ends the process at once,
//! even while the stop is stuck. SIGHUP ends nothing. What a stop is, is left to the server, and what
//! is read again to `identity`.

use crate::cli::exit::Exit;
use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What signals ask for.
pub(super) struct Asked {
    /// A stop: the name of the first signal that asked for it.
    pub(super) stop: Receiver<&'static str>,
    /// To read again what may have changed. One is enough for all that come before it is heard.
    pub(super) hangups: Receiver<()>,
}

/// Installs the handlers. Once a process.
///
/// # Errors
///
/// When the system refuses a handler or a thread.
pub(super) fn install() -> io::Result<Asked> {
    let ((first, asked), (hangup, hangups)) = (bounded(1), bounded(1));
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
                // Not done here: files may be slow, and a signal that ends must be heard.
                _ => drop(hangup.try_send(())),
            }
        }
    })?;
    Ok(Asked {
        stop: asked,
        hangups,
    })
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

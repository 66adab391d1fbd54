//! SIGINT and SIGTERM while files are sent or fetched: the first asks for an end that leaves what can
//! be gone on with, the second ends the process at once.

use super::exit::{Exit, Failure};
use crate::client::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Installs the handlers; the wish that the first signal utters. Once a process.
pub(super) fn install() -> Result<Stop, Failure> {
    let stop = Stop::new();
    for signal in [SIGINT, SIGTERM] {
        let at_once = Exit::SecondSignal.number().into();
        // In this order: the first signal must not find the flag set by itself.
        flag::register_conditional_shutdown(signal, at_once, stop.flag())?;
        flag::register(signal, stop.flag())?;
    }
    Ok(stop)
}

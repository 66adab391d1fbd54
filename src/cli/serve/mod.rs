//! `gatepost serve`: settings to a running server, and its end to an exit code. Standard output
//! is the daemon's voice: a first line that says where it listens, messages as they come, a last
//! line that says what was done. Standard error is the log, and the one line that says why it
//! could not start.

mod descriptors;
mod failure;
mod home;
mod identity;
mod lines;
mod signals;

use super::exit::{Exit, Failure};
use super::printer::Printer;
use super::settings::{self, Flags, Resolved, Settings};
use super::{log, write_out};
use crate::server::{Server, Summary};
use crate::time::Clock;
use home::Home;
use signals::Asked;
use std::io;
use std::time::Duration;

/// How long the end of the daemon waits for standard output to take the last lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// Serves until a signal asks for the end.
///
/// # Errors
///
/// [`Failure`] has the line for the operator and the exit code.
pub(super) fn run(flags: &Flags) -> Result<Exit, Failure> {
    let resolved = Resolved::load(flags, &|name| std::env::var_os(name))?;
    if flags.print_config {
        return write_out(&settings::show(&resolved))
            .map_err(|error| Failure::new(Exit::InputOutput, format!("standard output: {error}")));
    }
    resolved.refuse_missing_identity()?;
    let mut settings = resolved.settings;
    let _log = log::start(settings.log, settings.log_level).map_err(cant_start)?;
    for name in settings::unknown_variables(std::env::vars_os().map(|(name, _)| name)) {
        tracing::warn!("{name} is no setting, and means nothing here");
    }
    let home = Home::open(&settings.config.home)?;
    let files = identity::load(&mut settings)?;
    descriptors::prepare(&settings.config);
    let asked = signals::install().map_err(cant_start)?;
    serve(settings, &home, files, asked)
}

fn serve(
    mut settings: Settings,
    home: &Home,
    files: Option<identity::Files>,
    asked: Asked,
) -> Result<Exit, Failure> {
    home.path().clone_into(&mut settings.config.home);
    let rate = settings.print.then_some(settings.config.limits.print_rate);
    let printer = Printer::start(io::stdout(), rate, Clock::system()).map_err(cant_start)?;
    let drain_timeout = settings.config.limits.drain_timeout;

    let server = Server::start(settings.config, Box::new(printer.clone()))?;
    let Asked { stop, hangups } = asked;
    let handle = server.handle();
    let thread = std::thread::Builder::new().name("hangup".to_owned());
    thread
        .spawn(move || identity::follow(files.as_ref(), &hangups, &handle))
        .map_err(cant_start)?;
    let handle = server.handle();
    let thread = std::thread::Builder::new().name("stop".to_owned());
    thread
        .spawn(move || {
            // Not on the signal's own thread: a drain that is stuck must not hold up a second
            // signal. The senders live as long as the process.
            if let Ok(signal) = stop.recv() {
                tracing::info!("{signal}: draining; a second signal ends at once");
                handle.drain();
            }
        })
        .map_err(cant_start)?;
    printer.say(&lines::first(server.addresses(), home.path()));
    let summary = server.wait();
    printer.say(&lines::last(&summary, drain_timeout));
    // A reader that takes nothing must not keep the daemon from ending.
    if !printer.flush(PATIENCE) {
        tracing::warn!("standard output takes nothing; its last lines are lost");
    }
    Ok(exit(&summary))
}

fn exit(summary: &Summary) -> Exit {
    match summary.stuck {
        0 => Exit::Done,
        _ => Exit::TryAgain,
    }
}

fn cant_start(error: io::Error) -> Failure {
    Failure::new(Exit::InputOutput, format!("can't start: {error}"))
}

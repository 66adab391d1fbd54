//! What others say while one types: followed over a connection of its own, on a thread of its own,
//! and shown above the prompt.

use super::own::Own;
use crate::cli::exit::Failure;
use crate::cli::message::{as_text, note};
use crate::cli::output::Output;
use crate::cli::server::{Login, Server};
use crate::cli::tail::follow_as;
use crate::cli::terminal::escape;
use crate::client::{Event, Start, Subscription};
use crate::wire::RoomName;
use rustyline::ExternalPrinter;
use std::sync::Arc;
use std::time::Duration;

/// How many messages of the room are shown at the start.
const AT_START: usize = 10;

/// How long one event is waited for; nothing depends on it.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// A room that is followed.
pub(super) struct Arrivals(Subscription);

impl Arrivals {
    /// Follows `room` and shows its last messages.
    pub(super) fn start(
        server: &Server,
        login: Option<Login>,
        room: RoomName,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let start = Start::Newest(AT_START);
        let mut subscription = follow_as(server, login, vec![room], start)?;
        while let Some(event) = subscription.next(Duration::ZERO)? {
            output.block(&shown(&event))?;
        }
        Ok(Self(subscription))
    }

    /// Shows what comes through `printer`, except for one's own, until the process ends.
    pub(super) fn show(
        self,
        own: Arc<Own>,
        printer: impl ExternalPrinter + Send + 'static,
    ) -> Result<(), Failure> {
        let thread = std::thread::Builder::new().name("arrivals".to_owned());
        let started = thread.spawn(move || follow(self.0, &own, printer));
        started.map(|_| ()).map_err(Failure::from)
    }
}

fn follow(mut subscription: Subscription, own: &Own, mut printer: impl ExternalPrinter) {
    loop {
        let line = match subscription.next(PATIENCE) {
            Ok(None) => continue,
            Ok(Some(Event::Message(message))) if own.is_own(&message) => continue,
            Ok(Some(event)) => shown(&event),
            Err(error) => {
                let failure = Failure::from(error).about("what others say is no longer shown");
                // Nobody can be told that nobody can be told.
                let _ = printer.print(block(&failure.to_string()));
                return;
            }
        };
        if printer.print(block(&line)).is_err() {
            return;
        }
    }
}

/// An event in words, not escaped.
fn shown(event: &Event) -> String {
    match event {
        Event::Message(message) => as_text(message),
        event => note(event).unwrap_or_default(),
    }
}

/// Lines, each escaped and ended.
fn block(lines: &str) -> String {
    let lines: Vec<_> = lines.split('\n').map(escape).collect();
    lines.join("\n") + "\n"
}

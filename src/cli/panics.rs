//! What a panic says: one line, wherever it happens. Whether it ends the program is left to who
//! catches it; a handler's is fenced off by dispatch.

use super::terminal::{complain, escape};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::Location;

/// Replaces the standard library's report.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let line = line(std::thread::current().name(), panic.location(), message);
        // Only there when RUST_BACKTRACE asks for it.
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
        // A daemon's log never waits for a reader; where there is none, standard error has to do.
        if tracing::dispatcher::has_been_set() {
            let backtrace = backtrace.as_ref().map(tracing::field::display);
            tracing::error!(backtrace, "{line}");
        } else {
            complain(format_args!("gatepost: {line}"));
            let backtrace = backtrace.map(|backtrace| backtrace.to_string());
            backtrace
                .iter()
                .flat_map(|text| text.lines())
                .for_each(complain);
        }
    }));
}

fn line(thread: Option<&str>, place: Option<&Location<'_>>, message: &str) -> String {
    let thread = thread.unwrap_or("without a name");
    let place = place.map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    // What a peer sent may be quoted in it.
    format!(
        "a bug: thread {thread} panicked at {place}: {}",
        escape(message)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_line_with_its_place() {
        let place = Location::caller();
        let said = line(Some("worker"), Some(place), "left: 1\n right: \u{1b}[2J");
        let message = "left: 1\\n right: \\u{1b}[2J";
        assert_eq!(
            said,
            format!("a bug: thread worker panicked at {place}: {message}")
        );
        assert!(place.to_string().contains("panics.rs:"));
        assert!(line(None, None, "x").ends_with("without a name panicked at an unknown place: x"));
    }
}

//! The log on standard error: lines for people, or JSON objects. It goes through an
//! outlet, so that a terminal that was stopped or a pipe that nobody reads
//! never holds up a worker; what was left out is counted in a line.

mod fields;

use super::outlet::Outlet;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, SystemTime};
use tracing::{Dispatch, Level};
use tracing_subscriber::Layer;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

/// How long the end of the program waits for the log to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// How standard error is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// [`Human`](Self::Human) on a terminal, else [`Json`](Self::Json).
    Auto,
    /// Lines for people; in colour on a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// The words for the formats.
pub const FORMATS: &[(&str, LogFormat)] = &[
    ("auto", LogFormat::Auto),
    ("human", LogFormat::Human),
    ("json", LogFormat::Json),
];

/// The words for the levels, from little to much.
pub const LEVELS: &[(&str, Level)] = &[
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

/// Dropped, it waits until what was logged is written, at most for a second.
#[must_use]
pub struct LogGuard(Outlet);

impl Drop for LogGuard {
    fn drop(&mut self) {
        // Whatever is still unwritten after that has no reader.
        let _ = self.0.flush(PATIENCE);
    }
}

/// Starts the log of this process.
///
/// # Errors
///
/// When the system gives no thread, or a log was started before.
pub fn start(format: LogFormat, level: Level) -> io::Result<LogGuard> {
    let on_terminal = io::stderr().is_terminal();
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !on_terminal,
    };
    let plain = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let style = match json {
        true => Style::Json,
        false => Style::Human {
            colour: on_terminal && !plain("NO_COLOR"),
        },
    };
    let (log, outlet) = log(style, level, io::stderr())?;
    tracing::dispatcher::set_global_default(log).map_err(io::Error::other)?;
    Ok(LogGuard(outlet))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Human { colour: bool },
    Json,
}

fn log(
    style: Style,
    level: Level,
    stream: impl Write + Send + 'static,
) -> io::Result<(Dispatch, Outlet)> {
    // Other crates speak of their own affairs; what they warn of is still wanted.
    let levels = Targets::new()
        .with_default(level.min(Level::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level);
    Ok(match style {
        Style::Human { colour } => {
            let outlet = Outlet::start("stderr", stream, tell_human)?;
            let layer = fmt::layer()
                .with_ansi(colour)
                .with_target(false)
                .with_timer(Milliseconds)
                .fmt_fields(debug_fn(fields::write_field).delimited(" "))
                .with_writer(Lines(outlet.clone(), style));
            let log = Registry::default().with(layer.with_filter(levels));
            (Dispatch::new(log), outlet)
        }
        Style::Json => {
            let outlet = Outlet::start("stderr", stream, tell_json)?;
            let layer = fmt::layer()
                .json()
                .with_timer(Milliseconds)
                .with_writer(Lines(outlet.clone(), style));
            let log = Registry::default().with(layer.with_filter(levels));
            (Dispatch::new(log), outlet)
        }
    })
}

const LEFT_OUT: &str = "log lines left out: standard error is not read fast enough";

fn tell_human(left_out: u64) -> String {
    format!("{}  WARN {left_out} {LEFT_OUT}\n", now())
}

fn tell_json(left_out: u64) -> String {
    let fields = serde_json::json!({ "message": LEFT_OUT, "left_out": left_out });
    let line = serde_json::json!({
        "timestamp": now().to_string(),
        "level": "WARN",
        "fields": fields,
        "target": module_path!(),
    });
    format!("{line}\n")
}

fn now() -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_millis(SystemTime::now())
}

/// RFC 3339 in UTC with milliseconds, as on the wire.
struct Milliseconds;

impl FormatTime for Milliseconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", now())
    }
}

/// Hands finished lines to the outlet; the layer writes each in one piece.
struct Lines(Outlet, Style);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.offer(match self.1 {
            Style::Human { .. } => line.to_vec(),
            Style::Json => fields::escape_json(&String::from_utf8_lossy(line)).into_bytes(),
        });
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::outlet::tests::Stream;
    use super::super::terminal::escape;
    use super::*;

    fn logged(style: Style, level: Level, events: impl FnOnce()) -> String {
        let stream = Stream::open();
        let (log, outlet) = log(style, level, stream.clone()).unwrap();
        tracing::dispatcher::with_default(&log, events);
        assert!(outlet.flush(Duration::from_secs(20)));
        stream.text()
    }

    const FOREIGN: &str = "a\nb\u{1b}[31m\u{9b}\u{85}\u{202e}\u{2028}c";

    fn foreign_events() {
        let name = FOREIGN.to_owned();
        tracing::warn!(name, shown = %FOREIGN, debug = ?FOREIGN, "refused {FOREIGN}");
        let span = tracing::info_span!("connection", peer = %FOREIGN);
        span.in_scope(|| tracing::warn!("inside"));
    }

    #[test]
    fn foreign_text_is_never_raw() {
        for style in [Style::Human { colour: false }, Style::Json] {
            let text = logged(style, Level::INFO, foreign_events);
            assert_eq!(text.lines().count(), 2, "{text}");
            assert!(text.lines().all(|line| escape(line) == line), "{text:?}");
        }
        let coloured = logged(Style::Human { colour: true }, Level::INFO, foreign_events);
        assert_eq!(coloured.lines().count(), 2);
        assert!(!coloured.contains("\u{1b}[31mc") && coloured.contains("\\u{1b}[31m"));
    }

    #[test]
    fn json_lines_say_the_same_when_read_again() {
        let text = logged(Style::Json, Level::INFO, foreign_events);
        let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(line["fields"]["name"], FOREIGN);
        assert_eq!(line["level"], "WARN");
        let told: serde_json::Value = serde_json::from_str(&tell_json(3)).unwrap();
        assert_eq!(told["fields"]["left_out"], 3);
    }

    #[test]
    fn a_line_for_people_is_short() {
        let text = logged(Style::Human { colour: false }, Level::INFO, || {
            tracing::info!(port = 8001, "listening");
        });
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok(), "{text}");
        assert_eq!(rest, " INFO listening port=8001\n");
        assert!(tell_human(2).contains("  WARN 2 log lines left out"));
    }

    #[test]
    fn the_level_decides_and_other_crates_may_only_warn() {
        let events = || {
            tracing::debug!("ours");
            tracing::info!(target: "other", "theirs");
            tracing::warn!(target: "other", "their warning");
        };
        let style = Style::Human { colour: false };
        let text = logged(style, Level::DEBUG, events);
        assert!(
            text.contains("ours") && text.contains("their warning"),
            "{text}"
        );
        assert!(!text.contains("theirs"), "{text}");
        assert_eq!(logged(style, Level::ERROR, events), "");
    }

    #[test]
    fn a_long_field_is_cut() {
        let text = logged(Style::Human { colour: false }, Level::INFO, || {
            tracing::info!(long = %"你".repeat(9_000), "x");
        });
        assert!(
            text.len() < 9_000 && text.ends_with("… (27000 bytes in all)\n"),
            "{text}"
        );
    }
}

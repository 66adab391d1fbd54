//! Shows taken messages and files on standard output as they come, as the course's server does.
//! Nothing of it can slow a sender: at most so many lines a second are made, they go through an
//! outlet, and what is left out is counted in a line.

use super::outlet::Outlet;
use super::terminal::escape;
use super::wording::counted;
use crate::handler::Show;
use crate::rate::RateLimit;
use crate::time::Clock;
use crate::wire::{RoomName, UserName};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// The longest part of a text that is shown, in bytes; the line says how long it is in all.
const MAX_SHOWN: usize = 1 << 10;

/// Who writes to standard output while a daemon runs. Clones share the queue and the rate.
#[derive(Clone)]
pub struct Printer {
    outlet: Outlet,
    /// `None` when messages are not shown.
    rate: Option<Arc<RateLimit>>,
    clock: Clock,
}

impl Printer {
    /// A printer that shows at most `per_second` messages and files a second; none at all if that
    /// is `None`.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        stream: impl Write + Send + 'static,
        per_second: Option<u64>,
        clock: Clock,
    ) -> io::Result<Self> {
        let tell = |left_out| match left_out {
            1 => "… 1 line not shown\n".to_owned(),
            _ => format!("… {left_out} lines not shown\n"),
        };
        let rate = |most| RateLimit::new(u32::try_from(most).unwrap_or(u32::MAX), Instant::now());
        Ok(Self {
            outlet: Outlet::start("stdout", stream, tell)?,
            rate: per_second.map(rate).map(Arc::new),
            clock,
        })
    }

    /// Says a line of the daemon's own, whatever the rate.
    pub fn say(&self, line: &str) {
        self.outlet
            .offer(format!("{}\n", escape(line)).into_bytes());
    }

    /// Waits until everything said so far is written, at most for `patience`; whether it is.
    #[must_use]
    pub fn flush(&self, patience: Duration) -> bool {
        self.outlet.flush(patience)
    }

    fn show(&self, line: impl FnOnce(SystemTime) -> String) {
        let Some(rate) = &self.rate else { return };
        if self.outlet.is_broken() {
            return;
        }
        // Asked before the line is made: what isn't shown shall cost nothing.
        if rate.admit(Instant::now()).is_none() {
            return self.outlet.leave_out();
        }
        self.outlet.offer(line(self.clock.now()).into_bytes());
    }
}

impl Show for Printer {
    /// What is posted to a user's own room (`@name`) is for that user alone, and isn't shown.
    fn message(&self, room: &RoomName, from: Option<&UserName>, text: &str) {
        if room.owner().is_none() {
            self.show(|now| message_line(now, room, from, text));
        }
    }

    fn file(&self, name: &str, bytes: u64, from: Option<&UserName>) {
        self.show(|now| file_line(now, name, bytes, from));
    }
}

fn message_line(now: SystemTime, room: &RoomName, from: Option<&UserName>, text: &str) -> String {
    let (room, who) = (escape(room.as_str()), who(from));
    let shown = &text[..text.floor_char_boundary(MAX_SHOWN)];
    let mut line = format!("{} {room} {who}: {}", time(now), escape(shown));
    if shown.len() < text.len() {
        line.push_str(&format!(
            "… ({} in all)",
            counted(text.len() as u64, "byte")
        ));
    }
    line.push('\n');
    line
}

fn file_line(now: SystemTime, name: &str, bytes: u64, from: Option<&UserName>) -> String {
    let (name, who) = (escape(name), who(from));
    format!(
        "{} file {who}: {name} ({})\n",
        time(now),
        counted(bytes, "byte")
    )
}

/// A guest has a space in the name, which no user can have: nobody can pass for one.
fn who(from: Option<&UserName>) -> String {
    from.map_or_else(
        || "(a guest)".to_owned(),
        |user| escape(user.as_str()).into_owned(),
    )
}

fn time(now: SystemTime) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(now)
}

#[cfg(test)]
mod tests {
    use super::super::outlet::tests::Stream;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn printed(per_second: Option<u64>, show: impl FnOnce(&Printer)) -> String {
        let stream = Stream::open();
        let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
        let printer = Printer::start(stream.clone(), per_second, clock).unwrap();
        show(&printer);
        assert!(printer.flush(PATIENCE));
        stream.text()
    }

    #[test]
    fn a_line_says_when_where_who_and_what() {
        let lobby = RoomName::lobby();
        let user = UserName::new("张三").unwrap();
        let shown = printed(Some(100), |printer| {
            printer.message(&lobby, Some(&user), "我叫马冬梅\n你好\u{1b}[2J");
            printer.message(&lobby, None, "hi");
            printer.file("photo.png", 7, None);
            printer.say("bye");
        });
        assert_eq!(
            shown,
            "1970-01-01T00:00:01Z lobby 张三: 我叫马冬梅\\n你好\\u{1b}[2J\n\
             1970-01-01T00:00:01Z lobby (a guest): hi\n\
             1970-01-01T00:00:01Z file (a guest): photo.png (7 bytes)\n\
             bye\n"
        );
    }

    #[test]
    fn names_are_escaped_as_well() {
        let room = RoomName::new("a\u{202e}b").unwrap();
        let user = UserName::new("c\u{2066}").unwrap();
        let shown = printed(Some(1), |printer| printer.message(&room, Some(&user), ""));
        assert_eq!(shown, "1970-01-01T00:00:01Z a\\u{202e}b c\\u{2066}: \n");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "你".repeat(2_000);
        let shown = printed(Some(1), |printer| {
            printer.message(&RoomName::lobby(), None, &text);
        });
        let end = format!("{}… (6000 bytes in all)\n", "你".repeat(MAX_SHOWN / 3));
        assert!(shown.ends_with(&format!(": {end}")), "{shown}");
    }

    #[test]
    fn what_is_over_the_rate_is_counted() {
        let shown = printed(Some(3), |printer| {
            for _ in 0..1_000 {
                printer.message(&RoomName::lobby(), None, "hi");
            }
        });
        let lines = shown.lines().filter(|line| line.ends_with(": hi")).count();
        let left_out = shown.lines().last().unwrap();
        assert_eq!(left_out, format!("… {} lines not shown", 1_000 - lines));
    }

    #[test]
    fn own_rooms_and_a_silent_printer_show_nothing() {
        let own = RoomName::new("@lisi").unwrap();
        assert_eq!(
            printed(Some(9), |printer| printer.message(&own, None, "psst")),
            ""
        );
        let silent = printed(None, |printer| {
            printer.message(&RoomName::lobby(), None, "hi");
            printer.file("a", 1, None);
            printer.say("ready");
        });
        assert_eq!(silent, "ready\n");
    }
}

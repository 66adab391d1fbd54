//! Messages as people read them, in a terminal or in a file, and places in a room as they type
//! them.

use crate::client::{Bound, Event};
use crate::wire::{Message, UserName};
use std::time::SystemTime;

/// What the lines of a text after its first are indented by: as wide as a time. No line of a
/// message can so pass for another message.
const INDENT: &str = "                      ";

/// A message in a line: when, where, who (`-` for a guest) and what; the further lines of its text
/// below, indented. Not escaped.
pub(super) fn as_text(message: &Message) -> String {
    let (room, who) = (&message.room, message.from.as_ref());
    let who = who.map_or("-", UserName::as_str);
    let mut out = format!("{}  {room}  {who}  ", time(message.time));
    if let Some(file) = &message.file {
        out.push_str(&format!("[{}, {} bytes]", file.name, file.size));
        if !message.text.is_empty() {
            out.push(' ');
        }
    }
    // A line feed at the end of a text begins no line.
    for (number, line) in message.text.lines().enumerate() {
        if number > 0 {
            out.push('\n');
            out.push_str(INDENT);
        }
        out.push_str(line);
    }
    out.truncate(out.trim_end().len());
    out
}

fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time)
        .to_string()
        .replace('T', " ")
}

/// What is to be said of an event besides a message; `None` for a message.
pub(super) fn note(event: &Event) -> Option<String> {
    Some(match event {
        Event::Message(_) => return None,
        Event::Lost(error) => format!("the connection is lost, trying again: {error}"),
        Event::Back => "the connection is back".to_owned(),
        Event::Missing {
            room,
            after: 0,
            last,
        } => format!("{room}: the server no longer has messages up to {last}"),
        Event::Missing { room, after, last } => {
            format!("{room}: the server no longer has messages after {after} up to {last}")
        }
        Event::OtherStore => {
            "the server's store is another one than before; rooms are followed from their beginning"
                .to_owned()
        }
        Event::SetBack { room, from, to } => format!(
            "{room}: the server has forgotten what came after {to}, of which {from} was the last"
        ),
    })
}

/// Reads a place in a room as it is typed: a number of a message, a time, or how long ago.
///
/// # Errors
///
/// What is taken.
pub(super) fn bound(text: &str) -> Result<Bound, String> {
    bound_from(text, SystemTime::now())
}

fn bound_from(text: &str, now: SystemTime) -> Result<Bound, String> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(seq) = text.parse()
    {
        return Ok(Bound::Seq(seq));
    }
    if let Ok(time) = humantime::parse_rfc3339_weak(text) {
        return Ok(Bound::Time(time));
    }
    let ago = humantime::parse_duration(text).ok();
    ago.and_then(|ago| now.checked_sub(ago))
        .map(Bound::Time)
        .ok_or_else(|| {
            "is no number of a message such as 4711, no time (UTC) such as 2026-11-23T14:03:22Z, and \
             not how long ago such as 1h or 2days"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Error;
    use crate::wire::{FileName, FileTag, RoomName};
    use std::time::{Duration, UNIX_EPOCH};

    fn message(from: &str, text: &str) -> Message {
        Message {
            room: RoomName::lobby(),
            seq: 7,
            prev: 3,
            time: UNIX_EPOCH + Duration::from_millis(1_795_442_602_999),
            from: UserName::new(from).ok(),
            text: text.to_owned(),
            file: None,
        }
    }

    #[test]
    fn a_message_is_a_line_and_its_further_lines_are_indented() {
        let line = as_text(&message("张三", "你好"));
        assert_eq!(line, "2026-11-23 14:03:22Z  lobby  张三  你好");
        assert_eq!(as_text(&message("", "")), "2026-11-23 14:03:22Z  lobby  -");
        let forged = as_text(&message(
            "",
            "a\r\n2026-11-23 14:03:22Z  lobby  root  b\n\nc\n",
        ));
        let mut lines = forged.lines();
        assert_eq!(lines.next(), Some("2026-11-23 14:03:22Z  lobby  -  a"));
        assert!(lines.all(|line| line.starts_with(INDENT)), "{forged}");
        assert_eq!(INDENT.len(), "2026-11-23 14:03:22Z  ".len());
    }

    #[test]
    fn a_file_is_named() {
        let mut message = message("", "look");
        message.file = Some(FileTag {
            name: FileName::new("photo (2).png").unwrap(),
            size: 7,
            digest: None,
        });
        let line = as_text(&message);
        assert_eq!(
            line,
            "2026-11-23 14:03:22Z  lobby  -  [photo (2).png, 7 bytes] look"
        );
    }

    #[test]
    fn places_are_numbers_times_and_how_long_ago() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let read = |text| bound_from(text, now);
        assert_eq!(read("0"), Ok(Bound::Seq(0)));
        assert_eq!(read("4711"), Ok(Bound::Seq(4711)));
        let half_past = Bound::Time(UNIX_EPOCH + Duration::from_millis(1500));
        assert_eq!(read("1970-01-01T00:00:01.500Z"), Ok(half_past));
        let one = Bound::Time(UNIX_EPOCH + Duration::from_secs(1));
        assert_eq!(read("1970-01-01 00:00:01Z"), Ok(one));
        assert_eq!(read("1970-01-01 00:00:01"), Ok(one));
        assert!(read("100years").is_ok(), "longer ago than anything");
        let ago = Bound::Time(now - Duration::from_secs(5400));
        assert_eq!(read("1h30m"), Ok(ago));
        for wrong in ["", "soon", "-1", "99999999999999999999", "14:03"] {
            assert!(read(wrong).unwrap_err().contains("such as 1h"), "{wrong}");
        }
    }

    #[test]
    fn what_happened_is_said_and_a_message_is_no_news() {
        assert_eq!(note(&Event::Message(message("", ""))), None);
        let lost = note(&Event::Lost(Error::Closed { going_away: true })).unwrap();
        assert!(
            lost.contains("trying again: the server is going away"),
            "{lost}"
        );
        for (after, expected) in [
            (0, "lobby: the server no longer has messages up to 9"),
            (
                3,
                "lobby: the server no longer has messages after 3 up to 9",
            ),
        ] {
            let (room, last) = (RoomName::lobby(), 9);
            let missing = note(&Event::Missing { room, after, last });
            assert_eq!(missing.as_deref(), Some(expected));
        }
    }
}

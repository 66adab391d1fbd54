//! The lines of `messages.log`: JSON, one header line and then one message a line, so that the
//! file can be read with the tools every system has.

use crate::store::ledger::MAX_SEQ;
use crate::store::{NewMessage, Receipt};
use crate::wire::{Key, RoomName, UserName};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The version of the format that this program writes and reads.
const VERSION: u64 = 1;

/// The first line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Header<'a> {
    gatepost: u64,
    #[serde(borrow)]
    store: Cow<'a, str>,
}

/// What the first line of a file says of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// It is one of ours, with this store id.
    Store(String),
    /// It was written by a program that knows more than this one.
    Newer(u64),
    /// It is no header.
    Unreadable,
}

/// One message. The names of the fields are the format.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    seq: u64,
    prev: u64,
    #[serde(borrow)]
    room: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// What the counters need to know of a message in the file. Its text is checked, not kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it was posted.
    pub(super) room: RoomName,
    /// Who posted it.
    pub(super) from: Option<UserName>,
    /// Its key.
    pub(super) key: Option<Key>,
    /// What was told of it.
    pub(super) receipt: Receipt,
}

/// The first line of the store called `id`.
pub(super) fn header(id: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let header = Header {
        gatepost: VERSION,
        store: id.into(),
    };
    push_line(&mut out, &header);
    out
}

/// Reads the first line of a file, without its line end.
pub(super) fn parse_header(line: &[u8]) -> Opening {
    match serde_json::from_slice::<Header<'_>>(line) {
        Ok(header) if header.gatepost == VERSION && !header.store.is_empty() => {
            Opening::Store(header.store.into_owned())
        }
        Ok(header) if header.gatepost > VERSION => Opening::Newer(header.gatepost),
        _ => Opening::Unreadable,
    }
}

/// Appends `message`'s line to `out`. `time` is its receipt's time in words: all messages of a
/// batch share one.
pub(super) fn write(out: &mut Vec<u8>, message: &NewMessage, receipt: &Receipt, time: &str) {
    let line = Line {
        seq: receipt.seq,
        prev: receipt.prev,
        room: message.room.as_str().into(),
        time: time.into(),
        from: message.from.as_ref().map(|from| from.as_str().into()),
        key: message.key.as_ref().map(|key| key.as_str().into()),
        text: message.text.as_str().into(),
    };
    push_line(out, &line);
}

/// Reads one message's line, without its line end; `None` if it can't be one.
pub(super) fn parse(line: &[u8]) -> Option<Record> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    if !(1..=MAX_SEQ).contains(&line.seq) {
        return None;
    }
    Some(Record {
        room: RoomName::new(line.room).ok()?,
        from: line.from.map(UserName::new).transpose().ok()?,
        key: line.key.map(Key::new).transpose().ok()?,
        receipt: Receipt {
            seq: line.seq,
            prev: line.prev,
            time: humantime::parse_rfc3339(&line.time).ok()?,
            duplicate: false,
        },
    })
}

fn push_line(out: &mut Vec<u8>, line: &impl Serialize) {
    serde_json::to_writer(&mut *out, line).expect("strings and numbers serialize into memory");
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::store::ledger::to_millis;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_line_is_what_the_documents_say() {
        let message = NewMessage {
            room: RoomName::lobby(),
            from: None,
            key: Some(Key::new("k").unwrap()),
            text: "a\n\"你好\"\0".into(),
            charge: Budget::new(1).charge(),
            file: None,
        };
        let receipt = Receipt {
            seq: 7,
            prev: 3,
            time: UNIX_EPOCH,
            duplicate: false,
        };
        let mut out = Vec::new();
        write(&mut out, &message, &receipt, "1970-01-01T00:00:00.000Z");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"seq":7,"prev":3,"room":"lobby","time":"1970-01-01T00:00:00.000Z","#,
                r#""from":null,"key":"k","text":"a\n\"你好\"\u0000"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_header_tells_its_store_or_that_it_is_newer() {
        let ours = header("ab12");
        assert_eq!(ours, b"{\"gatepost\":1,\"store\":\"ab12\"}\n");
        assert_eq!(
            parse_header(&ours[..ours.len() - 1]),
            Opening::Store("ab12".into())
        );
        assert_eq!(
            parse_header(br#"{"gatepost":2,"store":"x","more":[]}"#),
            Opening::Newer(2)
        );
        for bad in ["", "{}", r#"{"gatepost":1,"store":""}"#, "\0\0\0"] {
            assert_eq!(parse_header(bad.as_bytes()), Opening::Unreadable, "{bad:?}");
        }
    }

    #[test]
    fn a_line_that_no_store_of_ours_wrote_is_none() {
        let line = |seq: &str, room: &str| {
            let time = "1970-01-01T00:00:00Z";
            let line = format!(
                r#"{{"seq":{seq},"prev":0,"room":"{room}","time":"{time}","from":null,"text":""}}"#
            );
            parse(line.as_bytes()).is_some()
        };
        assert!(line("1", "lobby"));
        assert!(!line("0", "lobby"));
        assert!(!line("18446744073709551615", "lobby"));
        assert!(!line("1", "a b"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_none(line: Vec<u8>) {
            let _ = parse(&line);
            let _ = parse_header(&line);
        }

        #[test]
        fn what_is_written_reads_back(
            seq in 1..=MAX_SEQ, prev: u64, millis in 0u64..253_402_300_800_000,
            key in proptest::option::of(".{1,30}"), text: String, guest: bool,
        ) {
            let receipt = Receipt {
                seq, prev, time: UNIX_EPOCH + Duration::from_millis(millis), duplicate: false,
            };
            let message = NewMessage {
                room: RoomName::lobby(),
                from: (!guest).then(|| UserName::new("张三").unwrap()),
                key: key.map(|key| Key::new(key).unwrap()),
                text,
                charge: Budget::new(1).charge(),
            file: None,
            };
            let mut out = Vec::new();
            let time = humantime::format_rfc3339_millis(to_millis(receipt.time)).to_string();
            write(&mut out, &message, &receipt, &time);
            prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert_eq!(out.pop(), Some(b'\n'));
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let NewMessage { room, from, key, text, .. } = message;
            prop_assert_eq!(&value["text"], &text);
            prop_assert_eq!(parse(&out), Some(Record { room, from, key, receipt }));
        }
    }
}

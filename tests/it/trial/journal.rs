//! `messages.log` as somebody reads it who has only heard what it looks like: a line a message,
//! the seq rising, each line naming the one before it in its room.

use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// One message that is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) seq: u64,
    pub(crate) prev: u64,
    pub(crate) room: String,
    pub(crate) time: String,
    pub(crate) from: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) text: String,
}

/// Reads the messages in `home`, and holds every line to the rules of the file.
#[track_caller]
pub(crate) fn read(home: &Path) -> Vec<Message> {
    let text = fs::read_to_string(home.join("messages.log")).expect("it is a text");
    assert!(text.ends_with('\n'), "the last line is not whole");
    let mut lines = text.lines();
    let header: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(header["gatepost"], 1, "{header}");
    let messages: Vec<_> = lines.map(message).collect();
    assert_in_order(&messages);
    messages
}

/// How many whole lines of messages are there now, while others may still be written.
pub(crate) fn count(home: &Path) -> usize {
    let bytes = fs::read(home.join("messages.log")).expect("it is there");
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    // The first line is the file's own.
    lines.saturating_sub(1)
}

#[track_caller]
fn message(line: &str) -> Message {
    let fields: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let number = |name: &str| fields[name].as_u64().unwrap_or_else(|| panic!("{line}"));
    let maybe = |name: &str| fields[name].as_str().map(str::to_owned);
    let text = |name: &str| maybe(name).unwrap_or_else(|| panic!("{line}"));
    Message {
        seq: number("seq"),
        prev: number("prev"),
        room: text("room"),
        time: text("time"),
        from: maybe("from"),
        key: maybe("key"),
        text: text("text"),
    }
}

#[track_caller]
fn assert_in_order(messages: &[Message]) {
    let mut last = 0;
    let mut heads: HashMap<&str, u64> = HashMap::new();
    for message in messages {
        assert!(message.seq > last, "after {last} comes {message:?}");
        last = message.seq;
        let before = heads.insert(&message.room, message.seq).unwrap_or(0);
        assert_eq!(message.prev, before, "{message:?}");
    }
}

/// The messages by their texts, each of which must be there once.
#[track_caller]
pub(crate) fn by_text(messages: Vec<Message>) -> HashMap<String, Message> {
    let mut found = HashMap::new();
    for message in messages {
        if let Some(other) = found.insert(message.text.clone(), message) {
            panic!(
                "twice in messages.log: {other:?} and {:?}",
                found[&other.text]
            );
        }
    }
    found
}

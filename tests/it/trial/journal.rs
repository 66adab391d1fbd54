//! `gatepost.db` as somebody reads it who has only heard what it looks like: a row a message, the
//! seq rising, each row naming the one before it in its room.

use rusqlite::{Connection, OpenFlags};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

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
    /// The name of the file that is posted with it.
    pub(crate) file: Option<String>,
}

/// Reads the messages in `home`, and holds every row to the rules of the table. A daemon may be at
/// work there.
#[track_caller]
pub(crate) fn read(home: &Path) -> Vec<Message> {
    read_after(home, 0)
}

/// The same of those after `seq`.
#[track_caller]
pub(crate) fn read_after(home: &Path, seq: u64) -> Vec<Message> {
    let sql = "SELECT m.seq, m.prev, m.room, v.time, m.sender, m.key, m.text, m.file_name
        FROM message AS m JOIN messages AS v USING (seq) WHERE m.seq > ?1 ORDER BY m.seq";
    let connection = open(home);
    let mut statement = connection.prepare(sql).unwrap();
    let message = |row: &rusqlite::Row<'_>| {
        Ok(Message {
            seq: row
                .get::<_, i64>(0)?
                .try_into()
                .expect("it is no less than 0"),
            prev: row
                .get::<_, i64>(1)?
                .try_into()
                .expect("it is no less than 0"),
            room: row.get(2)?,
            time: row.get(3)?,
            from: row.get(4)?,
            key: row.get(5)?,
            text: row.get(6)?,
            file: row.get(7)?,
        })
    };
    let messages = statement.query_map([seq.cast_signed()], message).unwrap();
    let messages: Vec<_> = messages.map(|row| row.expect("it can be read")).collect();
    assert_in_order(seq, &messages);
    messages
}

/// How many messages are there now, while others may still be written.
pub(crate) fn count(home: &Path) -> usize {
    let sql = "SELECT count(*) FROM message";
    let count = open(home).query_row(sql, [], |row| row.get::<_, i64>(0));
    count.unwrap().try_into().expect("it is no less than 0")
}

fn open(home: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(home.join("gatepost.db"), flags).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}

#[track_caller]
fn assert_in_order(after: u64, messages: &[Message]) {
    let mut last = after;
    let mut heads: HashMap<&str, u64> = HashMap::new();
    for message in messages {
        assert!(message.seq > last, "after {last} comes {message:?}");
        last = message.seq;
        match heads.insert(&message.room, message.seq) {
            Some(before) => assert_eq!(message.prev, before, "{message:?}"),
            None => assert!(message.prev <= after, "{message:?}"),
        }
    }
}

/// The messages by their texts, each of which must be there once.
#[track_caller]
pub(crate) fn by_text(messages: Vec<Message>) -> HashMap<String, Message> {
    let mut found = HashMap::new();
    for message in messages {
        if let Some(other) = found.insert(message.text.clone(), message) {
            panic!(
                "twice in gatepost.db: {other:?} and {:?}",
                found[&other.text]
            );
        }
    }
    found
}

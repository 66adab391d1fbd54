//! One row of the table `message`: from a message, back to one, and the checksum that tells a row
//! that rotted on the disk from a good one. Which rows are asked for is left to others.

use crate::store::NewMessage;
use crate::store::ledger::MAX_SEQ;
use crate::wire::{FileName, FileTag, Key, Message, RoomName, UserName};
use rusqlite::types::ValueRef;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The columns in the order of [`Row::read`] and of [`INSERT`].
pub(super) const COLUMNS: &str =
    "seq, room, prev, time, sender, key, text, file_name, file_size, file_digest, checksum";

/// Keeps one row.
pub(super) const INSERT: &str = "INSERT INTO message (seq, room, prev, time, sender, key, text, \
     file_name, file_size, file_digest, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// The columns of a row, its checksum apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) seq: i64,
    pub(super) room: &'a str,
    pub(super) prev: i64,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    pub(super) sender: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) text: &'a str,
    pub(super) file_name: Option<&'a str>,
    pub(super) file_size: Option<i64>,
    pub(super) file_digest: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// `message` with its place; `digest` is the text of its file's digest.
    pub(super) fn new(
        message: &'a NewMessage,
        digest: Option<&'a str>,
        (seq, prev): (u64, u64),
        time: SystemTime,
    ) -> Self {
        let file = message.file.as_ref();
        Self {
            seq: to_column(seq),
            room: message.room.as_str(),
            prev: to_column(prev),
            time: to_milliseconds(time),
            sender: message.from.as_ref().map(UserName::as_str),
            key: message.key.as_ref().map(Key::as_str),
            text: &message.text,
            file_name: file.map(|file| file.name.as_str()),
            file_size: file.map(|file| to_column(file.size)),
            file_digest: digest,
        }
    }

    /// The values of one row, [`COLUMNS`] in their order; `None` if it can't be one of ours or its
    /// checksum is wrong. `scratch` is used to compute it.
    pub(super) fn read(
        value: impl Fn(usize) -> Option<ValueRef<'a>>,
        scratch: &mut Vec<u8>,
    ) -> Option<Self> {
        let number = |column| match value(column)? {
            ValueRef::Integer(number) => Some(number),
            _ => None,
        };
        let text = |column| match value(column)? {
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        };
        let is_null = |column| value(column) == Some(ValueRef::Null);
        let maybe_text = |column| {
            if is_null(column) {
                Some(None)
            } else {
                text(column).map(Some)
            }
        };
        let row = Self {
            seq: number(0)?,
            room: text(1)?,
            prev: number(2)?,
            time: number(3)?,
            sender: maybe_text(4)?,
            key: maybe_text(5)?,
            text: text(6)?,
            file_name: maybe_text(7)?,
            file_size: if is_null(8) { None } else { Some(number(8)?) },
            file_digest: maybe_text(9)?,
        };
        (row.checksum(scratch) == number(10)?).then_some(row)
    }

    /// The first 64 bits of the BLAKE3 hash of all columns. It is there for a disk that rots, not
    /// for people who forge.
    pub(super) fn checksum(&self, scratch: &mut Vec<u8>) -> i64 {
        scratch.clear();
        for number in [self.seq, self.prev, self.time] {
            scratch.extend_from_slice(&number.to_le_bytes());
        }
        let size = self.file_size.map(i64::to_le_bytes);
        let texts = [
            Some(self.room.as_bytes()),
            self.sender.map(str::as_bytes),
            self.key.map(str::as_bytes),
            Some(self.text.as_bytes()),
            self.file_name.map(str::as_bytes),
            size.as_ref().map(<[u8; 8]>::as_slice),
            self.file_digest.map(str::as_bytes),
        ];
        for text in texts {
            // A length before each, so that no two rows give the same bytes.
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            scratch.extend_from_slice(&length.to_le_bytes());
            scratch.extend_from_slice(text.unwrap_or_default());
        }
        let hash = blake3::hash(scratch);
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        i64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// The message; `None` if a column holds what no store of ours wrote.
    pub(super) fn message(&self) -> Option<Message> {
        let file = match self.file_name {
            Some(name) => Some(FileTag {
                name: FileName::new(name).ok()?,
                size: u64::try_from(self.file_size?).ok()?,
                digest: self.file_digest.map(str::parse).transpose().ok()?,
            }),
            None => None,
        };
        let seq = u64::try_from(self.seq).ok()?;
        Some(Message {
            room: RoomName::new(self.room).ok()?,
            seq: (1..=MAX_SEQ).contains(&seq).then_some(seq)?,
            prev: u64::try_from(self.prev).ok()?,
            time: from_milliseconds(self.time),
            from: self.sender.map(UserName::new).transpose().ok()?,
            text: self.text.to_owned(),
            file,
        })
    }

    /// The values for [`INSERT`].
    pub(super) fn values(&self, checksum: i64) -> impl rusqlite::Params + use<'a> {
        (
            self.seq,
            self.room,
            self.prev,
            self.time,
            self.sender,
            self.key,
            self.text,
            self.file_name,
            self.file_size,
            self.file_digest,
            checksum,
        )
    }
}

/// A count as SQLite keeps it. Beyond 2⁶³ − 1, which no count of ours reaches, it stays there.
pub(super) fn to_column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as it is used here. A negative one, which only damage makes, is 0.
pub(super) fn from_column(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// A time as SQLite keeps it.
pub(super) fn to_milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time as it is used here.
pub(super) fn from_milliseconds(milliseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(from_column(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rusqlite::types::Value;

    fn row(text: &str) -> Row<'_> {
        Row {
            seq: 7,
            room: "大厅",
            prev: 3,
            time: 1_500,
            sender: Some("张三"),
            key: None,
            text,
            file_name: Some("a.txt"),
            file_size: Some(2),
            file_digest: None,
        }
    }

    fn values(row: &Row<'_>) -> Vec<Value> {
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| text.to_owned().into());
        vec![
            row.seq.into(),
            text(Some(row.room)),
            row.prev.into(),
            row.time.into(),
            text(row.sender),
            text(row.key),
            text(Some(row.text)),
            text(row.file_name),
            row.file_size.into(),
            text(row.file_digest),
            row.checksum(&mut Vec::new()).into(),
        ]
    }

    fn read(values: &[Value]) -> Option<Row<'_>> {
        Row::read(
            |column| values.get(column).map(ValueRef::from),
            &mut Vec::new(),
        )
    }

    #[test]
    fn a_row_reads_back_and_a_changed_column_does_not() {
        let good = values(&row("你好\0"));
        assert_eq!(read(&good), Some(row("你好\0")));
        assert_eq!(good.len(), COLUMNS.split(", ").count());
        for column in 0..good.len() {
            let mut bad = good.clone();
            bad[column] = match &bad[column] {
                Value::Integer(number) => Value::Integer(number ^ 1),
                Value::Text(text) => Value::Text(format!("{text}x")),
                _ => Value::Text(String::new()),
            };
            assert_eq!(read(&bad), None, "column {column}");
            assert_eq!(read(&good[..column]), None, "column {column}");
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text: String, key in proptest::option::of(".{1,9}"), seq: u32) {
            let row = Row { seq: i64::from(seq), key: key.as_deref(), ..row(&text) };
            let values = values(&row);
            prop_assert_eq!(read(&values), Some(row));
        }
    }
}

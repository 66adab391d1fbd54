//! A message as it is told: an object in a list, or a push whose text follows as its body.

use super::{Digest, FileName, RoomName, UserName, frame};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::time::SystemTime;

/// A message that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it was posted.
    pub room: RoomName,
    /// Its place in the store's one rising count; from 1.
    pub seq: u64,
    /// The seq of the message before it in the same room; 0 for the first.
    pub prev: u64,
    /// When it was taken in, to the millisecond.
    pub time: SystemTime,
    /// Who posted it; `None` for guests.
    pub from: Option<UserName>,
    /// What it says.
    pub text: String,
    /// The file that was posted with it.
    pub file: Option<FileTag>,
}

/// What a message tells of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTag {
    /// The name under which it is kept.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, if it is known.
    pub digest: Option<Digest>,
}

impl Message {
    /// Appends the push of this message to `out`: the header's frame and, unless it is empty, one
    /// frame with the text.
    pub fn write_push(&self, out: &mut Vec<u8>) {
        frame::write(out, |out| {
            let header = Told {
                message: self,
                push: true,
            };
            super::reply::write_json(out, &header);
        });
        if !self.text.is_empty() {
            frame::write(out, |out| out.extend_from_slice(self.text.as_bytes()));
        }
    }

    /// Reads a message from an object in a list, or from the header of a push and, as `text`, its
    /// body. `None` if a field is missing or wrong.
    #[must_use]
    pub fn read(object: &Value, text: Option<String>) -> Option<Self> {
        let string = |name: &str| object.get(name).and_then(Value::as_str);
        let number = |name: &str| object.get(name).and_then(Value::as_u64);
        let given = |name: &str| object.get(name).filter(|value| !value.is_null());
        let from = match given("from") {
            Some(from) => Some(UserName::new(from.as_str()?).ok()?),
            None => None,
        };
        let file = match given("file") {
            Some(file) => Some(FileTag::read(file)?),
            None => None,
        };
        Some(Self {
            room: RoomName::new(string("room")?).ok()?,
            seq: number("seq")?,
            prev: number("prev")?,
            time: humantime::parse_rfc3339(string("time")?).ok()?,
            from,
            text: match text {
                Some(text) => text,
                None => string("text")?.to_owned(),
            },
            file,
        })
    }
}

impl FileTag {
    fn read(object: &Value) -> Option<Self> {
        let digest = object.get("digest").filter(|digest| !digest.is_null());
        Some(Self {
            name: FileName::new(object.get("name")?.as_str()?).ok()?,
            size: object.get("size")?.as_u64()?,
            digest: match digest {
                Some(digest) => Some(digest.as_str()?.parse().ok()?),
                None => None,
            },
        })
    }
}

/// The object in a list.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Told {
            message: self,
            push: false,
        }
        .serialize(serializer)
    }
}

impl Serialize for FileTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name.as_str())?;
        map.serialize_entry("size", &self.size)?;
        let digest = self.digest.map(|digest| digest.to_string());
        map.serialize_entry("digest", &digest)?;
        map.end()
    }
}

/// A message in one of its two forms.
struct Told<'a> {
    message: &'a Message,
    push: bool,
}

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { message, push } = self;
        let mut map = serializer.serialize_map(None)?;
        if *push {
            map.serialize_entry("msg_type", "msg")?;
        }
        map.serialize_entry("room", message.room.as_str())?;
        map.serialize_entry("seq", &message.seq)?;
        map.serialize_entry("prev", &message.prev)?;
        let time = humantime::format_rfc3339_millis(message.time).to_string();
        map.serialize_entry("time", &time)?;
        map.serialize_entry("from", &message.from.as_ref().map(UserName::as_str))?;
        if *push {
            map.serialize_entry("body", &message.text.len())?;
        } else {
            map.serialize_entry("text", &message.text)?;
        }
        if let Some(file) = &message.file {
            map.serialize_entry("file", file)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn message(text: &str, file: bool) -> Message {
        Message {
            room: RoomName::new("大厅").unwrap(),
            seq: 7,
            prev: 3,
            time: UNIX_EPOCH + Duration::from_millis(1500),
            from: UserName::new("张三").ok(),
            text: text.to_owned(),
            file: file.then(|| FileTag {
                name: FileName::new("a.txt").unwrap(),
                size: 2,
                digest: None,
            }),
        }
    }

    #[test]
    fn an_object_in_a_list_has_its_text_and_reads_back() {
        let json = serde_json::to_string(&message("嗨", false)).unwrap();
        assert_eq!(
            json,
            r#"{"room":"大厅","seq":7,"prev":3,"time":"1970-01-01T00:00:01.500Z","from":"张三","text":"嗨"}"#
        );
        for message in [message("嗨", false), message("", true)] {
            let value = serde_json::to_value(&message).unwrap();
            assert_eq!(Message::read(&value, None), Some(message));
        }
        assert_eq!(Message::read(&serde_json::json!({"seq": 1}), None), None);
    }

    #[test]
    fn a_push_has_its_text_as_a_body_and_an_empty_one_has_no_frame() {
        let mut out = Vec::new();
        message("嗨", true).write_push(&mut out);
        let header = frame::split(&mut out.as_slice(), 1 << 10)
            .unwrap()
            .unwrap()
            .to_vec();
        assert_eq!(
            String::from_utf8_lossy(&header),
            r#"{"msg_type":"msg","room":"大厅","seq":7,"prev":3,"time":"1970-01-01T00:00:01.500Z","from":"张三","body":3,"file":{"name":"a.txt","size":2,"digest":null}}"#
        );
        assert!(out.ends_with(b"\x03\0\0\0\xe5\x97\xa8"));
        let value = serde_json::from_slice(&header).unwrap();
        let read = Message::read(&value, Some("嗨".to_owned()));
        assert_eq!(read, Some(message("嗨", true)));
        out.clear();
        message("", false).write_push(&mut out);
        assert_eq!(out.len(), frame::PREFIX + out[0] as usize);
    }
}

//! The header that opens a request: one frame with a JSON object in it.

use super::{Fields, Id, frame};
use serde::de::{self, Deserialize, Deserializer, MapAccess};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::fmt;

/// A request's header.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The name by which its handler is chosen.
    pub msg_type: String,
    /// Asks for a reply and names it. Without one there is never any answer.
    pub id: Option<Id>,
    /// All other fields.
    pub fields: Fields,
}

/// What follows a header on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The next header.
    Nothing,
    /// A body of exactly one frame.
    Frame,
    /// A body of frames whose sum is exactly this; none at all for 0.
    Bytes(u64),
}

/// A header after which the stream can't be trusted any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderError(String);

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HeaderError {}

impl HeaderError {
    pub(super) const fn new(reason: String) -> Self {
        Self(reason)
    }
}

impl Header {
    /// A header without an id.
    #[must_use]
    pub fn new(msg_type: &str) -> Self {
        Self {
            msg_type: msg_type.to_owned(),
            id: None,
            fields: Fields::new(),
        }
    }

    /// This header with an id: the server will answer.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Id>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// This header with one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields = self.fields.with(name, value);
        self
    }

    /// Reads a header frame's payload.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] if it is no JSON object, has no string `msg_type`, or has an `id`, `size`,
    /// `offset` or `body` that cannot be one: what follows on the stream then has no known length.
    pub fn parse(payload: &[u8]) -> Result<Self, HeaderError> {
        let header: Self =
            serde_json::from_slice(payload).map_err(|error| HeaderError(error.to_string()))?;
        for name in ["size", "offset", "body"] {
            header
                .fields
                .number(name)
                .map_err(|error| HeaderError(error.to_string()))?;
        }
        Ok(header)
    }

    /// Appends this header to `out` as a frame.
    ///
    /// # Panics
    ///
    /// Never: strings and numbers always serialize into memory.
    pub fn write(&self, out: &mut Vec<u8>) {
        frame::write(out, |out| {
            serde_json::to_writer(out, self).expect("a header serializes");
        });
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("msg_type", &self.msg_type)?;
        if let Some(id) = &self.id {
            map.serialize_entry("id", id)?;
        }
        for (name, value) in self.fields.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

/// Reads a header in one pass, so that the two fields every request has need no look-up.
struct HeaderVisitor;

impl<'de> de::Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object with a string `msg_type`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut msg_type = None;
        let mut id = None;
        let mut fields = Fields::new();
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*name {
                "msg_type" => msg_type = Some(map.next_value()?),
                "id" => id = map.next_value::<Option<Id>>()?,
                _ => fields.push(name.into_owned(), map.next_value()?),
            }
        }
        let msg_type = msg_type.ok_or_else(|| de::Error::missing_field("msg_type"))?;
        Ok(Header {
            msg_type,
            id,
            fields,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(payload: &str, why: &str) {
        let error = Header::parse(payload.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{error:?} does not say {why:?}");
    }

    #[test]
    fn the_course_header_is_one() {
        let header = Header::parse(br#"{"msg_type": "file", "file_name": "photo.png"}"#).unwrap();
        assert_eq!(header, Header::new("file").with("file_name", "photo.png"));
    }

    #[test]
    fn what_has_no_known_length_behind_it_is_told() {
        refused("close", "expected value");
        refused("[]", "a JSON object");
        refused("{}", "missing field `msg_type`");
        refused(r#"{"msg_type": 5}"#, "invalid type");
        refused(r#"{"msg_type": "ping"} x"#, "trailing");
        refused(
            r#"{"msg_type": "file", "size": -1}"#,
            "`size` must be a whole number",
        );
        refused(
            r#"{"msg_type": "file", "offset": "1"}"#,
            "`offset` must be a whole number",
        );
        refused(
            r#"{"msg_type": "nonsense", "body": 1.5}"#,
            "`body` must be a whole number",
        );
        refused(
            &format!(r#"{{"msg_type":"ping","x":{}}}"#, "[".repeat(1000)),
            "recursion",
        );
    }

    #[test]
    fn an_id_is_a_number_of_64_bits_or_a_short_string() {
        let id = |id: &str| Header::parse(format!(r#"{{"msg_type":"ping","id":{id}}}"#).as_bytes());
        assert_eq!(id("1").unwrap().id, Some(Id::Signed(1)));
        assert_eq!(
            id("-9223372036854775808").unwrap().id,
            Some(Id::Signed(i64::MIN))
        );
        assert_eq!(
            id("18446744073709551615").unwrap().id,
            Some(Id::Unsigned(u64::MAX))
        );
        assert_eq!(id("null").unwrap().id, None);
        assert!(id("18446744073709551616").is_err());
        assert!(id("1.0").is_err());
        assert!(id("true").is_err());
        assert!(id(&format!("{:?}", "a".repeat(128))).is_ok());
        assert!(id(&format!("{:?}", "a".repeat(129))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_header_or_an_error(payload: Vec<u8>) {
            let _ = Header::parse(&payload);
        }

        #[test]
        fn what_is_written_reads_back(msg_type: String, id: Option<u64>, name: String, value: String) {
            let mut header = Header::new(&msg_type);
            header.id = id.map(Id::from);
            if !["msg_type", "id", "size", "offset", "body"].contains(&name.as_str()) {
                header = header.with(&name, value);
            }
            let mut wire = Vec::new();
            header.write(&mut wire);
            proptest::prop_assert_eq!(Header::parse(&wire[frame::PREFIX..]), Ok(header));
        }
    }
}

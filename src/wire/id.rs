//! The `id` of a request, echoed in its reply.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// What a client calls its request: an integer of 64 bits or a string of at most
/// [`Id::MAX_BYTES`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Id {
    /// A number from −2⁶³ to 2⁶³ − 1.
    Signed(i64),
    /// A number from 2⁶³ to 2⁶⁴ − 1.
    Unsigned(u64),
    /// A string.
    Text(String),
}

impl Id {
    /// The longest string that may be an id, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 128;
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Unsigned(number), Self::Signed)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl de::Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an integer of 64 bits or a string of at most {} bytes",
            Id::MAX_BYTES
        )
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Id, E> {
        Ok(Id::Signed(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
        Ok(Id::from(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
        if text.len() > Id::MAX_BYTES {
            return Err(E::invalid_length(text.len(), &self));
        }
        Ok(Id::Text(text.to_owned()))
    }
}

//! What a client reads: replies, pushes and the last word, told apart and typed.

use super::{Code, Fields, HeaderError, Id};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A header that came from a server.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A positive answer.
    Reply {
        /// The request's id.
        id: Id,
        /// Everything else the reply says.
        fields: Fields,
        /// Bytes of body that follow, in frames whose sum is exactly this.
        body: u64,
    },
    /// A coded no to one request.
    Refused {
        /// The request's id.
        id: Id,
        /// The word, `None` if this client does not know it.
        code: Option<Code>,
        /// The server's sentence.
        error: String,
        /// Everything else the refusal says.
        fields: Fields,
    },
    /// Something said unasked: a message, `gap`, `going_away` or the last word `error`.
    Push {
        /// What it is.
        msg_type: String,
        /// Everything else it says.
        fields: Fields,
        /// Bytes of body that follow, in frames whose sum is exactly this.
        body: u64,
    },
}

impl Incoming {
    /// Reads a header frame's payload.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] if it is neither a reply nor a push.
    pub fn parse(payload: &[u8]) -> Result<Self, HeaderError> {
        let wrong = |error: serde_json::Error| HeaderError::new(error.to_string());
        let mut map: Map<String, Value> = serde_json::from_slice(payload).map_err(wrong)?;
        let push = map
            .remove("msg_type")
            .map(String::deserialize)
            .transpose()
            .map_err(wrong)?;
        let ok = map
            .remove("ok")
            .map(bool::deserialize)
            .transpose()
            .map_err(wrong)?;
        let id = map
            .remove("id")
            .map(Id::deserialize)
            .transpose()
            .map_err(wrong)?;
        let mut fields = Fields::new();
        for (name, value) in map {
            fields.push(name, value);
        }
        let number = |name| {
            fields
                .number(name)
                .map_err(|e| HeaderError::new(e.to_string()))
        };
        let body = number("body")?.unwrap_or(0);
        match (push, id, ok) {
            (Some(msg_type), _, _) => Ok(Self::Push {
                msg_type,
                fields,
                body,
            }),
            (None, Some(id), Some(true)) => Ok(Self::Reply { id, fields, body }),
            (None, Some(id), Some(false)) => {
                let text = |name| fields.text(name).ok().flatten().unwrap_or_default();
                let (code, error) = (Code::parse(text("code")), text("error").to_owned());
                Ok(Self::Refused {
                    id,
                    code,
                    error,
                    fields,
                })
            }
            _ => Err(HeaderError::new("neither a reply nor a push".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Refusal, Reply, frame, write_last_word};

    fn read(write: impl FnOnce(&mut Vec<u8>)) -> Incoming {
        let mut out = Vec::new();
        write(&mut out);
        Incoming::parse(frame::split(&mut out.as_slice(), 4096).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn a_client_reads_what_a_server_writes() {
        let reply = Reply::new().with("seq", 7u64).with_body("hi");
        assert!(matches!(
            read(|out| reply.write(&Id::from(3), out)),
            Incoming::Reply { id: Id::Signed(3), fields, body: 2 } if fields.number("seq") == Ok(Some(7))
        ));
        assert!(matches!(
            read(|out| Refusal::internal().write(&Id::from(3), out)),
            Incoming::Refused {
                code: Some(Code::Internal),
                ..
            }
        ));
        assert!(matches!(
            read(|out| write_last_word(&Refusal::internal(), out)),
            Incoming::Push { msg_type, .. } if msg_type == "error"
        ));
    }

    #[test]
    fn what_is_neither_is_told() {
        assert!(Incoming::parse(b"{}").is_err());
        assert!(Incoming::parse(b"[]").is_err());
        assert!(Incoming::parse(br#"{"id":1}"#).is_err());
    }
}

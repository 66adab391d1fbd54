//! What a server answers: a reply or a refusal, and their form on the wire.

use super::{Code, Id, Token, frame};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

/// The answer to one request.
pub type Answer = Result<Reply, Refusal>;

/// A field's value. Kept typed until it is written, so that whoever makes a reply formats nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(u64),
    /// A string.
    Text(Cow<'static, str>),
    /// A token. Shown by nothing but what is written.
    Token(Token),
    /// A time, written as RFC 3339 in UTC with milliseconds.
    Time(SystemTime),
    /// Anything else.
    Json(Value),
}

macro_rules! datum_from {
    ($($type:ty => |$value:ident| $make:expr),+ $(,)?) => {
        $(impl From<$type> for Datum {
            fn from($value: $type) -> Self { $make }
        })+
    };
}

datum_from! {
    bool => |value| Self::Flag(value),
    u64 => |value| Self::Number(value),
    &'static str => |value| Self::Text(Cow::Borrowed(value)),
    String => |value| Self::Text(Cow::Owned(value)),
    SystemTime => |value| Self::Time(value),
    Token => |value| Self::Token(value),
    Value => |value| Self::Json(value),
}

impl<T: Into<Self>> From<Option<T>> for Datum {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A positive answer: its fields and, for some types, a body.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// The fields beside `id` and `ok`, in the order in which they are written.
    pub fields: Vec<(&'static str, Datum)>,
    /// The body that follows the header, announced by its field `body`.
    pub body: Option<Vec<u8>>,
}

/// A coded no. The connection goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The stable word.
    pub code: Code,
    /// A sentence for a person.
    pub error: Cow<'static, str>,
    /// Further fields, such as `retry_after_ms`.
    pub fields: Vec<(&'static str, Datum)>,
}

impl Reply {
    /// A reply without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This reply with one more field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Datum>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// This reply with a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Appends the reply to the request `id` to `out`: the header's frame and, when the body is
    /// not empty, one frame with it.
    pub fn write(&self, id: &Id, out: &mut Vec<u8>) {
        let body = self.body.as_ref().map(|body| body.len() as u64);
        self.write_header(id, body, out);
        if let Some(body) = self.body.as_deref().filter(|body| !body.is_empty()) {
            frame::write(out, |out| out.extend_from_slice(body));
        }
    }

    /// Appends the header's frame alone to `out`. If it is to announce a body of `body` bytes, frames
    /// whose sum is exactly that must follow.
    pub fn write_header(&self, id: &Id, body: Option<u64>, out: &mut Vec<u8>) {
        frame::write(out, |out| {
            open(out, id, true);
            write_fields(out, &self.fields);
            if let Some(body) = body {
                write_fields(out, &[("body", Datum::Number(body))]);
            }
            out.push(b'}');
        });
    }
}

impl Refusal {
    /// A refusal with a sentence that says why.
    #[must_use]
    pub fn new(code: Code, error: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            error: error.into(),
            fields: Vec::new(),
        }
    }

    /// The server is at fault, and its log has the details.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "something went wrong in the server; its log says what",
        )
    }

    /// Too much at once: worth another try after `wait`.
    #[must_use]
    pub fn busy(error: impl Into<Cow<'static, str>>, wait: Duration) -> Self {
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self::new(Code::Busy, error).with("retry_after_ms", wait)
    }

    /// This refusal with one more field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Datum>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Appends the refusal of the request `id` to `out` as a frame.
    pub fn write(&self, id: &Id, out: &mut Vec<u8>) {
        frame::write(out, |out| {
            open(out, id, false);
            self.write_reason(out);
        });
    }

    fn write_reason(&self, out: &mut Vec<u8>) {
        write_fields(out, &[("code", self.code.word().into())]);
        out.extend_from_slice(b",\"error\":");
        write_json(out, &self.error);
        write_fields(out, &self.fields);
        out.push(b'}');
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.error)
    }
}

impl std::error::Error for Refusal {}

/// Appends to `out` the one thing that is said unasked to a peer whose stream is broken.
pub fn write_last_word(refusal: &Refusal, out: &mut Vec<u8>) {
    frame::write(out, |out| {
        out.extend_from_slice(b"{\"msg_type\":\"error\"");
        refusal.write_reason(out);
    });
}

fn open(out: &mut Vec<u8>, id: &Id, ok: bool) {
    out.extend_from_slice(b"{\"id\":");
    write_json(out, id);
    out.extend_from_slice(if ok {
        b",\"ok\":true"
    } else {
        b",\"ok\":false"
    });
}

fn write_fields(out: &mut Vec<u8>, fields: &[(&'static str, Datum)]) {
    for (name, datum) in fields {
        out.push(b',');
        write_json(out, name);
        out.push(b':');
        match datum {
            Datum::Null => out.extend_from_slice(b"null"),
            Datum::Flag(flag) => write_json(out, flag),
            Datum::Number(number) => write_json(out, number),
            Datum::Text(text) => write_json(out, text),
            Datum::Token(token) => write_json(out, &token.text()),
            Datum::Time(time) => {
                write_json(out, &humantime::format_rfc3339_millis(*time).to_string());
            }
            Datum::Json(value) => write_json(out, value),
        }
    }
}

pub(super) fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("strings and numbers serialize into memory");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out.split_off(frame::PREFIX)).unwrap()
    }

    #[test]
    fn a_reply_echoes_the_id_first() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
        let reply = Reply::new()
            .with("room", "lobby")
            .with("seq", 7u64)
            .with("time", time);
        assert_eq!(
            text(|out| reply.write(&Id::Text("a\"b".into()), out)),
            r#"{"id":"a\"b","ok":true,"room":"lobby","seq":7,"time":"1970-01-01T00:00:01.500Z"}"#
        );
    }

    #[test]
    fn a_body_is_announced_and_an_empty_one_has_no_frame() {
        let with = |body: &str| text(|out| Reply::new().with_body(body).write(&Id::from(1), out));
        assert_eq!(with(""), r#"{"id":1,"ok":true,"body":0}"#);
        assert_eq!(with("hi"), "{\"id\":1,\"ok\":true,\"body\":2}\u{2}\0\0\0hi");
        let alone = text(|out| Reply::new().write_header(&Id::from(1), Some(1 << 40), out));
        assert_eq!(alone, r#"{"id":1,"ok":true,"body":1099511627776}"#);
    }

    #[test]
    fn a_refusal_has_a_code_and_a_sentence() {
        let busy = Refusal::busy("later", Duration::from_secs(1));
        assert_eq!(
            text(|out| busy.write(&Id::from(1), out)),
            r#"{"id":1,"ok":false,"code":"busy","error":"later","retry_after_ms":1000}"#
        );
        assert_eq!(
            text(|out| write_last_word(&Refusal::new(Code::BadFrame, "no"), out)),
            r#"{"msg_type":"error","code":"bad_frame","error":"no"}"#
        );
    }
}

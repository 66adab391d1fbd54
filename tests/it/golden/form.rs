//! The text form of golden conversations, read. Playing them is left to `play`.
//!
//! A file holds conversations, each under a title; `#` opens a comment line.
//!
//! ```text
//! = a ping is answered                a title opens a conversation
//! account zhangsan 123                an account and its password
//! admin root 123                      the same, of an admin
//! login required                      the listener's login: off, optional or required
//! stalls                              the client reads nothing before it is expected
//! set max_text 16                     a limit by its key, in bytes, things or milliseconds
//! > {"msg_type":"ping","id":1}        sent: a frame with this JSON
//! > text:你好                         sent: a frame with this text
//! > frame:\xff\x00                    sent: a frame with these bytes
//! > raw:\x05\x00\x00\x00              sent: these bytes, no frame around them
//! > eof                               sent: the end of the client's half
//! |                                   what follows goes out in a segment of its own
//! ~ 50ms                              so much time may pass before what follows
//! < {"id":1,"ok":true,"time":*,...}   expected: a frame with this JSON; * stands for any value,
//!                                     ... for any further fields
//! < text:你好                         expected: a frame with this text; text:* with any
//! < [{"seq":1,...}]                   expected: a frame with this JSON, for a body too
//! < eof                               expected: the server's half ends
//! ```
//!
//! In `frame:` and `raw:` a backslash opens `\xNN` or `\\`; `\x61{100}` repeats that byte.

use super::pattern::Pattern;
use crate::support::frame;
use std::fmt;
use std::time::Duration;

/// One conversation.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// What it shows.
    pub(crate) title: String,
    /// Its lines as they are written, without the title, trimmed.
    pub(crate) lines: Vec<String>,
    /// What the server is like.
    pub(crate) setup: Setup,
    /// What happens, in order.
    pub(crate) steps: Vec<Step>,
}

/// What the server is like that a conversation is held with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Names and passwords.
    pub(crate) accounts: Vec<(String, String)>,
    /// The names of those that are admins.
    pub(crate) admins: Vec<String>,
    /// The `login` parameter of the listener.
    pub(crate) login: Option<String>,
    /// Limits by key, in bytes, things or milliseconds.
    pub(crate) limits: Vec<(String, u64)>,
    /// Whether the client reads nothing before it is expected. That is played in process only:
    /// a socket reads ahead.
    pub(crate) stalls: bool,
}

/// One line of a conversation.
#[derive(Debug)]
pub(crate) struct Step {
    /// Its line in the file, from 1.
    pub(crate) line: usize,
    /// What happens.
    pub(crate) event: Event,
}

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// The client sends these bytes. For a header, `header` is what it says.
    Send {
        bytes: Vec<u8>,
        header: Option<serde_json::Value>,
    },
    /// The client ends its half.
    SendEof,
    /// What follows goes out in a segment of its own.
    Cut,
    /// Time may pass.
    Pass(Duration),
    /// The server sends a frame of JSON like this.
    Header(Pattern),
    /// The server sends a frame with this text, or with any.
    Text(Option<String>),
    /// The server ends its half.
    Eof,
}

/// A line that can't be read.
#[derive(Debug)]
pub(crate) struct FormError {
    line: usize,
    reason: String,
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Reads every conversation in `text`.
pub(crate) fn parse(text: &str) -> Result<Vec<Conversation>, FormError> {
    let mut conversations: Vec<Conversation> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let number = index + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("= ") {
            conversations.push(Conversation {
                title: title.to_owned(),
                ..Conversation::default()
            });
            continue;
        }
        let wrong = |reason: String| FormError {
            line: number,
            reason,
        };
        let conversation = conversations
            .last_mut()
            .ok_or_else(|| wrong("no title yet".to_owned()))?;
        conversation.lines.push(line.to_owned());
        if !conversation.setup.take(line).map_err(wrong)? {
            let event = event(line).map_err(wrong)?;
            let step = Step {
                line: number,
                event,
            };
            conversation.steps.push(step);
        }
    }
    Ok(conversations)
}

impl Setup {
    /// Takes a line if it is part of the setup.
    fn take(&mut self, line: &str) -> Result<bool, String> {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["account", name, password] => {
                let account = ((*name).to_owned(), (*password).to_owned());
                self.accounts.push(account);
            }
            ["admin", name, password] => {
                self.admins.push((*name).to_owned());
                let account = ((*name).to_owned(), (*password).to_owned());
                self.accounts.push(account);
            }
            ["stalls"] => self.stalls = true,
            ["login", policy] => self.login = Some((*policy).to_owned()),
            ["set", key, value] => {
                let value = value
                    .parse()
                    .map_err(|_| format!("{value:?} is no number"))?;
                self.limits.push(((*key).to_owned(), value));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn event(line: &str) -> Result<Event, String> {
    if line == "|" {
        return Ok(Event::Cut);
    }
    let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
    match (mark, rest.trim_start()) {
        (">", "eof") => Ok(Event::SendEof),
        ("<", "eof") => Ok(Event::Eof),
        ("<", "text:*") => Ok(Event::Text(None)),
        (">", what) => sent(what),
        ("<", what) => match what.strip_prefix("text:") {
            Some(text) => Ok(Event::Text(Some(text.to_owned()))),
            None => Ok(Event::Header(what.parse()?)),
        },
        ("~", time) => humantime::parse_duration(time)
            .map(Event::Pass)
            .map_err(|error| format!("{time:?} is no duration: {error}")),
        _ => Err(format!("{line:?} is no line of a conversation")),
    }
}

fn sent(what: &str) -> Result<Event, String> {
    let (bytes, header) = if let Some(text) = what.strip_prefix("text:") {
        (frame(text.as_bytes()), None)
    } else if let Some(bytes) = what.strip_prefix("frame:") {
        (frame(&unescape(bytes)?), None)
    } else if let Some(bytes) = what.strip_prefix("raw:") {
        (unescape(bytes)?, None)
    } else {
        let header = serde_json::from_str(what).map_err(|error| format!("{what:?}: {error}"))?;
        (frame(what.as_bytes()), Some(header))
    };
    Ok(Event::Send { bytes, header })
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("{text:?} has a wrong escape");
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        let start = bytes.len();
        if first != '\\' {
            bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
        } else if let Some(tail) = rest.strip_prefix('\\') {
            bytes.push(b'\\');
            rest = tail;
        } else {
            let digits = rest.strip_prefix('x').and_then(|rest| rest.get(..2));
            let byte = u8::from_str_radix(digits.ok_or_else(wrong)?, 16).map_err(|_| wrong())?;
            bytes.push(byte);
            rest = &rest[3..];
        }
        if let Some((times, tail)) = rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
            let times: usize = times.parse().map_err(|_| wrong())?;
            bytes = [&bytes[..start], &bytes[start..].repeat(times)].concat();
            rest = tail;
        }
    }
    Ok(bytes)
}

#[test]
fn a_conversation_is_read_line_by_line() {
    let text = "# first\n= one\nadmin a 1\nlogin required\nstalls\nset max_text 16\n\
        > {\"msg_type\":\"ping\"}\n|\n> text:你\n> frame:a\\xff\n> raw:\\x00{3}\\\\\n> eof\n~ 50ms\n\
        < {\"ok\":true,...}\n< text:你\n< text:*\n< eof\n= two\n";
    let conversations = parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(conversations.len(), 2);
    let one = &conversations[0];
    assert_eq!(one.title, "one");
    assert_eq!(one.setup.accounts, [("a".to_owned(), "1".to_owned())]);
    assert_eq!(one.setup.admins, ["a"]);
    assert_eq!(one.setup.login.as_deref(), Some("required"));
    assert!(one.setup.stalls && !conversations[1].setup.stalls);
    assert_eq!(one.setup.limits, [("max_text".to_owned(), 16)]);
    let sent: Vec<_> = one
        .steps
        .iter()
        .filter_map(|step| match &step.event {
            Event::Send { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        })
        .collect();
    let expected: [&[u8]; 4] = [
        b"\x13\0\0\0{\"msg_type\":\"ping\"}",
        b"\x03\0\0\0\xe4\xbd\xa0",
        b"\x02\0\0\0a\xff",
        b"\0\0\0\\",
    ];
    assert_eq!(sent, expected);
    assert!(matches!(one.steps[6].event, Event::Pass(time) if time.as_millis() == 50));
    assert!(matches!(one.steps[10].event, Event::Eof));
    assert_eq!(one.steps[10].line, 17);
}

#[test]
fn what_is_no_conversation_is_told_with_its_line() {
    for (text, expected) in [
        ("> eof", "line 1: no title"),
        ("= x\n> {oops}", "line 2: \"{oops}\""),
        (
            "= x\n\n> raw:\\xzz",
            "line 3: \"\\\\xzz\" has a wrong escape",
        ),
        ("= x\n> raw:\\", "wrong escape"),
        ("= x\n~ soon", "no duration"),
        ("= x\nset max_text many", "no number"),
        ("= x\nhello", "no line of a conversation"),
    ] {
        let told = parse(text).err().map(|error| error.to_string());
        let told = told.unwrap_or_default();
        assert!(told.contains(expected), "{text:?}: {told:?}");
    }
}

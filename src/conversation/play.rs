//! A host for the tests of serving sides: gives one what was read, cut as the test likes, and
//! notes what it makes of it.

use super::{Serving, Step};
use crate::wire::{Answer, Code, Id};

/// A conversation, what is left of its input, and what was seen of it.
pub(super) struct Host<S> {
    pub(super) serving: S,
    buffer: Vec<u8>,
    /// The msg_type of each request with its body behind a colon, `end`, `close`, `last words`.
    pub(super) seen: Vec<String>,
    /// The id of each request.
    pub(super) ids: Vec<Option<Id>>,
    pub(super) broken: Option<Code>,
}

impl<S: Serving> Host<S> {
    pub(super) fn new(serving: S) -> Self {
        Self {
            serving,
            buffer: Vec::new(),
            seen: Vec::new(),
            ids: Vec::new(),
            broken: None,
        }
    }

    /// What is said first.
    pub(super) fn opening(&mut self) -> String {
        let mut out = Vec::new();
        self.serving.open(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Gives it `bytes`, after which there is nothing more to read for now.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        self.feed(bytes);
        if self.serving.pause() {
            self.feed(b"");
        }
        assert!(!self.serving.pause(), "a pause is told once");
    }

    /// Gives it `bytes` with more to read behind them.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.buffer);
        let mut input = buffer.as_slice();
        while self.broken.is_none() && self.step(&mut input) {}
        self.buffer = input.to_vec();
    }

    /// Ends its input.
    pub(super) fn end(&mut self) {
        self.serving.end();
        self.feed(b"");
    }

    fn step(&mut self, input: &mut &[u8]) -> bool {
        match self.serving.next(input) {
            Ok(Step::More) => return false,
            Ok(Step::Begin(header)) => {
                self.ids.push(header.id);
                let fields: Vec<_> = header.fields.iter().collect();
                let fields: String = fields.iter().map(|(k, v)| format!(" {k}={v}")).collect();
                self.seen.push(format!("{}{fields}:", header.msg_type));
            }
            Ok(Step::Announce(bytes)) => self.add(&format!("({bytes})")),
            Ok(Step::Piece(piece)) => {
                assert!(!piece.is_empty());
                self.add(&String::from_utf8_lossy(piece));
            }
            Ok(Step::Amend(fields)) => {
                let fields: String = fields.iter().map(|(k, v)| format!(" {k}={v}")).collect();
                self.seen.push(format!("amend{fields}"));
            }
            Ok(Step::End) => self.seen.push("end".to_owned()),
            Ok(Step::Close) => self.seen.push("close".to_owned()),
            Ok(Step::LastWords) => self.seen.push("last words".to_owned()),
            Err(refusal) => self.broken = Some(refusal.code),
        }
        true
    }

    fn add(&mut self, text: &str) {
        self.seen.last_mut().unwrap().push_str(text);
    }

    /// What is said to `answer` for the request with this place.
    pub(super) fn answer(&mut self, place: usize, answer: &Answer) -> String {
        let mut out = Vec::new();
        self.serving
            .answer(self.ids[place].as_ref(), answer, &mut out);
        String::from_utf8(out).unwrap()
    }
}

//! What the talking sides of the unframed conversations have in common: texts are said, texts are
//! heard, and somebody's turn it is. Sockets and deadlines are left to [`mod@crate::client`].

use super::TextDecoder;
use std::fmt;

/// The talking side of a conversation in which texts are said over a byte stream.
pub trait Talking: Send {
    /// Appends the bytes that say `text` to `out`. When it is not the client's turn this still
    /// works, but the server may take the text for a part of the one before.
    ///
    /// # Errors
    ///
    /// [`Unsayable`] where this conversation has no bytes for such a text; `out` is unchanged.
    fn say(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Unsayable>;

    /// Takes what arrived, and returns the text to show that became whole by it, if any.
    fn hear(&mut self, bytes: &[u8]) -> Option<String>;

    /// Takes that the server has closed its side, and returns what was left to show, if anything.
    ///
    /// # Errors
    ///
    /// [`BrokenOff`] if this is not where a server ends the conversation.
    fn end(&mut self) -> Result<Option<String>, BrokenOff>;

    /// Whose turn it is.
    fn turn(&self) -> Turn;
}

impl<T: Talking + ?Sized> Talking for Box<T> {
    fn say(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Unsayable> {
        (**self).say(text, out)
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<String> {
        (**self).hear(bytes)
    }

    fn end(&mut self) -> Result<Option<String>, BrokenOff> {
        (**self).end()
    }

    fn turn(&self) -> Turn {
        (**self).turn()
    }
}

/// Whose turn it is in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A text may be said.
    Speak,
    /// The server owes something.
    Listen,
    /// All is said on both sides.
    Over,
}

/// A text that a conversation has no bytes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsayable {
    /// Where nothing marks the end of a text, an empty one leaves no trace.
    Empty,
    /// Behind a length in digits a text that begins with a digit would be read as part of it.
    Digit,
    /// The text has more bytes than `most`, which is what fits.
    TooLong {
        /// The text's length, in bytes.
        length: usize,
        /// The longest possible one, in bytes.
        most: usize,
    },
}

impl fmt::Display for Unsayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty text cannot be told from none here"),
            Self::Digit => {
                f.write_str("a text that begins with a digit cannot follow a length in digits")
            }
            Self::TooLong { length, most } => {
                write!(
                    f,
                    "a text of {length} bytes is too long, {most} are possible"
                )
            }
        }
    }
}

impl std::error::Error for Unsayable {}

/// The server closed where it is not its part to do so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenOff {
    /// What had come of a text that was not whole, perhaps nothing.
    pub rest: String,
}

/// The most that is kept of one text, in bytes: 1 MiB. A longer one is handed out in pieces, so
/// that a server that never ends costs no memory.
const MOST: usize = 1024 * 1024;

/// What was heard and not handed out yet.
#[derive(Debug, Default)]
pub(super) struct Heard {
    decoder: TextDecoder,
    text: String,
}

impl Heard {
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.decoder.decode(bytes, &mut self.text);
    }

    /// What is there, if it can be a whole text: nothing in an unframed stream tells where one
    /// ends, so it is what was there to read, up to a whole character. The beginning of what is
    /// `expected` is not whole yet; with nothing to expect that is empty.
    pub(super) fn take(&mut self, expected: &str) -> Option<String> {
        let is_part = self.text.len() < expected.len() && expected.starts_with(&self.text);
        if self.text.is_empty() || is_part || self.decoder.is_inside() {
            return self.take_if_long();
        }
        Some(std::mem::take(&mut self.text))
    }

    /// Takes `expected` if it is all there, and leaves what follows it.
    pub(super) fn take_exactly(&mut self, expected: &str) -> bool {
        let found = self.text.starts_with(expected);
        if found {
            self.text.drain(..expected.len());
        }
        found
    }

    /// What is there if it is more than is kept.
    pub(super) fn take_if_long(&mut self) -> Option<String> {
        (self.text.len() >= MOST).then(|| std::mem::take(&mut self.text))
    }

    /// What is there so far, up to a whole character.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// All that is left when the stream has ended.
    pub(super) fn finish(&mut self) -> String {
        self.decoder.finish(&mut self.text);
        std::mem::take(&mut self.text)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Says `text`, which can be said; the bytes.
    #[track_caller]
    pub(in crate::conversation) fn said(talking: &mut impl Talking, text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        talking.say(text, &mut out).unwrap();
        out
    }

    /// All texts that `talking` makes of `bytes` in pieces of `size`, and of the end after them.
    pub(in crate::conversation) fn heard(
        talking: &mut impl Talking,
        bytes: &[u8],
        size: usize,
    ) -> String {
        let mut all = String::new();
        for piece in bytes.chunks(size.max(1)) {
            all.extend(talking.hear(piece));
        }
        match talking.end() {
            Ok(rest) => all.extend(rest),
            Err(BrokenOff { rest }) => all.push_str(&rest),
        }
        all
    }

    #[test]
    fn what_is_expected_is_waited_for_and_anything_else_is_taken() {
        let mut heard = Heard::default();
        assert_eq!(heard.take(""), None);
        heard.hear(b"Hel");
        assert_eq!(heard.take("Hello"), None);
        heard.hear(b"lo");
        assert_eq!(heard.take("Hello").as_deref(), Some("Hello"));
        heard.hear(b"Hex");
        assert_eq!(heard.take("Hello").as_deref(), Some("Hex"));
        heard.hear(b"a\xe4");
        assert_eq!(heard.take(""), None);
        assert_eq!(heard.finish(), "a\u{fffd}");
    }

    #[test]
    fn an_endless_text_is_handed_out_in_pieces() {
        let mut heard = Heard::default();
        heard.hear(&vec![b'a'; MOST - 1]);
        assert_eq!(heard.take_if_long(), None);
        heard.hear(b"a\xe4");
        assert_eq!(heard.take_if_long().map(|text| text.len()), Some(MOST));
        assert_eq!(heard.text(), "");
        assert!(heard.decoder.is_inside());
    }
}

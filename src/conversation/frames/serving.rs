//! The serving side of `frames://`.

use super::Length;
use crate::conversation::{Serving, Step};
use crate::wire::{Answer, Code, Header, Id, Refusal, frame};

/// The most digits that a length can have: those of 2⁶⁴ − 1.
const MAX_DIGITS: usize = 20;

/// A conversation as the server sees it.
#[derive(Debug)]
pub struct FramesServing {
    length: Length,
    state: State,
    has_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a length.
    Length,
    /// Behind the length of a text of this many bytes, which is not announced yet.
    Told(u64),
    /// Inside a text that still has this many bytes.
    Text(u64),
}

impl FramesServing {
    /// A conversation at its start, with lengths of this form.
    #[must_use]
    pub const fn new(length: Length) -> Self {
        Self {
            length,
            state: State::Length,
            has_ended: false,
        }
    }

    /// The length at the beginning of `input`, once it is all there, and its own bytes.
    fn length(&self, input: &[u8]) -> Result<Option<(u64, usize)>, Refusal> {
        match self.length {
            Length::Binary => binary_length(input),
            Length::Ascii => ascii_length(input, self.has_ended),
        }
    }
}

fn binary_length(input: &[u8]) -> Result<Option<(u64, usize)>, Refusal> {
    let Some(prefix) = input.first_chunk() else {
        return Ok(None);
    };
    match frame::length(*prefix) {
        Some(length) => Ok(Some((length as u64, frame::PREFIX))),
        None => {
            let length = i32::from_le_bytes(*prefix);
            let reason = format!("a frame can't have {length} bytes");
            Err(Refusal::new(Code::BadFrame, reason))
        }
    }
}

fn ascii_length(input: &[u8], has_ended: bool) -> Result<Option<(u64, usize)>, Refusal> {
    let broken = |reason: &'static str| Err(Refusal::new(Code::BadFrame, reason));
    let is_text = |byte: &u8| !byte.is_ascii_digit();
    // Any number of digits may belong to the length, so what ends it must be there.
    let end = match input.iter().take(MAX_DIGITS + 1).position(is_text) {
        Some(end) => end,
        None if input.len() > MAX_DIGITS => return broken("a length has too many digits"),
        None if has_ended => input.len(),
        None => return Ok(None),
    };
    if input.is_empty() {
        return Ok(None);
    }
    let digits = std::str::from_utf8(&input[..end]).unwrap_or_default();
    match digits.parse() {
        Ok(length) => Ok(Some((length, end))),
        Err(_) if end == 0 => broken("a length must be decimal digits"),
        Err(_) => broken("a length does not fit into 64 bits"),
    }
}

impl Serving for FramesServing {
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        Ok(match self.state {
            State::Length => match self.length(input)? {
                Some((length, bytes)) => {
                    *input = &input[bytes..];
                    self.state = State::Told(length);
                    Step::Begin(Header::new("msg"))
                }
                None if self.has_ended && !input.is_empty() => {
                    return Err(Refusal::new(Code::BadFrame, "it broke off inside a length"));
                }
                None => Step::More,
            },
            State::Told(length) => {
                self.state = State::Text(length);
                Step::Announce(length)
            }
            State::Text(0) => {
                self.state = State::Length;
                Step::End
            }
            State::Text(left) => {
                let here = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
                if here == 0 && self.has_ended {
                    let reason = format!("a text broke off {left} bytes before its end");
                    return Err(Refusal::new(Code::BadFrame, reason));
                }
                if here == 0 {
                    return Ok(Step::More);
                }
                let (piece, rest) = input.split_at(here);
                *input = rest;
                self.state = State::Text(left - here as u64);
                Step::Piece(piece)
            }
        })
    }

    fn end(&mut self) {
        self.has_ended = true;
    }

    fn answer(&mut self, _: Option<&Id>, _: &Answer, _: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::play::Host;
    use proptest::prelude::*;

    fn host(length: Length, wire: &[u8], size: usize) -> Host<FramesServing> {
        let mut host = Host::new(FramesServing::new(length));
        for piece in wire.chunks(size.max(1)) {
            host.read(piece);
        }
        host.end();
        host
    }

    fn seen(length: Length, wire: &[u8]) -> Vec<String> {
        host(length, wire, wire.len()).seen
    }

    #[track_caller]
    fn broken(length: Length, wire: &[u8]) {
        assert_eq!(host(length, wire, 99).broken, Some(Code::BadFrame));
    }

    #[test]
    fn the_course_s_frames_are_texts() {
        let wire = [&b"\x0f\0\0\0"[..], "xin正在学习".as_bytes(), b"\0\0\0\0"].concat();
        assert_eq!(
            seen(Length::Binary, &wire),
            ["msg:(15)xin正在学习", "end", "msg:(0)", "end"]
        );
    }

    #[test]
    fn digits_are_taken_greedily() {
        assert_eq!(
            seen(Length::Ascii, b"12kinght love 3aym"),
            ["msg:(12)kinght love ", "end", "msg:(3)aym", "end"]
        );
        assert_eq!(seen(Length::Ascii, b"03aym"), ["msg:(3)aym", "end"]);
        assert_eq!(seen(Length::Ascii, b"0"), ["msg:(0)", "end"]);
        assert_eq!(
            seen(Length::Ascii, b"3aym1"),
            ["msg:(3)aym", "end", "msg:(1)"]
        );
    }

    #[test]
    fn impossible_lengths_break_the_stream() {
        broken(Length::Binary, b"\xff\xff\xff\xff");
        broken(Length::Binary, b"\x01\0\0");
        broken(Length::Binary, b"\x01\0\0\0");
        broken(Length::Ascii, b"x");
        broken(Length::Ascii, b"-1x");
        broken(Length::Ascii, b"18446744073709551616x");
        broken(Length::Ascii, b"000000000000000000001");
        let largest = seen(Length::Ascii, b"18446744073709551615x");
        assert_eq!(largest, ["msg:(18446744073709551615)x"]);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(texts in prop::collection::vec("[a-z你][a-z0-9]{0,9}", 0..5), size in 1usize..9) {
            for length in [Length::Binary, Length::Ascii] {
                let mut wire = Vec::new();
                for text in &texts {
                    match length {
                        Length::Binary => wire.extend((text.len() as i32).to_le_bytes()),
                        Length::Ascii => wire.extend(text.len().to_string().bytes()),
                    }
                    wire.extend(text.bytes());
                }
                let whole = host(length, &wire, wire.len());
                let messages = whole.seen.iter().filter(|line| line.starts_with("msg"));
                prop_assert_eq!(messages.count(), texts.len());
                let cut = host(length, &wire, size);
                prop_assert!(cut.broken.is_none() && whole.broken.is_none());
                let bytes = |lines: &[String]| lines.concat().into_bytes().len();
                prop_assert!(bytes(&cut.seen) >= bytes(&whole.seen));
                prop_assert_eq!(cut.ids.len(), texts.len());
            }
        }

        #[test]
        fn any_bytes_are_survived(wire: Vec<u8>, size in 1usize..9) {
            host(Length::Binary, &wire, size);
            host(Length::Ascii, &wire, size);
        }
    }
}

//! The talking side of `frames://`.

use super::Length;
use crate::conversation::talking::Heard;
use crate::conversation::{BrokenOff, Talking, Turn, Unsayable};
use crate::wire::frame;

/// Says texts, each with its length before it.
#[derive(Debug)]
pub struct FramesTalking {
    length: Length,
    heard: Heard,
    is_over: bool,
}

impl FramesTalking {
    /// At the start, where the client speaks first and alone.
    #[must_use]
    pub fn new(length: Length) -> Self {
        Self {
            length,
            heard: Heard::default(),
            is_over: false,
        }
    }
}

impl Talking for FramesTalking {
    fn say(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Unsayable> {
        let too_long = Unsayable::TooLong {
            length: text.len(),
            most: frame::MAX_PAYLOAD,
        };
        let prefix = frame::prefix(text.len()).ok_or(too_long)?;
        match self.length {
            Length::Binary => out.extend_from_slice(&prefix),
            // The digits are taken greedily: what follows must not look like more of them.
            Length::Ascii if text.is_empty() => return Err(Unsayable::Empty),
            Length::Ascii if text.starts_with(|c: char| c.is_ascii_digit()) => {
                return Err(Unsayable::Digit);
            }
            Length::Ascii => out.extend_from_slice(text.len().to_string().as_bytes()),
        }
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// A server that has something to say all the same is heard.
    fn hear(&mut self, bytes: &[u8]) -> Option<String> {
        self.heard.hear(bytes);
        self.heard.take("")
    }

    fn end(&mut self) -> Result<Option<String>, BrokenOff> {
        self.is_over = true;
        // To close is the client's part.
        let rest = self.heard.finish();
        Err(BrokenOff { rest })
    }

    fn turn(&self) -> Turn {
        if self.is_over {
            Turn::Over
        } else {
            Turn::Speak
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::talking::tests::{heard, said};
    use proptest::prelude::*;

    #[test]
    fn the_courses_texts_become_the_courses_bytes() {
        let mut frames = FramesTalking::new(Length::Binary);
        let mut bytes = said(&mut frames, "xin正在学习");
        bytes.extend(said(&mut frames, "应该没有"));
        let expected = [
            b"\x0f\0\0\0",
            "xin正在学习".as_bytes(),
            b"\x0c\0\0\0",
            "应该没有".as_bytes(),
        ];
        assert_eq!(bytes, expected.concat());
        assert_eq!(said(&mut frames, ""), [0; 4]);
    }

    #[test]
    fn a_length_in_digits_stands_right_before_its_text() {
        let mut frames = FramesTalking::new(Length::Ascii);
        let mut bytes = said(&mut frames, "kinght love ");
        bytes.extend(said(&mut frames, "aym"));
        assert_eq!(bytes, b"12kinght love 3aym");
        let mut out = Vec::new();
        assert_eq!(frames.say("1st", &mut out), Err(Unsayable::Digit));
        assert_eq!(frames.say("", &mut out), Err(Unsayable::Empty));
        assert!(out.is_empty());
        // Only ASCII digits are digits of a length.
        assert_eq!(said(&mut frames, "٣"), "2٣".as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_said_is_split_again(texts: Vec<String>) {
            let mut frames = FramesTalking::new(Length::Binary);
            let bytes: Vec<u8> = texts.iter().flat_map(|text| said(&mut frames, text)).collect();
            let mut input = bytes.as_slice();
            for text in &texts {
                prop_assert_eq!(frame::split(&mut input, 1 << 20), Ok(Some(text.as_bytes())));
            }
            prop_assert!(input.is_empty());
        }

        #[test]
        fn a_greedy_reader_finds_every_text_behind_its_digits(texts: Vec<String>) {
            let mut frames = FramesTalking::new(Length::Ascii);
            let mut bytes = Vec::new();
            let mut kept = Vec::new();
            for text in &texts {
                if frames.say(text, &mut bytes).is_ok() {
                    kept.push(text.as_bytes());
                }
            }
            let mut input = bytes.as_slice();
            for text in kept {
                let digits = input.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let (length, rest) = input.split_at(digits);
                let length: usize = std::str::from_utf8(length).unwrap().parse().unwrap();
                prop_assert_eq!(&rest[..length], text);
                input = &rest[length..];
            }
            prop_assert!(input.is_empty());
        }

        #[test]
        fn nothing_that_came_is_lost(bytes: Vec<u8>, size in 1usize..9) {
            let all = heard(&mut FramesTalking::new(Length::Binary), &bytes, size);
            prop_assert_eq!(all, String::from_utf8_lossy(&bytes));
        }
    }
}

//! The talking side of `delay://`: the answer repeats the text, so its end is known.

use super::{AT_ONCE, DELAYED, SLEEP};
use crate::conversation::talking::Heard;
use crate::conversation::{BrokenOff, Talking, Turn, Unsayable};

/// Says texts and hears an answer to each.
#[derive(Debug)]
pub struct DelayTalking {
    heard: Heard,
    /// The answer to the last text.
    expected: String,
    turn: Turn,
}

impl DelayTalking {
    /// At the start, where the client speaks first.
    #[must_use]
    pub fn new() -> Self {
        Self {
            heard: Heard::default(),
            expected: String::new(),
            turn: Turn::Speak,
        }
    }
}

impl Default for DelayTalking {
    fn default() -> Self {
        Self::new()
    }
}

impl Talking for DelayTalking {
    fn say(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Unsayable> {
        if text.is_empty() {
            return Err(Unsayable::Empty);
        }
        out.extend_from_slice(text.as_bytes());
        let before = if text == SLEEP { DELAYED } else { AT_ONCE };
        self.expected = format!("{before}{text}");
        self.turn = Turn::Listen;
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<String> {
        self.heard.hear(bytes);
        let text = self.heard.take(&self.expected)?;
        self.expected.clear();
        self.turn = Turn::Speak;
        Some(text)
    }

    fn end(&mut self) -> Result<Option<String>, BrokenOff> {
        self.turn = Turn::Over;
        // To close is the client's part.
        let rest = self.heard.finish();
        Err(BrokenOff { rest })
    }

    fn turn(&self) -> Turn {
        self.turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::talking::tests::{heard, said};
    use proptest::prelude::*;

    #[test]
    fn both_answers_are_known_to_the_last_byte() {
        let mut delay = DelayTalking::new();
        for (text, answer, length) in [
            ("first", "已收到普通信息:first", 27),
            ("second", "已收到普通信息:second", 28),
            ("sleep", "已收到延时反馈信息:sleep", 33),
        ] {
            assert_eq!(answer.len(), length);
            assert_eq!(delay.turn(), Turn::Speak);
            assert_eq!(said(&mut delay, text), text.as_bytes());
            let (last, before) = answer.as_bytes().split_last().unwrap();
            assert_eq!(delay.hear(before), None);
            assert_eq!(delay.turn(), Turn::Listen);
            assert_eq!(delay.hear(&[*last]).as_deref(), Some(answer));
        }
    }

    #[test]
    fn another_answer_is_taken_as_it_is() {
        let mut delay = DelayTalking::new();
        said(&mut delay, "first");
        assert_eq!(delay.hear(b"what?").as_deref(), Some("what?"));
        assert_eq!(delay.turn(), Turn::Speak);
        said(&mut delay, "first");
        delay.hear("已收到普".as_bytes());
        let rest = "已收到普".to_owned();
        assert_eq!(delay.end(), Err(BrokenOff { rest }));
    }

    proptest! {
        #[test]
        fn any_text_is_answered_whole_however_it_is_cut(text in "\\PC{1,40}", size in 1usize..9) {
            let mut delay = DelayTalking::new();
            said(&mut delay, &text);
            let answer = delay.expected.clone();
            let mut pieces = answer.as_bytes().chunks(size).peekable();
            while let Some(piece) = pieces.next() {
                let whole = pieces.peek().is_none().then(|| answer.clone());
                prop_assert_eq!(delay.hear(piece), whole);
            }
            prop_assert_eq!(delay.turn(), Turn::Speak);
        }

        #[test]
        fn nothing_that_came_is_lost(bytes: Vec<u8>, size in 1usize..9) {
            let mut delay = DelayTalking::new();
            said(&mut delay, "sleep");
            prop_assert_eq!(heard(&mut delay, &bytes, size), String::from_utf8_lossy(&bytes));
        }
    }
}

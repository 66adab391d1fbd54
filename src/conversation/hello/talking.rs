//! The talking side of `hello://`. The answer is whatever comes until the server closes.

use crate::conversation::talking::Heard;
use crate::conversation::{BrokenOff, Talking, Turn, Unsayable};

/// Says one text and hears one answer.
#[derive(Debug)]
pub struct HelloTalking {
    heard: Heard,
    /// Whether any of the answer has been handed out already.
    is_answered: bool,
    turn: Turn,
}

impl HelloTalking {
    /// At the start, where the client speaks first.
    #[must_use]
    pub fn new() -> Self {
        Self {
            heard: Heard::default(),
            is_answered: false,
            turn: Turn::Speak,
        }
    }
}

impl Default for HelloTalking {
    fn default() -> Self {
        Self::new()
    }
}

impl Talking for HelloTalking {
    fn say(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Unsayable> {
        if text.is_empty() {
            return Err(Unsayable::Empty);
        }
        out.extend_from_slice(text.as_bytes());
        self.turn = Turn::Listen;
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<String> {
        self.heard.hear(bytes);
        let long = self.heard.take_if_long();
        self.is_answered |= long.is_some();
        long
    }

    fn end(&mut self) -> Result<Option<String>, BrokenOff> {
        let rest = self.heard.finish();
        let was_owed = self.turn == Turn::Listen;
        self.turn = Turn::Over;
        if !was_owed || rest.is_empty() && !self.is_answered {
            return Err(BrokenOff { rest });
        }
        Ok((!rest.is_empty()).then_some(rest))
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
    fn one_text_one_answer_and_the_server_closes() {
        let mut hello = HelloTalking::new();
        assert_eq!(said(&mut hello, "Hello,I am client"), b"Hello,I am client");
        assert_eq!(hello.turn(), Turn::Listen);
        assert_eq!(hello.hear(b"Hello"), None);
        assert_eq!(hello.hear(b" World"), None);
        assert_eq!(hello.end(), Ok(Some("Hello World".to_owned())));
        assert_eq!(hello.turn(), Turn::Over);
    }

    #[test]
    fn nothing_cannot_be_said_and_no_answer_is_none() {
        let mut hello = HelloTalking::new();
        let mut out = Vec::new();
        assert_eq!(hello.say("", &mut out), Err(Unsayable::Empty));
        assert_eq!((out.len(), hello.turn()), (0, Turn::Speak));
        said(&mut hello, "x");
        let rest = String::new();
        assert_eq!(hello.end(), Err(BrokenOff { rest }));
    }

    proptest! {
        #[test]
        fn the_answer_is_all_that_came(bytes: Vec<u8>, size in 1usize..9) {
            let mut hello = HelloTalking::new();
            said(&mut hello, "x");
            prop_assert_eq!(heard(&mut hello, &bytes, size), String::from_utf8_lossy(&bytes));
        }
    }
}

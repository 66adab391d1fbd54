//! The talking side of `sink://`. Where one text ends and the next begins the stream doesn't tell.

use crate::conversation::talking::Heard;
use crate::conversation::{BrokenOff, Talking, Turn, Unsayable};

/// Says texts.
#[derive(Debug, Default)]
pub struct SinkTalking {
    heard: Heard,
    is_over: bool,
}

impl SinkTalking {
    /// At the start, where the client speaks first and alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Talking for SinkTalking {
    fn say(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Unsayable> {
        if text.is_empty() {
            return Err(Unsayable::Empty);
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
    fn texts_are_said_bare_and_nothing_is_owed() {
        let mut sink = SinkTalking::new();
        assert_eq!(said(&mut sink, "kinght love "), b"kinght love ");
        assert_eq!(said(&mut sink, "aym"), b"aym");
        assert_eq!(sink.turn(), Turn::Speak);
        assert_eq!(sink.say("", &mut Vec::new()), Err(Unsayable::Empty));
    }

    #[test]
    fn a_server_that_closes_first_breaks_off() {
        let mut sink = SinkTalking::new();
        let rest = String::new();
        assert_eq!(sink.end(), Err(BrokenOff { rest }));
        assert_eq!(sink.turn(), Turn::Over);
    }

    proptest! {
        #[test]
        fn nothing_that_came_is_lost(bytes: Vec<u8>, size in 1usize..9) {
            let all = heard(&mut SinkTalking::new(), &bytes, size);
            prop_assert_eq!(all, String::from_utf8_lossy(&bytes));
        }
    }
}

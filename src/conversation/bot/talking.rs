//! The talking side of `bot://`. Nothing in the stream tells where an answer ends: it is what was
//! there to read, up to a whole character, and what comes later is shown as well.

use super::GREETING;
use crate::conversation::talking::Heard;
use crate::conversation::{BrokenOff, Talking, Turn, Unsayable};

/// Hears the greeting, then says texts and hears an answer to each.
#[derive(Debug)]
pub struct BotTalking {
    heard: Heard,
    /// What would be only a part of what the server says next: the greeting, later nothing.
    expected: &'static str,
    turn: Turn,
}

impl BotTalking {
    /// At the start, where the server speaks first.
    #[must_use]
    pub fn new() -> Self {
        Self {
            heard: Heard::default(),
            expected: GREETING,
            turn: Turn::Listen,
        }
    }
}

impl Default for BotTalking {
    fn default() -> Self {
        Self::new()
    }
}

impl Talking for BotTalking {
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
        let text = self.heard.take(self.expected)?;
        self.expected = "";
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
    fn the_greeting_comes_first_and_whole() {
        assert_eq!(GREETING.len(), 13);
        let mut bot = BotTalking::new();
        assert_eq!(bot.turn(), Turn::Listen);
        assert_eq!(bot.hear(&GREETING.as_bytes()[..6]), None);
        assert_eq!(bot.turn(), Turn::Listen);
        assert_eq!(
            bot.hear(&GREETING.as_bytes()[6..]).as_deref(),
            Some(GREETING)
        );
        assert_eq!(bot.turn(), Turn::Speak);
    }

    #[test]
    fn each_text_has_an_answer() {
        let mut bot = BotTalking::new();
        assert_eq!(bot.hear("喂?".as_bytes()).as_deref(), Some("喂?"));
        for _ in 0..2 {
            assert_eq!(said(&mut bot, "马冬梅"), "马冬梅".as_bytes());
            assert_eq!(bot.turn(), Turn::Listen);
            let answer = "马什么梅".as_bytes();
            assert_eq!(bot.hear(&answer[..1]), None);
            assert_eq!(bot.turn(), Turn::Listen);
            assert_eq!(bot.hear(&answer[1..]).as_deref(), Some("马什么梅"));
            assert_eq!(bot.turn(), Turn::Speak);
        }
        let rest = String::new();
        assert_eq!(bot.end(), Err(BrokenOff { rest }));
        assert_eq!(bot.turn(), Turn::Over);
    }

    proptest! {
        #[test]
        fn nothing_that_came_is_lost(bytes: Vec<u8>, size in 1usize..9) {
            let all = heard(&mut BotTalking::new(), &bytes, size);
            prop_assert_eq!(all, String::from_utf8_lossy(&bytes));
        }
    }
}

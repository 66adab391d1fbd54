//! The serving side of `bot://`.

use super::GREETING;
use crate::conversation::texts::{TextStep, Texts};
use crate::conversation::{Serving, Step};
use crate::wire::{Answer, Header, Id, Refusal};

/// A conversation as the server sees it.
#[derive(Debug)]
pub struct BotServing {
    texts: Texts,
}

impl BotServing {
    /// A conversation at its start, with texts of at most `max_text` bytes.
    #[must_use]
    pub const fn new(max_text: usize) -> Self {
        Self {
            texts: Texts::new(max_text),
        }
    }
}

impl Serving for BotServing {
    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(GREETING.as_bytes());
    }

    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        Ok(match self.texts.next(input) {
            TextStep::More => Step::More,
            TextStep::Begin => Step::Begin(Header::new("bot").with_id(0)),
            TextStep::Piece(piece) => Step::Piece(piece.as_bytes()),
            TextStep::End => Step::End,
        })
    }

    fn pause(&mut self) -> bool {
        self.texts.pause()
    }

    fn end(&mut self) {
        self.texts.end();
    }

    fn may_rest(&self) -> bool {
        true
    }

    fn answer(&mut self, _: Option<&Id>, answer: &Answer, out: &mut Vec<u8>) {
        if let Ok(reply) = answer {
            out.extend_from_slice(reply.body.as_deref().unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::play::Host;
    use crate::wire::Reply;

    #[test]
    fn a_greeting_and_an_answer_to_what_was_there_to_read() {
        let mut bot = Host::new(BotServing::new(99));
        assert_eq!(bot.opening(), "你找谁呀!");
        bot.read("马冬梅马冬梅".as_bytes());
        bot.read(b"");
        bot.read(b" \n");
        assert_eq!(bot.seen, ["bot:马冬梅马冬梅", "end", "bot: \n", "end"]);
        let said = Ok(Reply::new().with_body("马什么梅"));
        assert_eq!(bot.answer(0, &said), "马什么梅");
        assert_eq!(bot.answer(1, &Err(Refusal::internal())), "");
    }
}

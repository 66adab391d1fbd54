//! The serving side of `sink://`.

use crate::conversation::texts::{TextStep, Texts};
use crate::conversation::{Serving, Step};
use crate::wire::{Answer, Header, Id, Refusal};

/// A conversation as the server sees it.
#[derive(Debug)]
pub struct SinkServing {
    texts: Texts,
}

impl SinkServing {
    /// A conversation at its start, with texts of at most `max_text` bytes.
    #[must_use]
    pub const fn new(max_text: usize) -> Self {
        Self {
            texts: Texts::new(max_text),
        }
    }
}

impl Serving for SinkServing {
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        Ok(match self.texts.next(input) {
            TextStep::More => Step::More,
            TextStep::Begin => Step::Begin(Header::new("msg")),
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

    fn answer(&mut self, _: Option<&Id>, _: &Answer, _: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::play::Host;
    use crate::wire::Reply;

    #[test]
    fn texts_are_taken_in_silence() {
        let mut sink = Host::new(SinkServing::new(99));
        assert_eq!(sink.opening(), "");
        sink.feed(b"kinght love ");
        sink.feed(b"aym");
        sink.end();
        assert_eq!(sink.seen, ["msg:kinght love aym", "end"]);
        assert_eq!(sink.ids, [None]);
        assert_eq!(sink.answer(0, &Ok(Reply::new())), "");
    }
}

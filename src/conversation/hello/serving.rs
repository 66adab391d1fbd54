//! The serving side of `hello://`: the first text is answered, and that is all the server says.

use crate::conversation::texts::{TextStep, Texts};
use crate::conversation::{Serving, Step};
use crate::wire::{Answer, Header, Id, Refusal};

/// A conversation as the server sees it.
#[derive(Debug)]
pub struct HelloServing {
    texts: Texts,
    reply: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before or in the first text.
    First,
    /// Behind it.
    Answering,
    /// The host knows that only the one answer is said. TCP may have split what the client meant
    /// as one text, so what still comes is taken as well.
    Listening,
}

impl HelloServing {
    /// A conversation at its start, with texts of at most `max_text` bytes, in which `reply` is
    /// the answer.
    #[must_use]
    pub const fn new(max_text: usize, reply: String) -> Self {
        Self {
            texts: Texts::new(max_text),
            reply,
            state: State::First,
        }
    }
}

impl Serving for HelloServing {
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        if self.state == State::Answering {
            self.state = State::Listening;
            return Ok(Step::LastWords);
        }
        Ok(match self.texts.next(input) {
            TextStep::More => Step::More,
            TextStep::Begin if self.state == State::First => {
                Step::Begin(Header::new("msg").with_id(0))
            }
            TextStep::Begin => Step::Begin(Header::new("msg")),
            TextStep::Piece(piece) => Step::Piece(piece.as_bytes()),
            TextStep::End => {
                if self.state == State::First {
                    self.state = State::Answering;
                }
                Step::End
            }
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

    fn answer(&mut self, id: Option<&Id>, answer: &Answer, out: &mut Vec<u8>) {
        if id.is_some() && answer.is_ok() {
            out.extend_from_slice(self.reply.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::REPLY;
    use super::*;
    use crate::conversation::play::Host;
    use crate::wire::Reply;

    fn hello() -> Host<HelloServing> {
        Host::new(HelloServing::new(99, REPLY.to_owned()))
    }

    #[test]
    fn the_first_text_is_answered_and_what_follows_is_heard() {
        let mut hello = hello();
        assert_eq!(hello.opening(), "");
        hello.read(b"Hello,");
        hello.read(b"I am client");
        assert_eq!(
            hello.seen,
            ["msg:Hello,", "end", "last words", "msg:I am client", "end"]
        );
        assert_eq!(hello.answer(0, &Ok(Reply::new())), "Hello World");
        assert_eq!(hello.answer(1, &Ok(Reply::new())), "");
    }

    #[test]
    fn nothing_is_not_answered_and_what_is_not_stored_is_not_either() {
        let mut hello = hello();
        hello.read(b"");
        hello.read(b"\xe4");
        assert!(hello.seen.is_empty() && hello.serving.may_rest());
        hello.end();
        assert_eq!(hello.seen, ["msg:\u{fffd}", "end", "last words"]);
        assert_eq!(hello.answer(0, &Err(Refusal::internal())), "");
        assert!(!hello.serving.tells_refusals());
    }
}

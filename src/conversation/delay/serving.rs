//! The serving side of `delay://`. An answer repeats its text, so texts are kept until they are
//! answered; how many that can be is bounded here, how long they can be by a bound of its own.

use super::{AT_ONCE, DELAYED, SLEEP};
use crate::conversation::texts::{TextStep, Texts};
use crate::conversation::{Serving, Step};
use crate::wire::{Answer, Header, Id, Refusal};
use std::collections::VecDeque;
use std::time::Duration;

/// How long the answer to [`SLEEP`] is held back: 5 s.
pub const PAUSE: Duration = Duration::from_secs(5);

/// Texts that may wait for their answers at once.
const WINDOW: usize = 64;

/// The longest text, in bytes; a longer one goes on as the next.
const LONGEST: usize = 64 << 10;

/// A conversation as the server sees it.
#[derive(Debug)]
pub struct DelayServing {
    texts: Texts,
    /// The number of the next text.
    next: u64,
    /// The text that is arriving.
    text: String,
    /// Texts without an answer, by their numbers.
    owed: VecDeque<(u64, String)>,
    kept: usize,
}

impl DelayServing {
    /// A conversation at its start, with texts of at most `max_text` bytes.
    #[must_use]
    pub const fn new(max_text: usize) -> Self {
        Self {
            texts: Texts::new(if max_text < LONGEST {
                max_text
            } else {
                LONGEST
            }),
            next: 0,
            text: String::new(),
            owed: VecDeque::new(),
            kept: 0,
        }
    }

    fn place(&self, id: Option<&Id>) -> Option<usize> {
        self.owed
            .iter()
            .position(|(n, _)| id == Some(&Id::from(*n)))
    }
}

impl Serving for DelayServing {
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        Ok(match self.texts.next(input) {
            TextStep::More => Step::More,
            TextStep::Begin => Step::Begin(Header::new("msg").with_id(self.next)),
            TextStep::Piece(piece) => {
                self.text.push_str(piece);
                self.kept += piece.len();
                Step::Piece(piece.as_bytes())
            }
            TextStep::End => {
                let text = std::mem::take(&mut self.text);
                self.owed.push_back((self.next, text));
                self.next += 1;
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

    fn window(&self) -> usize {
        WINDOW
    }

    fn has_delays(&self) -> bool {
        true
    }

    fn delay(&self, id: Option<&Id>) -> Duration {
        let sleeps = self.place(id).is_some_and(|at| self.owed[at].1 == SLEEP);
        if sleeps { PAUSE } else { Duration::ZERO }
    }

    fn kept(&self) -> usize {
        self.kept
    }

    fn answer(&mut self, id: Option<&Id>, answer: &Answer, out: &mut Vec<u8>) {
        let Some((_, text)) = self.place(id).and_then(|at| self.owed.remove(at)) else {
            return;
        };
        self.kept -= text.len();
        if answer.is_ok() {
            let words = if text == SLEEP { DELAYED } else { AT_ONCE };
            out.extend_from_slice(words.as_bytes());
            out.extend_from_slice(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::play::Host;
    use crate::wire::Reply;

    #[test]
    fn each_text_comes_back_and_sleep_late() {
        let mut delay = Host::new(DelayServing::new(1 << 20));
        for text in ["first", "sleep", "second"] {
            delay.read(text.as_bytes());
        }
        let delays: Vec<_> = delay
            .ids
            .iter()
            .map(|id| delay.serving.delay(id.as_ref()))
            .collect();
        assert_eq!(delays, [Duration::ZERO, PAUSE, Duration::ZERO]);
        assert_eq!(delay.serving.kept(), 16);
        let stored = Ok(Reply::new());
        assert_eq!(delay.answer(2, &stored), "已收到普通信息:second");
        assert_eq!(delay.answer(0, &stored), "已收到普通信息:first");
        assert_eq!(delay.answer(1, &stored), "已收到延时反馈信息:sleep");
        assert_eq!(delay.answer(1, &stored), "");
        assert_eq!(delay.serving.kept(), 0);
    }

    #[test]
    fn what_is_not_stored_is_not_answered_and_not_kept() {
        let mut delay = Host::new(DelayServing::new(99));
        delay.read(b"x");
        assert_eq!(delay.answer(0, &Err(Refusal::internal())), "");
        assert_eq!(delay.serving.kept(), 0);
    }

    #[test]
    fn only_the_very_word_sleeps() {
        let mut delay = Host::new(DelayServing::new(99));
        for text in ["sleep\n", "Sleep", "sleepsleep"] {
            delay.read(text.as_bytes());
        }
        for id in delay.ids {
            assert_eq!(delay.serving.delay(id.as_ref()), Duration::ZERO);
        }
    }
}

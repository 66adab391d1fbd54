//! Which requests wait for an answer, which answers were found, and what else the server said.

use super::pushes::{Push, Pushes};
use super::{Answer, Error, Refused, Reply};
use crate::conversation::framed::Event;
use crate::wire::{Code, Fields, Id, Incoming};
use std::collections::VecDeque;

/// The longest body of a reply or a message that is held in memory, in bytes: 16 MiB.
const MAX_BODY: u64 = 16 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The ids of the requests that are not answered yet, in order.
    asked: VecDeque<u64>,
    /// Answers that were found and not taken yet, in order.
    answers: VecDeque<Answer>,
    /// What is coming in: a header whose body is not whole.
    open: Option<(Incoming, Vec<u8>)>,
    pushes: Pushes,
    /// The request whose answer's body is taken in pieces, however long it is.
    streamed: Option<Id>,
    last_word: Option<Refused>,
    going_away: bool,
}

impl Ledger {
    /// Remembers that request `id` will be answered.
    pub(super) fn expect(&mut self, id: u64) {
        self.asked.push_back(id);
    }

    /// Lets the body of the answer to `id`, the newest request, be of any length: whoever asks takes
    /// it out piece by piece.
    pub(super) fn stream(&mut self, id: u64) {
        self.streamed = Some(Id::from(id));
    }

    /// Whether `header` opens the streamed answer.
    fn is_streamed(&self, header: &Incoming) -> bool {
        matches!(header, Incoming::Reply { id, .. } if Some(id) == self.streamed.as_ref())
    }

    /// The streamed answer that is coming in: its fields, the length of its body in bytes, and
    /// what of it has come and was not taken out yet.
    pub(super) fn coming(&mut self) -> Option<(&Fields, u64, &mut Vec<u8>)> {
        match &mut self.open {
            Some((Incoming::Reply { id, fields, body }, piece))
                if Some(&*id) == self.streamed.as_ref() =>
            {
                Some((fields, *body, piece))
            }
            _ => None,
        }
    }

    /// How many requests wait for their answers.
    pub(super) fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// Whether request `id` has its answer.
    pub(super) fn is_answered(&self, id: u64) -> bool {
        self.asked.front().is_none_or(|oldest| id < *oldest)
    }

    /// The answer found first and not taken yet.
    pub(super) fn take_first(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }

    /// The answer found last and not taken yet.
    pub(super) fn take_last(&mut self) -> Option<Answer> {
        self.answers.pop_back()
    }

    /// Whether an answer waits to be taken.
    pub(super) fn has_answer(&self) -> bool {
        !self.answers.is_empty()
    }

    /// The push that came first and was not taken yet.
    pub(super) fn take_push(&mut self) -> Option<Push> {
        self.pushes.take()
    }

    /// Whether a push waits to be taken.
    pub(super) fn has_push(&self) -> bool {
        !self.pushes.is_empty()
    }

    /// What the server said before it closed, if it said something.
    pub(super) fn last_word(&self) -> Option<&Refused> {
        self.last_word.as_ref()
    }

    /// Whether the server has said that it is going away.
    pub(super) fn is_going_away(&self) -> bool {
        self.going_away
    }

    /// Enters what the conversation found.
    ///
    /// # Errors
    ///
    /// [`Error::Nonsense`] for an answer that nobody asked for, out of order, or with a body that
    /// is too long to be held, and for a push that cannot be read.
    pub(super) fn enter(&mut self, event: Event<'_>) -> Result<(), Error> {
        match event {
            Event::Header(header) => {
                if let Some(body) = kept_body(&header)
                    && body > MAX_BODY
                    && !self.is_streamed(&header)
                {
                    return Err(Error::Nonsense(format!("a body of {body} bytes")));
                }
                self.open = Some((header, Vec::new()));
                Ok(())
            }
            Event::Body(piece) => {
                // What this client doesn't know is not even kept.
                if let Some((header, body)) = &mut self.open
                    && kept_body(header).is_some()
                {
                    body.extend_from_slice(piece);
                }
                Ok(())
            }
            Event::End => match self.open.take() {
                Some((header, body)) => self.end(header, body),
                None => Ok(()),
            },
        }
    }

    fn end(&mut self, header: Incoming, body: Vec<u8>) -> Result<(), Error> {
        match header {
            Incoming::Reply { id, fields, .. } => self.settle(&id, Ok(Reply { fields, body })),
            Incoming::Refused {
                id,
                code,
                error,
                fields,
            } => {
                let refused = Refused {
                    code,
                    error,
                    fields,
                };
                self.settle(&id, Err(refused))
            }
            Incoming::Push {
                msg_type, fields, ..
            } => self.hear(msg_type, fields, body),
        }
    }

    fn settle(&mut self, id: &Id, outcome: Result<Reply, Refused>) -> Result<(), Error> {
        let next = self.asked.front().copied();
        let Some(asked) = next.filter(|asked| Id::from(*asked) == *id) else {
            let nonsense = format!("an answer to request {id:?}, where {next:?} was next");
            return Err(Error::Nonsense(nonsense));
        };
        self.asked.pop_front();
        self.answers.push_back(Answer { id: asked, outcome });
        Ok(())
    }

    fn hear(&mut self, msg_type: String, fields: Fields, body: Vec<u8>) -> Result<(), Error> {
        if msg_type == "error" {
            let text = |name| fields.text(name).ok().flatten().unwrap_or_default();
            let (code, error) = (Code::parse(text("code")), text("error").to_owned());
            self.last_word = Some(Refused {
                code,
                error,
                fields,
            });
            return Ok(());
        }
        let push = Push::read(msg_type, fields, body)?;
        self.going_away |= matches!(push, Push::GoingAway { .. });
        self.pushes.enter(push);
        Ok(())
    }
}

/// How long the body behind `header` is, if it is one that is kept.
fn kept_body(header: &Incoming) -> Option<u64> {
    match header {
        Incoming::Reply { body, .. } => Some(*body),
        Incoming::Push { msg_type, body, .. } if Push::has_text(msg_type) => Some(*body),
        Incoming::Push { .. } | Incoming::Refused { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(id: u64, body: u64) -> Event<'static> {
        Event::Header(Incoming::Reply {
            id: Id::from(id),
            fields: Fields::new(),
            body,
        })
    }

    #[test]
    fn answers_come_in_the_order_of_their_requests() {
        let mut ledger = Ledger::default();
        ledger.expect(1);
        ledger.expect(2);
        ledger.enter(reply(1, 2)).unwrap();
        ledger.enter(Event::Body(b"h")).unwrap();
        assert!(!ledger.is_answered(1), "its body is not whole");
        ledger.enter(Event::Body(b"i")).unwrap();
        ledger.enter(Event::End).unwrap();
        assert!(ledger.is_answered(1) && !ledger.is_answered(2));
        assert_eq!(ledger.unanswered(), 1);
        let answer = ledger.take_first().unwrap();
        assert_eq!(
            (answer.id, answer.outcome.unwrap().body),
            (1, b"hi".to_vec())
        );
        assert!(!ledger.has_answer());
    }

    #[test]
    fn an_answer_that_nobody_waits_for_is_nonsense() {
        for wrong in [2, 3] {
            let mut ledger = Ledger::default();
            ledger.expect(1);
            ledger.expect(2);
            ledger.enter(reply(wrong, 0)).unwrap();
            assert!(matches!(ledger.enter(Event::End), Err(Error::Nonsense(_))));
        }
    }

    #[test]
    fn a_body_too_long_to_hold_is_nonsense() {
        let mut ledger = Ledger::default();
        ledger.expect(1);
        assert!(ledger.enter(reply(1, MAX_BODY)).is_ok());
        assert!(ledger.enter(reply(1, MAX_BODY + 1)).is_err());
    }
}

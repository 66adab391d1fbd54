//! The answers that one connection is owed, in the order of its requests.

use crate::wire::{Answer, Id};
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct Replies {
    /// The slot of the first request in `owed`.
    first: u64,
    owed: VecDeque<Owed>,
}

struct Owed {
    id: Option<Id>,
    answer: Option<Answer>,
}

impl Replies {
    /// The slot of the next request.
    pub(super) fn next_slot(&self) -> u64 {
        self.first + self.owed.len() as u64
    }

    /// Whether nothing is owed.
    pub(super) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// Whether nothing that is owed will ever be said, for want of an id.
    pub(super) fn is_silent(&self) -> bool {
        self.owed.iter().all(|owed| owed.id.is_none())
    }

    /// How many requests wait for their answers.
    pub(super) fn len(&self) -> usize {
        self.owed.len()
    }

    /// Notes a request; its slot is what [`next_slot`](Self::next_slot) said before.
    pub(super) fn owe(&mut self, id: Option<Id>, answer: Option<Answer>) {
        self.owed.push_back(Owed { id, answer });
    }

    /// Fills a slot in. A slot that is answered already keeps its first answer.
    pub(super) fn fill(&mut self, slot: u64, answer: Answer) {
        if let Some(owed) = self.at(slot).and_then(|at| self.owed.get_mut(at)) {
            owed.answer.get_or_insert(answer);
        }
    }

    /// Forgets all that is owed; answers that come for it find no slot.
    pub(super) fn clear(&mut self) {
        self.first += self.owed.len() as u64;
        self.owed.clear();
    }

    /// Whether the answer to the request of this slot will be said: it has an id.
    pub(super) fn is_heard(&self, slot: u64) -> bool {
        self.at(slot)
            .and_then(|at| self.owed.get(at))
            .is_some_and(|owed| owed.id.is_some())
    }

    fn at(&self, slot: u64) -> Option<usize> {
        usize::try_from(slot.checked_sub(self.first)?).ok()
    }

    /// The next answer that may leave.
    pub(super) fn pop(&mut self) -> Option<(Option<Id>, Answer)> {
        self.owed.front()?.answer.as_ref()?;
        let Owed { id, answer } = self.owed.pop_front()?;
        self.first += 1;
        Some((id, answer?))
    }

    /// Notes and pops a request that is answered at once with nothing owed before it.
    pub(super) fn skip(&mut self) {
        debug_assert!(self.owed.is_empty());
        self.first += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Refusal, Reply};

    #[test]
    fn answers_leave_in_the_order_of_their_requests() {
        let mut replies = Replies::default();
        replies.skip();
        assert_eq!(replies.next_slot(), 1);
        replies.owe(Some(Id::from(1)), None);
        replies.owe(None, Some(Ok(Reply::new())));
        replies.owe(Some(Id::from(3)), None);
        assert!(replies.pop().is_none());
        let heard: Vec<_> = (0..5).filter(|slot| replies.is_heard(*slot)).collect();
        assert_eq!(heard, [1, 3]);
        replies.fill(3, Err(Refusal::internal()));
        replies.fill(1, Ok(Reply::new()));
        replies.fill(1, Err(Refusal::internal()));
        replies.fill(0, Ok(Reply::new()));
        replies.fill(9, Ok(Reply::new()));
        assert!(matches!(replies.pop(), Some((Some(Id::Signed(1)), Ok(_)))));
        assert!(matches!(replies.pop(), Some((None, Ok(_)))));
        assert!(matches!(replies.pop(), Some((Some(Id::Signed(3)), Err(_)))));
        assert!(replies.pop().is_none() && replies.is_empty());
    }
}

//! Answers that are ready and held back for a while, apart from the others so that those overtake
//! them. They hold no thread: the connection's deadline is that of the first.

use crate::wire::{Answer, Id};
use std::collections::VecDeque;
use std::time::Instant;

#[derive(Default)]
pub(super) struct Asleep(VecDeque<Sleeper>);

struct Sleeper {
    until: Instant,
    id: Option<Id>,
    answer: Answer,
}

impl Asleep {
    /// Holds the answer to the request `id` back until then.
    pub(super) fn add(&mut self, until: Instant, id: Option<Id>, answer: Answer) {
        let place = self.0.partition_point(|sleeper| sleeper.until <= until);
        self.0.insert(place, Sleeper { until, id, answer });
    }

    /// How many are held back.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the first may leave.
    pub(super) fn first(&self) -> Option<Instant> {
        self.0.front().map(|sleeper| sleeper.until)
    }

    /// The next that may leave by `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Option<Id>, Answer)> {
        if self.first()? > now {
            return None;
        }
        self.0
            .pop_front()
            .map(|sleeper| (sleeper.id, sleeper.answer))
    }

    /// Forgets all of them; how many there were.
    pub(super) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.0).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Reply;
    use std::time::Duration;

    #[test]
    fn who_wakes_first_leaves_first() {
        let (mut asleep, now) = (Asleep::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        for (id, seconds) in [(1u64, 5), (2, 9), (3, 5), (4, 1)] {
            asleep.add(at(seconds), Some(Id::from(id)), Ok(Reply::new()));
        }
        assert_eq!((asleep.first(), asleep.len()), (Some(at(1)), 4));
        let mut awake = Vec::new();
        while let Some((Some(Id::Signed(id)), _)) = asleep.pop(at(5)) {
            awake.push(id);
        }
        assert_eq!(awake, [4, 1, 3]);
        assert_eq!(asleep.first(), Some(at(9)));
        assert_eq!((asleep.clear(), asleep.is_empty()), (1, true));
    }
}

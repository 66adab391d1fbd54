//! How long to wait before each new try at a server that is away: longer each time, and by chance,
//! so that a thousand clients don't come back at the same moment. Waiting itself is left to others.

use crate::time::Random;
use std::time::Duration;

/// The shortest wait.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait that grew by itself. A server may ask for more, up to [`MOST_ASKED`].
const LONGEST: Duration = Duration::from_secs(10);

/// The longest wait that a server may ask for.
const MOST_ASKED: Duration = Duration::from_secs(300);

/// The waits of one client.
#[derive(Debug)]
pub(super) struct Waits {
    next: Duration,
    asked: Option<Duration>,
    random: Random,
}

impl Waits {
    pub(super) fn new(random: Random) -> Self {
        Self {
            next: FIRST,
            asked: None,
            random,
        }
    }

    /// What to wait before the next try: half to all of 0.1 s, 0.2 s and so on up to 10 s; or what
    /// the server asked for and up to a quarter more.
    pub(super) fn next(&mut self) -> Duration {
        if let Some(asked) = self.asked.take() {
            return asked + self.by_chance(asked / 4);
        }
        let half = self.next / 2;
        self.next = (self.next * 2).min(LONGEST);
        half + self.by_chance(half)
    }

    /// The server asked not to be tried earlier.
    pub(super) fn ask(&mut self, wait: Duration) {
        self.asked = Some(wait.min(MOST_ASKED));
    }

    /// The server is well: the next wait is a short one, unless it asked for a longer one.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    fn by_chance(&self, most: Duration) -> Duration {
        let most = usize::try_from(most.as_micros()).unwrap_or(usize::MAX);
        Duration::from_micros(self.random.below(most.saturating_add(1)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_begin_anew() {
        let mut waits = Waits::new(Random::seeded(1));
        let mut full = FIRST;
        for _ in 0..12 {
            let wait = waits.next();
            assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
            full = (full * 2).min(LONGEST);
        }
        assert_eq!(full, LONGEST);
        waits.reset();
        assert!(waits.next() <= FIRST);
    }

    #[test]
    fn a_server_is_not_tried_before_it_asked_to_be() {
        for seed in 0..50 {
            let mut waits = Waits::new(Random::seeded(seed));
            waits.ask(Duration::from_secs(2));
            waits.reset();
            let wait = waits.next();
            assert!(wait >= Duration::from_secs(2) && wait <= Duration::from_millis(2500));
            assert!(waits.next() <= FIRST, "it asked once");
            waits.ask(Duration::MAX);
            assert!(waits.next() <= MOST_ASKED * 5 / 4);
        }
    }
}

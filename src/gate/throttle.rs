//! Slows down guessing. Only failures count: 5 a minute for one address and user, 20 for one
//! address in all; after that waits that grow with each further failure. In memory, bounded.
//!
//! Checks and counts; hashing and answering are left to [`super`]. Between a check and its failure
//! others may be checked, so as many tries as hashes run at once can slip past a limit.

use parking_lot::Mutex;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// Failures within [`WINDOW`] that begin a wait: for one address and user, and for one address.
const PAIR_LIMIT: usize = 5;
const ADDRESS_LIMIT: usize = 20;
const WINDOW: Duration = Duration::from_secs(60);

/// The first wait; each failure after a wait doubles it, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// How long after the end of a wait it is forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_secs(3_600);

/// How long a pair that logged in is exempt from the address's count.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Keys that are tracked at once, of failures and of known pairs each; a few MiB at most.
const MOST_KEYS: usize = 16_384;

/// Counts failed logins.
pub(super) struct Throttle {
    /// Makes keys of a fixed size from names of any size, not to be guessed from outside.
    hasher: RandomState,
    most_keys: usize,
    state: Mutex<State>,
}

/// One try that was let through: told how it ended, or dropped without a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Try {
    pair: u64,
    address: u64,
}

#[derive(Default)]
struct State {
    failures: HashMap<u64, Failures>,
    known: HashMap<u64, SystemTime>,
}

/// The failures of one key.
#[derive(Default)]
struct Failures {
    /// Those within the window, while no wait was ever begun.
    recent: VecDeque<SystemTime>,
    /// The wait in force, and since when; zero while none was begun.
    wait: Duration,
    last: Option<SystemTime>,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self::with_most_keys(MOST_KEYS)
    }

    fn with_most_keys(most_keys: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            most_keys,
            state: Mutex::default(),
        }
    }

    /// Lets a try of `user` from `peer` through.
    ///
    /// # Errors
    ///
    /// How long to wait first.
    pub(super) fn check(&self, peer: IpAddr, user: &str, now: SystemTime) -> Result<Try, Duration> {
        let address = network(peer);
        let attempt = Try {
            pair: self.hasher.hash_one((address, user)),
            address: self.hasher.hash_one(address),
        };
        let mut state = self.state.lock();
        let mut wait = state.wait(attempt.pair, now);
        if !state.is_known(attempt, now) {
            wait = wait.max(state.wait(attempt.address, now));
        }
        if wait.is_zero() {
            Ok(attempt)
        } else {
            Err(wait)
        }
    }

    /// The try had the wrong password, or there is no such user.
    pub(super) fn failed(&self, attempt: Try, now: SystemTime) {
        let mut state = self.state.lock();
        state.fail(attempt.pair, PAIR_LIMIT, self.most_keys, now);
        if !state.is_known(attempt, now) {
            state.fail(attempt.address, ADDRESS_LIMIT, self.most_keys, now);
        }
    }

    /// The try was a login. The pair's failures are forgotten and it is known from now on; the
    /// address's stay, or an account of one's own would buy any number of guesses.
    pub(super) fn succeeded(&self, attempt: Try, now: SystemTime) {
        let mut state = self.state.lock();
        state.failures.remove(&attempt.pair);
        if state.known.len() >= self.most_keys && !state.known.contains_key(&attempt.pair) {
            forget_oldest(&mut state.known, |last| *last);
        }
        state.known.insert(attempt.pair, now);
    }
}

impl State {
    fn wait(&mut self, key: u64, now: SystemTime) -> Duration {
        self.failures
            .get_mut(&key)
            .map_or(Duration::ZERO, |failures| failures.remaining(now))
    }

    fn is_known(&self, attempt: Try, now: SystemTime) -> bool {
        let since = self.known.get(&attempt.pair);
        since.is_some_and(|since| age(*since, now) < KNOWN_FOR)
    }

    fn fail(&mut self, key: u64, limit: usize, most_keys: usize, now: SystemTime) {
        if self.failures.len() >= most_keys && !self.failures.contains_key(&key) {
            self.failures.retain(|_, failures| !failures.is_over(now));
            if self.failures.len() >= most_keys {
                // Those who wait go last: to be forgotten is what a guesser would want.
                forget_oldest(&mut self.failures, |failures| {
                    (!failures.wait.is_zero(), failures.last)
                });
            }
        }
        self.failures.entry(key).or_default().add(limit, now);
    }
}

impl Failures {
    /// How much of the wait is left.
    fn remaining(&mut self, now: SystemTime) -> Duration {
        // If the clock was set back the wait begins anew instead of lasting until it catches up.
        self.last = self.last.min(Some(now));
        let waited = self.last.map_or(Duration::MAX, |last| age(last, now));
        self.wait.saturating_sub(waited)
    }

    /// Whether nothing of it matters any more.
    fn is_over(&self, now: SystemTime) -> bool {
        let quiet = if self.wait.is_zero() {
            WINDOW
        } else {
            self.wait + FORGIVEN_AFTER
        };
        self.last.is_none_or(|last| age(last, now) >= quiet)
    }

    fn add(&mut self, limit: usize, now: SystemTime) {
        if self.is_over(now) {
            *self = Self::default();
        }
        if !self.remaining(now).is_zero() {
            // It was under way when the wait began.
            return;
        }
        self.last = Some(now);
        if !self.wait.is_zero() {
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
            return;
        }
        self.recent.retain(|failure| age(*failure, now) < WINDOW);
        self.recent.push_back(now);
        if self.recent.len() >= limit {
            self.recent = VecDeque::new();
            self.wait = FIRST_WAIT;
        }
    }
}

/// How long ago `then` was; zero if the clock was set back since.
fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

/// What counts as one address: all of an IPv6 /64 belongs to one host or household.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !u128::from(u64::MAX)).into()),
        ip @ IpAddr::V4(_) => ip,
    }
}

fn forget_oldest<V, K: Ord>(map: &mut HashMap<u64, V>, order: impl Fn(&V) -> K) {
    let oldest = map.iter().min_by_key(|(_, value)| order(value));
    if let Some(key) = oldest.map(|(key, _)| *key) {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests;

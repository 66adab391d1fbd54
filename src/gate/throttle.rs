//! Slows down guessing. Only failures count: some a minute for one address and user, more for one
//! address in all; after that waits that grow with each further failure. In memory, bounded.
//!
//! Checks and counts, and says what is to be remembered beyond a restart; hashing, answering and
//! remembering are left to [`super`]. Between a check and its failure others may be checked, so as
//! many tries as hashes run at once can slip past a limit.

use crate::config::Limits;
use crate::store::{Ban, Remembered, Source};
use crate::wire::UserName;
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// Failures within this time count together.
const WINDOW: Duration = Duration::from_secs(60);

/// The first wait; each failure after a wait doubles it, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// How long after the end of a wait it is forgotten.
pub(super) const FORGIVEN_AFTER: Duration = Duration::from_secs(3_600);

/// How long a pair that logged in is exempt from the address's count.
pub(super) const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);

/// That a pair logged in is remembered anew after so long.
const NOTED_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// Keys that are tracked at once, of failures and of known pairs each; a few MiB at most.
const MOST_KEYS: usize = 16_384;

/// Counts failed logins.
pub(super) struct Throttle {
    bounds: Bounds,
    most_keys: usize,
    state: Mutex<State>,
}

/// Failures within [`WINDOW`] that begin a wait, and the longest one.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    pair: usize,
    address: usize,
    longest_wait: Duration,
}

/// One try that was let through: told how it ended, or dropped without a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Try {
    /// `None` for what can't be a user's name: that counts for the address alone.
    pair: Option<Source>,
    address: Source,
}

#[derive(Default)]
struct State {
    failures: HashMap<Source, Failures>,
    known: HashMap<Source, Known>,
}

/// A pair that logged in.
#[derive(Debug, Clone, Copy)]
struct Known {
    since: SystemTime,
    /// The time that is remembered beyond a restart.
    noted: SystemTime,
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
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            bounds: Bounds {
                pair: limits.max_failed_logins,
                address: limits.max_failed_logins_per_address,
                longest_wait: limits.longest_login_wait,
            },
            most_keys: MOST_KEYS,
            state: Mutex::default(),
        }
    }

    /// The longest wait there can be.
    pub(super) const fn longest_wait(&self) -> Duration {
        self.bounds.longest_wait
    }

    /// Takes over what was remembered of a time before and still matters at `now`; where that is
    /// more than is tracked, the newest.
    pub(super) fn remember(&self, remembered: Remembered, now: SystemTime) {
        let Remembered {
            mut bans,
            mut known,
            lifted: _,
        } = remembered;
        let failures = |ban: &Ban| Failures {
            recent: VecDeque::new(),
            wait: ban.wait.min(self.bounds.longest_wait),
            last: Some(ban.since),
        };
        // In the order that they come in, by source, the highest addresses would be let off.
        bans.retain(|ban| !failures(ban).is_over(now));
        bans.sort_by_key(|ban| Reverse(ban.since));
        bans.truncate(self.most_keys);
        known.retain(|(_, since)| age(*since, now) < KNOWN_FOR);
        known.sort_by_key(|(_, since)| Reverse(*since));
        known.truncate(self.most_keys);
        let mut state = self.state.lock();
        for ban in bans {
            let failures = failures(&ban);
            state.failures.insert(ban.source, failures);
        }
        for (source, since) in known {
            let noted = since;
            state.known.insert(source, Known { since, noted });
        }
    }

    /// Whether anybody has a wait that still matters at `now`. Forgets all others.
    pub(super) fn is_in_force(&self, now: SystemTime) -> bool {
        let mut state = self.state.lock();
        state.failures.retain(|_, failures| !failures.is_over(now));
        state.failures.values().any(|it| !it.wait.is_zero())
    }

    /// Forgets the failures of `sources`.
    pub(super) fn lift(&self, sources: &[Source]) {
        let mut state = self.state.lock();
        for source in sources {
            state.failures.remove(source);
        }
    }

    /// Lets a try of `user` from `peer` through.
    ///
    /// # Errors
    ///
    /// How long to wait first.
    pub(super) fn check(&self, peer: IpAddr, user: &str, now: SystemTime) -> Result<Try, Duration> {
        let pair = UserName::new(user).ok();
        let attempt = Try {
            pair: pair.map(|user| Source::pair(peer, user)),
            address: Source::address(peer),
        };
        let mut state = self.state.lock();
        let mut wait = Duration::ZERO;
        if let Some(pair) = &attempt.pair {
            wait = state.wait(pair, now);
        }
        if !state.is_known(&attempt, now) {
            wait = wait.max(state.wait(&attempt.address, now));
        }
        if wait.is_zero() {
            Ok(attempt)
        } else {
            Err(wait)
        }
    }

    /// The try had the wrong password, or there is no such user. Returns the waits that it began.
    pub(super) fn failed(&self, attempt: Try, now: SystemTime) -> Vec<Ban> {
        let mut state = self.state.lock();
        let is_known = state.is_known(&attempt, now);
        let Bounds {
            pair,
            address,
            longest_wait,
        } = self.bounds;
        let pair = attempt.pair.map(|source| (source, pair));
        let address = (!is_known).then_some((attempt.address, address));
        let keys = pair.into_iter().chain(address);
        keys.filter_map(|(source, limit)| {
            let bound = (limit, longest_wait);
            let wait = state.fail(&source, bound, self.most_keys, now)?;
            Some(Ban {
                source,
                wait,
                since: now,
            })
        })
        .collect()
    }

    /// The try was a login. The pair's failures are forgotten and it is known from now on; the
    /// address's stay, or an account of one's own would buy any number of guesses. Returns what is
    /// to be remembered of it, if it is not already.
    pub(super) fn succeeded(&self, attempt: Try, now: SystemTime) -> Option<(Source, SystemTime)> {
        let pair = attempt.pair?;
        let mut state = self.state.lock();
        let had_wait = state
            .failures
            .remove(&pair)
            .is_some_and(|it| !it.wait.is_zero());
        let before = state.known.get(&pair).copied();
        if state.known.len() >= self.most_keys && before.is_none() {
            forget_oldest(&mut state.known, |known| known.since);
        }
        let is_noted = before.is_some_and(|it| age(it.noted, now) < NOTED_EVERY && it.noted <= now);
        let noted = match before {
            Some(before) if is_noted => before.noted,
            _ => now,
        };
        let known = Known { since: now, noted };
        state.known.insert(pair.clone(), known);
        (!is_noted || had_wait).then_some((pair, now))
    }
}

impl State {
    fn wait(&mut self, source: &Source, now: SystemTime) -> Duration {
        self.failures
            .get_mut(source)
            .map_or(Duration::ZERO, |failures| failures.remaining(now))
    }

    fn is_known(&self, attempt: &Try, now: SystemTime) -> bool {
        let known = attempt.pair.as_ref().and_then(|pair| self.known.get(pair));
        known.is_some_and(|known| age(known.since, now) < KNOWN_FOR)
    }

    /// Counts one failure. The wait that it began, if so.
    fn fail(
        &mut self,
        source: &Source,
        (limit, longest_wait): (usize, Duration),
        most_keys: usize,
        now: SystemTime,
    ) -> Option<Duration> {
        if self.failures.len() >= most_keys && !self.failures.contains_key(source) {
            self.failures.retain(|_, failures| !failures.is_over(now));
            if self.failures.len() >= most_keys {
                // Those who wait go last: to be forgotten is what a guesser would want.
                forget_oldest(&mut self.failures, |failures| {
                    (!failures.wait.is_zero(), failures.last)
                });
            }
        }
        let failures = self.failures.entry(source.clone()).or_default();
        failures.add(limit, longest_wait, now)
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

    /// Counts one. The wait that it began, if so.
    fn add(&mut self, limit: usize, longest_wait: Duration, now: SystemTime) -> Option<Duration> {
        if self.is_over(now) {
            *self = Self::default();
        }
        if !self.remaining(now).is_zero() {
            // It was under way when the wait began.
            return None;
        }
        self.last = Some(now);
        if !self.wait.is_zero() {
            self.wait = (self.wait * 2).min(longest_wait);
            return Some(self.wait);
        }
        self.recent.retain(|failure| age(*failure, now) < WINDOW);
        self.recent.push_back(now);
        if self.recent.len() < limit {
            return None;
        }
        self.recent = VecDeque::new();
        self.wait = FIRST_WAIT.min(longest_wait);
        Some(self.wait)
    }
}

/// How long ago `then` was; zero if the clock was set back since.
fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

fn forget_oldest<K: Clone + Eq + Hash, V, O: Ord>(
    map: &mut HashMap<K, V>,
    order: impl Fn(&V) -> O,
) {
    let oldest = map.iter().min_by_key(|(_, value)| order(value));
    if let Some(key) = oldest.map(|(key, _)| key.clone()) {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests;

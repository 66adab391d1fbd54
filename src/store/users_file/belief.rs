//! Which reading of `users.txt` counts. Editors truncate a file before they write it and move it
//! away before they move the new one in: a reading in between lacks accounts that nobody removed.
//! So a reading that lost accounts is believed only when it is still the same a second later.
//!
//! Values only; reading the file is left to [`super`].

use super::super::Account;
use super::line::{Contents, Fault};
use crate::wire::UserName;
use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// How long a reading that lost accounts must stay the same.
const DOUBT: Duration = Duration::from_secs(1);

/// A file may change twice within one tick of its own time stamps: younger than this when it was
/// read, it is read again.
const TICK: Duration = Duration::from_millis(50);

/// What tells that a file is no longer the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the file has not changed for `span` before `now`. Never where the clocks disagree.
    fn rests_for(&self, span: Duration, now: SystemTime) -> bool {
        let (seconds, nanos) = self.changed;
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u64::try_from(nanos)) else {
            return false;
        };
        let since_epoch = Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        now.duration_since(SystemTime::UNIX_EPOCH + since_epoch)
            .is_ok_and(|age| age >= span)
    }
}

/// One reading of the file; a missing file has no stamp and no contents.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) stamp: Option<Stamp>,
    pub(super) contents: Contents,
}

/// The order in which readings began, so that a late one does not undo a newer one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn(u64);

/// What is believed of the file, and what is in doubt.
#[derive(Debug, Default)]
pub(super) struct Belief {
    accounts: HashMap<UserName, Account>,
    revision: u64,
    /// Whose accounts went since that was last asked.
    gone: HashSet<UserName>,
    faults: Vec<Fault>,
    stamp: Option<Stamp>,
    settled: bool,
    doubt: Option<Doubt>,
    begun: Turn,
    taken: Turn,
}

/// A reading that lost accounts, and since when it has been the same.
#[derive(Debug)]
struct Doubt {
    accounts: HashMap<UserName, Account>,
    since: SystemTime,
}

impl Belief {
    /// What a first reading says: there is nothing older to prefer.
    pub(super) fn new(reading: Reading, now: SystemTime) -> Self {
        let mut belief = Self::default();
        let turn = belief.begin();
        belief.take_in(turn, reading, now);
        belief
    }

    /// The accounts that count.
    pub(super) fn accounts(&self) -> &HashMap<UserName, Account> {
        &self.accounts
    }

    /// Grows whenever other accounts count than before.
    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    /// Whose accounts went since the last call.
    pub(super) fn take_gone(&mut self) -> Vec<UserName> {
        self.gone.drain().collect()
    }

    /// The lines of the last reading that don't count.
    pub(super) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whether the file, which has `stamp` now, must be read again.
    pub(super) fn asks_for_reading(&self, stamp: Option<Stamp>, now: SystemTime) -> bool {
        let in_doubt = self.doubt.as_ref();
        stamp != self.stamp || !self.settled || in_doubt.is_some_and(|doubt| doubt.is_over(now))
    }

    /// Called before a reading begins.
    pub(super) fn begin(&mut self) -> Turn {
        self.begun.0 += 1;
        self.begun
    }

    /// Takes in the reading that began at `turn`. Returns the faults to report: those that the
    /// reading before did not have.
    pub(super) fn take_in(&mut self, turn: Turn, reading: Reading, now: SystemTime) -> Vec<Fault> {
        if turn <= self.taken {
            return Vec::new();
        }
        self.taken = turn;
        self.stamp = reading.stamp;
        self.settled = reading.stamp.is_none_or(|stamp| stamp.rests_for(TICK, now));
        let Contents { accounts, faults } = reading.contents;
        let known = |fault: &&Fault| !self.faults.contains(fault);
        let new = faults.iter().filter(known).cloned().collect();
        self.faults = faults;

        let lost = self
            .accounts
            .keys()
            .any(|name| !accounts.contains_key(name));
        // A file that nobody has touched for that long is the same as it was then.
        let rests = reading
            .stamp
            .is_some_and(|stamp| stamp.rests_for(DOUBT, now));
        match self.doubt.take() {
            _ if !lost || rests => self.believe(accounts),
            Some(doubt) if doubt.accounts == accounts => {
                if doubt.is_over(now) {
                    self.believe(accounts);
                } else {
                    // If the clock was set back the second begins anew.
                    let since = doubt.since.min(now);
                    self.doubt = Some(Doubt { accounts, since });
                }
            }
            _ => {
                self.doubt = Some(Doubt {
                    accounts,
                    since: now,
                })
            }
        }
        new
    }

    fn believe(&mut self, accounts: HashMap<UserName, Account>) {
        self.revision += u64::from(accounts != self.accounts);
        let names = self.accounts.keys();
        let gone = names.filter(|name| !accounts.contains_key(*name));
        self.gone.extend(gone.cloned());
        self.accounts = accounts;
    }
}

impl Doubt {
    fn is_over(&self, now: SystemTime) -> bool {
        now.duration_since(self.since).is_ok_and(|age| age >= DOUBT)
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::parse;
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn at(millis: u64) -> SystemTime {
        START + Duration::from_millis(millis)
    }

    /// A reading of a file that names `names`, last changed `changed` ms after the epoch.
    fn reading(names: &[&str], changed: i64) -> Reading {
        let line = |name: &&str| format!("{name}|{}\n", "a".repeat(32));
        let file: String = names.iter().map(line).collect();
        let changed = (changed / 1_000, changed % 1_000 * 1_000_000);
        let stamp = Stamp {
            device: 1,
            inode: 1,
            bytes: file.len() as u64,
            modified: changed,
            changed,
        };
        Reading {
            stamp: Some(stamp),
            contents: parse(file.as_bytes()),
        }
    }

    #[track_caller]
    fn names(belief: &Belief, expected: &[&str]) {
        let mut names: Vec<_> = belief.accounts().keys().map(UserName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, expected);
    }

    fn take(belief: &mut Belief, reading: Reading, now: SystemTime) {
        let turn = belief.begin();
        belief.take_in(turn, reading, now);
    }

    #[test]
    fn added_accounts_count_at_once_and_lost_ones_a_second_later() {
        let mut belief = Belief::new(reading(&["a"], 0), at(0));
        take(&mut belief, reading(&["a", "b"], 10_000), at(10_000));
        names(&belief, &["a", "b"]);
        take(&mut belief, reading(&["b", "c"], 20_000), at(20_000));
        names(&belief, &["a", "b"]);
        let stamp = reading(&["b", "c"], 20_000).stamp;
        take(&mut belief, reading(&["b", "c"], 20_000), at(20_900));
        assert!(!belief.asks_for_reading(stamp, at(20_999)));
        assert!(belief.asks_for_reading(stamp, at(21_000)));
        names(&belief, &["a", "b"]);
        take(&mut belief, reading(&["b", "c"], 20_000), at(21_000));
        names(&belief, &["b", "c"]);
    }

    #[test]
    fn a_half_written_file_is_never_believed() {
        let mut belief = Belief::new(reading(&["a", "b", "c"], 0), at(0));
        // Truncated, then written line by line, each within a second of the last.
        for (millis, seen) in [(5_000, &[][..]), (5_900, &["a"]), (6_800, &["a", "b"])] {
            take(&mut belief, reading(seen, millis), at(millis as u64));
            names(&belief, &["a", "b", "c"]);
        }
        take(
            &mut belief,
            reading(&["a", "b", "c", "d"], 7_700),
            at(7_700),
        );
        names(&belief, &["a", "b", "c", "d"]);
        assert_eq!(belief.take_gone(), []);
    }

    #[test]
    fn a_missing_file_is_believed_a_second_later() {
        let mut belief = Belief::new(reading(&["a"], 0), at(0));
        take(&mut belief, Reading::default(), at(5_000));
        names(&belief, &["a"]);
        assert!(belief.asks_for_reading(None, at(6_000)));
        take(&mut belief, Reading::default(), at(6_000));
        names(&belief, &[]);
        assert!(!belief.asks_for_reading(None, at(9_000)));
    }

    #[test]
    fn a_file_at_rest_is_believed_at_once() {
        let mut belief = Belief::new(reading(&["a", "b"], 0), at(0));
        // Removed at 5 s, first asked about at 90 s: the removed one must not get in once more.
        take(&mut belief, reading(&["b"], 5_000), at(90_000));
        names(&belief, &["b"]);
    }

    #[test]
    fn a_clock_set_back_delays_by_a_second_at_most() {
        let mut belief = Belief::new(reading(&["a"], 100_000), at(100_000));
        take(&mut belief, Reading::default(), at(100_000));
        for millis in [5_000, 6_000] {
            names(&belief, &["a"]);
            take(&mut belief, Reading::default(), at(millis));
        }
        names(&belief, &[]);
    }

    #[test]
    fn a_file_read_within_its_own_tick_is_read_again() {
        let fresh = reading(&["a"], 1_000);
        let stamp = fresh.stamp;
        let mut belief = Belief::new(fresh, at(1_010));
        assert!(belief.asks_for_reading(stamp, at(1_020)));
        take(&mut belief, reading(&["a"], 1_000), at(1_060));
        assert!(!belief.asks_for_reading(stamp, at(1_070)));
    }

    #[test]
    fn a_reading_that_ends_late_does_not_undo_a_newer_one() {
        let mut belief = Belief::new(reading(&["a"], 0), at(0));
        let (slow, fast) = (belief.begin(), belief.begin());
        belief.take_in(fast, reading(&["a", "b"], 1_000), at(1_000));
        belief.take_in(slow, reading(&["a"], 0), at(1_001));
        names(&belief, &["a", "b"]);
    }

    #[test]
    fn a_fault_is_reported_once() {
        let broken = || Reading {
            stamp: None,
            contents: parse(b"what"),
        };
        let mut belief = Belief::new(Reading::default(), at(0));
        let turn = belief.begin();
        assert_eq!(belief.take_in(turn, broken(), at(1)).len(), 1);
        let turn = belief.begin();
        assert_eq!(belief.take_in(turn, broken(), at(2)), []);
    }
}

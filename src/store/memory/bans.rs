//! Bans in memory, gone with the process.

use crate::store::{Ban, Bans, Done, Remembered, Source, StoreError, WhichBans};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// A store of bans that touches no disk.
#[derive(Debug, Default)]
pub struct MemoryBans(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// No wait where it was lifted.
    bans: BTreeMap<Source, (Duration, SystemTime)>,
    known: BTreeMap<Source, SystemTime>,
}

impl State {
    fn lifted(&self) -> Vec<Source> {
        let lifted = self.bans.iter().filter(|(_, (wait, _))| wait.is_zero());
        lifted.map(|(source, _)| source.clone()).collect()
    }
}

impl Bans for MemoryBans {
    fn remembered(&self) -> Result<Remembered, StoreError> {
        let state = self.0.lock();
        let bans = state.bans.iter().filter(|(_, (wait, _))| !wait.is_zero());
        let bans = bans.map(|(source, (wait, since))| Ban {
            source: source.clone(),
            wait: *wait,
            since: *since,
        });
        let known = state.known.iter();
        Ok(Remembered {
            bans: bans.collect(),
            known: known.map(|(source, at)| (source.clone(), *at)).collect(),
            lifted: state.lifted(),
        })
    }

    fn lifted(&self) -> Result<Vec<Source>, StoreError> {
        Ok(self.0.lock().lifted())
    }

    fn ban(&self, ban: Ban) {
        let mut state = self.0.lock();
        state.bans.insert(ban.source, (ban.wait, ban.since));
    }

    fn know(&self, source: Source, since: SystemTime) {
        let mut state = self.0.lock();
        state.bans.remove(&source);
        state.known.insert(source, since);
    }

    fn forget_lifted(&self, sources: Vec<Source>) {
        let mut state = self.0.lock();
        let is_meant =
            |source: &Source, wait: &Duration| wait.is_zero() && sources.contains(source);
        state
            .bans
            .retain(|source, (wait, _)| !is_meant(source, wait));
    }

    fn forget_before(&self, banned: SystemTime, known: SystemTime) {
        let mut state = self.0.lock();
        state.bans.retain(|_, (_, since)| *since >= banned);
        state.known.retain(|_, since| *since >= known);
    }

    fn lift(&self, which: WhichBans, done: Done<u64>) {
        let mut lifted = 0;
        for (source, (wait, _)) in &mut self.0.lock().bans {
            if which.means(source) && !wait.is_zero() {
                *wait = Duration::ZERO;
                lifted += 1;
            }
        }
        done(Ok(lifted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::store::conformance::bans_conform!(MemoryBans);
}

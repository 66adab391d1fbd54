//! Numbers that look like chance and can be had again: a failing run is repeated with its seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// The variable that says with which seed to run.
const SEED: &str = "GATEPOST_TEST_SEED";

/// A sequence of numbers (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    /// The sequence that begins at `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of this run: the one that was asked for, or one that no run had before. A test
    /// that uses it says it when it fails.
    #[track_caller]
    pub(crate) fn seed() -> u64 {
        match std::env::var(SEED) {
            Ok(seed) => seed
                .parse()
                .unwrap_or_else(|error| panic!("{SEED}={seed}: {error}")),
            Err(_) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                u64::from(now.subsec_nanos()) ^ now.as_secs() << 30
            }
        }
    }

    /// How to have the same numbers again.
    pub(crate) fn how_to_repeat(seed: u64) -> String {
        format!("repeat with {SEED}={seed}")
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// The next number, brought below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Spreads the bits of `x`, one to one.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

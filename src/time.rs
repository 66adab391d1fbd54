//! Time and randomness as values that are handed in, so that a test waits for nothing and repeats
//! what it saw.

use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// Where the time of day comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(SystemTime::now))
    }

    /// A clock that says what `now` says.
    #[must_use]
    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Where random bytes come from.
#[derive(Clone)]
pub struct Random(Arc<Mutex<Fill>>);

type Fill = dyn FnMut(&mut [u8]) + Send;

impl Random {
    /// The operating system's generator, fit for secrets.
    ///
    /// # Panics
    ///
    /// The returned value panics if the system has no randomness to give, which Linux only does
    /// inside a broken sandbox; a guessable token would be worse.
    #[must_use]
    pub fn system() -> Self {
        let fill = |bytes: &mut [u8]| getrandom::fill(bytes).expect("the system has randomness");
        Self(Arc::new(Mutex::new(fill)))
    }

    /// A repeatable sequence for tests and simulations (SplitMix64); not fit for secrets.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let mut state = seed;
        let fill = move |bytes: &mut [u8]| {
            for piece in bytes.chunks_mut(8) {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                let word = (z ^ (z >> 31)).to_le_bytes();
                piece.copy_from_slice(&word[..piece.len()]);
            }
        };
        Self(Arc::new(Mutex::new(fill)))
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        (self.0.lock())(bytes);
    }

    /// A number from 0 to `bound` − 1; 0 if `bound` is 0. The bias is below `bound` / 2⁶⁴.
    #[must_use]
    pub fn below(&self, bound: usize) -> usize {
        let mut word = [0; 8];
        self.fill(&mut word);
        let wide = u128::from(u64::from_le_bytes(word)) * bound as u128;
        (wide >> 64) as usize
    }

    /// `bytes` random bytes as lower-case hex.
    #[must_use]
    pub fn hex(&self, bytes: usize) -> String {
        let mut raw = vec![0; bytes];
        self.fill(&mut raw);
        raw.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself() {
        assert_eq!(Random::seeded(7).hex(16), Random::seeded(7).hex(16));
        assert_ne!(Random::seeded(7).hex(16), Random::seeded(8).hex(16));
        assert!((0..1000).all(|_| Random::seeded(1).below(3) < 3));
        assert_eq!(Random::system().below(0), 0);
    }
}

//! Computing the digest of a file's bytes as they pass.

use crate::wire::{Algorithm, Digest};
use sha2::Digest as _;

/// A digest that is being computed.
#[derive(Debug, Clone)]
pub struct Digester(State);

#[derive(Debug, Clone)]
enum State {
    Sha256(sha2::Sha256),
    // Some 2 KiB, which would make every other state as large.
    Blake3(Box<blake3::Hasher>),
}

impl Digester {
    /// The digest of no bytes yet.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Blake3 => State::Blake3(Box::default()),
        })
    }

    /// How it is computed.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Sha256(_) => Algorithm::Sha256,
            State::Blake3(_) => Algorithm::Blake3,
        }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Blake3(state) => drop(state.update(bytes)),
        }
    }

    /// The digest of all bytes added.
    #[must_use]
    pub fn finish(self) -> Digest {
        let algorithm = self.algorithm();
        let bytes = match self.0 {
            State::Sha256(state) => state.finalize().into(),
            State::Blake3(state) => state.finalize().into(),
        };
        Digest { algorithm, bytes }
    }
}

#[cfg(test)]
pub(in crate::client) mod tests {
    use super::*;

    /// The digest of `bytes`.
    pub(in crate::client) fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let mut digester = Digester::new(algorithm);
        digester.update(bytes);
        digester.finish()
    }

    #[test]
    fn both_are_the_published_functions() {
        assert_eq!(
            digest(Algorithm::Sha256, b"abc").to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            digest(Algorithm::Blake3, b"").to_string(),
            "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        );
        let mut pieces = Digester::new(Algorithm::Blake3);
        pieces.update(b"a");
        pieces.update(b"bc");
        assert_eq!(pieces.finish(), digest(Algorithm::Blake3, b"abc"));
    }
}

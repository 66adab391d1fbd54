//! Digests computed while bytes pass by. How a digest is written is left to [`crate::wire`].

use crate::wire::{Algorithm, Digest, WantedDigest};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Read};

/// The digest of what has passed so far.
#[derive(Clone)]
pub(super) struct Digester(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    // Two kilobytes: boxed, so that an upload without one stays small.
    Blake3(Box<blake3::Hasher>),
}

/// How much of a file is read at once. In bytes.
const PIECE: usize = 1 << 18;

impl Digester {
    /// The digest of nothing.
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Blake3 => State::Blake3(Box::default()),
        })
    }

    /// The digest that is wanted, still of nothing.
    pub(super) fn wanted(digest: WantedDigest) -> Self {
        Self::new(match digest {
            WantedDigest::Compute(algorithm) => algorithm,
            WantedDigest::Verify(digest) => digest.algorithm,
        })
    }

    /// Takes the next bytes.
    pub(super) fn update(&mut self, piece: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(piece),
            State::Blake3(state) => {
                state.update(piece);
            }
        }
    }

    /// Takes everything that `source` still has, at most `bytes`, and tells how much that was.
    pub(super) fn read(&mut self, source: &mut dyn Read, bytes: u64) -> io::Result<u64> {
        let mut buffer = vec![0; PIECE];
        let mut left = bytes;
        while left > 0 {
            let wanted = buffer.len().min(usize::try_from(left).unwrap_or(PIECE));
            match source.read(&mut buffer[..wanted]) {
                Ok(0) => break,
                Ok(read) => {
                    self.update(&buffer[..read]);
                    left -= read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes - left)
    }

    /// The digest of all that passed.
    pub(super) fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => Digest {
                algorithm: Algorithm::Sha256,
                bytes: state.finalize().into(),
            },
            State::Blake3(state) => Digest {
                algorithm: Algorithm::Blake3,
                bytes: state.finalize().into(),
            },
        }
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digester")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_ABC: [&str; 2] = [
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
    ];

    #[test]
    fn pieces_and_sources_give_the_published_digests() {
        for (algorithm, expected) in Algorithm::ALL.into_iter().zip(OF_ABC) {
            let mut pieces = Digester::new(algorithm);
            pieces.update(b"a");
            let mut source = pieces.clone();
            pieces.update(b"bc");
            assert_eq!(pieces.finish().to_string(), expected);
            assert_eq!(source.read(&mut &b"bcd"[..], 2).unwrap(), 2);
            assert_eq!(source.read(&mut &b""[..], 9).unwrap(), 0);
            assert_eq!(source.finish().to_string(), expected);
        }
    }
}

//! The digest of a file as it is written on the wire: `sha256:` or `blake3:` and 64 hex digits.
//! Computing one is left to the store and the client.

use super::{Code, Refusal};
use std::fmt;
use std::str::FromStr;

/// How a digest is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// BLAKE3 with 256 bits.
    Blake3,
}

impl Algorithm {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Blake3];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }
}

/// The digest of a whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    /// How it was computed.
    pub algorithm: Algorithm,
    /// Its 256 bits.
    pub bytes: [u8; 32],
}

/// What a request says in `digest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedDigest {
    /// A bare `sha256` or `blake3`: the server is asked to compute it.
    Compute(Algorithm),
    /// A value that the content must have.
    Verify(Digest),
}

/// A text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestError;

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest is sha256: or blake3: and 64 hex digits")
    }
}

impl std::error::Error for DigestError {}

impl From<DigestError> for Refusal {
    fn from(error: DigestError) -> Self {
        Self::new(Code::BadHeader, error.to_string())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm.word())?;
        self.bytes
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (word, hex) = text.split_once(':').ok_or(DigestError)?;
        let algorithm = algorithm(word).ok_or(DigestError)?;
        if hex.len() != 64 {
            return Err(DigestError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(DigestError);
            // Two digits below 16 make at most 255.
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Ok(Self { algorithm, bytes })
    }
}

/// As a request says it.
impl fmt::Display for WantedDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compute(algorithm) => f.write_str(algorithm.word()),
            Self::Verify(digest) => digest.fmt(f),
        }
    }
}

impl FromStr for WantedDigest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        match algorithm(text) {
            Some(algorithm) => Ok(Self::Compute(algorithm)),
            None => text.parse().map(Self::Verify),
        }
    }
}

fn algorithm(word: &str) -> Option<Algorithm> {
    Algorithm::ALL.into_iter().find(|it| it.word() == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bare_words_ask_and_values_are_verified() {
        let ask = |text: &str| text.parse::<WantedDigest>();
        assert_eq!(ask("sha256"), Ok(WantedDigest::Compute(Algorithm::Sha256)));
        let value = format!("blake3:{}", "0f".repeat(32));
        let digest = Digest {
            algorithm: Algorithm::Blake3,
            bytes: [15; 32],
        };
        assert_eq!(ask(&value), Ok(WantedDigest::Verify(digest)));
        assert_eq!(ask(&value.to_uppercase()), Err(DigestError));
        assert_eq!(digest.to_string(), value);
        for wrong in [
            "",
            "md5",
            "sha256:",
            "blake3:0f",
            &format!("{value}0"),
            "blake3:é",
        ] {
            assert_eq!(ask(wrong), Err(DigestError), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(bytes: [u8; 32], blake: bool) {
            let algorithm = Algorithm::ALL[usize::from(blake)];
            let digest = Digest { algorithm, bytes };
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            for wanted in [WantedDigest::Verify(digest), WantedDigest::Compute(algorithm)] {
                prop_assert_eq!(wanted.to_string().parse(), Ok(wanted));
            }
        }

        #[test]
        fn any_text_is_survived(text: String) {
            let _ = text.parse::<WantedDigest>();
        }
    }
}

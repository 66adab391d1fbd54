//! The fingerprint by which people compare certificates.

use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The SHA-256 of a certificate, shown as `openssl x509 -fingerprint -sha256` does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFingerprint;

impl Fingerprint {
    /// That of a certificate in DER.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for NoFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fingerprint is 64 hexadecimal digits, with or without colons between them")
    }
}

impl std::error::Error for NoFingerprint {}

/// Reads 64 hexadecimal digits, with or without colons between the bytes, and `SHA256` before them as
/// some programs write it.
impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let text = text.trim();
        let digits = text.strip_prefix("SHA256:").unwrap_or(text);
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return Err(NoFingerprint);
        }
        let value = |digit: u8| (digit as char).to_digit(16).ok_or(NoFingerprint);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            // Two hexadecimal digits are at most 255.
            *byte = (value(pair[0])? << 4 | value(pair[1])?) as u8;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_another_program_shows_is_read() {
        let known = Fingerprint::of(b"");
        let bare = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for text in [
            bare.to_owned(),
            bare.to_uppercase(),
            format!("SHA256:{bare}\n"),
            known.to_string(),
        ] {
            assert_eq!(text.parse(), Ok(known), "{text}");
        }
        assert!(known.to_string().starts_with("E3:B0:C4:"));
        for wrong in ["", &bare[1..], &bare.replace('e', "g"), "SHA256:"] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NoFingerprint));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_fingerprint_or_none(text: String, bytes: Vec<u8>) {
            let _ = text.parse::<Fingerprint>();
            let fingerprint = Fingerprint::of(&bytes);
            prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        }
    }
}

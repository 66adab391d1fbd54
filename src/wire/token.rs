//! A token: what a login hands out so that the next one needs no password. As good as the password
//! while it lasts, so that nothing but [`Token::text`] shows it.

use super::{Code, Refusal};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// What a token begins with, so that whoever finds one knows what it is.
const PREFIX: &str = "gp_";

/// Random bytes in a token.
const BYTES: usize = 32;

/// 256 random bits, written as `gp_` and 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; BYTES]);

/// What is kept of a token: its SHA-256. Of no use to whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// A text that is no token. Does not say the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenError;

impl Token {
    /// The token of these random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// The token as it is sent and kept by its owner. Never to be logged.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", hex(&self.0))
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        // Of the bytes: the text has them in one spelling only.
        TokenHash(Sha256::digest(self.0).into())
    }
}

impl TokenHash {
    /// Hex digits of [`id`](Self::id).
    pub const ID_DIGITS: usize = 12;

    /// A short name for operators: its first 12 hex digits.
    #[must_use]
    pub fn id(&self) -> String {
        hex(&self.0[..Self::ID_DIGITS / 2])
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let hex = text.strip_prefix(PREFIX).ok_or(TokenError)?;
        if hex.len() != 2 * BYTES {
            return Err(TokenError);
        }
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digit = |digit: u8| match digit {
                b'0'..=b'9' => Ok(digit - b'0'),
                b'a'..=b'f' => Ok(digit - b'a' + 10),
                _ => Err(TokenError),
            };
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token is gp_ and 64 lower-case hex digits")
    }
}

impl std::error::Error for TokenError {}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::new(Code::BadHeader, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_text_shows_a_token() {
        let token = Token::new([0xab; 32]);
        assert_eq!(token.text(), format!("gp_{}", "ab".repeat(32)));
        assert_eq!(format!("{token:?}"), "Token(…)");
        let id = token.hash().id();
        assert_eq!(id.len(), TokenHash::ID_DIGITS);
        assert!(!token.text().contains(&id));
    }

    #[test]
    fn a_token_has_one_spelling() {
        let text = Token::new([0xab; 32]).text();
        for wrong in [
            "",
            "gp_",
            "abc",
            &text.to_uppercase(),
            &text[..66],
            &format!("{text}0"),
            &format!(" {text}"),
            &text.replacen("ab", "é", 1),
            &text.replacen("ab", "+b", 1),
        ] {
            assert_eq!(wrong.parse::<Token>(), Err(TokenError), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(bytes: [u8; 32]) {
            let token = Token::new(bytes);
            prop_assert_eq!(token.text().parse(), Ok(token));
        }

        #[test]
        fn any_text_is_a_token_or_none(text in "(gp_)?.{0,70}") {
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(token.text(), text);
            }
        }
    }
}

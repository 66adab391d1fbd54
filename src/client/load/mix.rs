//! What is asked, and in which proportion: `ping=8,msg=2`.

use std::fmt;
use std::str::FromStr;

/// A kind of request that a load can consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An answer and nothing else.
    Ping,
    /// A durable message.
    Msg,
    /// A file.
    File,
    /// A question to the default bot.
    Bot,
    /// A login.
    Login,
    /// What the server says of itself.
    Hello,
}

/// Every kind, in the order in which reports list them.
pub const KINDS: &[Kind] = &[
    Kind::Ping,
    Kind::Msg,
    Kind::File,
    Kind::Bot,
    Kind::Login,
    Kind::Hello,
];

impl Kind {
    /// Its name, which is its `msg_type`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Msg => "msg",
            Self::File => "file",
            Self::Bot => "bot",
            Self::Login => "login",
            Self::Hello => "hello",
        }
    }
}

/// Kinds with their weights, 1 to [`Mix::HEAVIEST`] each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix(Vec<(Kind, u32)>);

/// A mix that can't be one; says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MixError(String);

impl fmt::Display for MixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MixError {}

impl FromStr for Mix {
    type Err = MixError;

    fn from_str(text: &str) -> Result<Self, MixError> {
        let mut mix = Vec::new();
        for part in text.split(',') {
            let (word, weight) = part.split_once('=').unwrap_or((part, "1"));
            let known = || {
                KINDS
                    .iter()
                    .map(|kind| kind.word())
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let kind = KINDS.iter().find(|kind| kind.word() == word.trim());
            let kind = kind.ok_or_else(|| {
                MixError(format!(
                    "there is no request {word:?}; known are {}",
                    known()
                ))
            })?;
            let weight = weight.trim().parse().ok();
            let weight = weight.filter(|weight| (1..=Self::HEAVIEST).contains(weight));
            let weight = weight.ok_or_else(|| {
                MixError(format!("a weight is a number from 1 to {}", Self::HEAVIEST))
            })?;
            if mix.iter().any(|(other, _)| other == kind) {
                return Err(MixError(format!("{word:?} is there twice")));
            }
            mix.push((*kind, weight));
        }
        Ok(Self(mix))
    }
}

impl Mix {
    /// The largest weight.
    pub const HEAVIEST: u32 = 1000;

    /// Whether `kind` is part of it.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.0.iter().any(|(other, _)| *other == kind)
    }

    /// One round: each kind as often as its weight says, spread as evenly as it goes.
    pub(super) fn round(&self) -> Vec<Kind> {
        let total: u32 = self.0.iter().map(|(_, weight)| weight).sum();
        let mut credit = vec![0i64; self.0.len()];
        let mut round = Vec::new();
        for _ in 0..total {
            for (credit, (_, weight)) in credit.iter_mut().zip(&self.0) {
                *credit += i64::from(*weight);
            }
            // The first of the richest, so that a round is always the same.
            let richest = credit.iter().max().copied().unwrap_or_default();
            if let Some(next) = credit.iter().position(|credit| *credit == richest) {
                credit[next] -= i64::from(total);
                round.push(self.0[next].0);
            }
        }
        round
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_the_weights_and_is_spread() {
        let mix: Mix = "ping=4, msg=2,bot".parse().unwrap();
        let round: Vec<_> = mix.round().into_iter().map(Kind::word).collect();
        assert_eq!(round, ["ping", "msg", "ping", "bot", "ping", "msg", "ping"]);
        assert!(mix.has(Kind::Bot) && !mix.has(Kind::Login));
    }

    #[test]
    fn a_wrong_mix_says_what_is_wrong() {
        let refused = |text: &str| text.parse::<Mix>().unwrap_err().to_string();
        assert!(refused("").contains("known are ping, msg, file, bot, login, hello"));
        assert!(refused("ping=0").contains("from 1 to 1000"));
        assert!(refused("ping=1001").contains("from 1 to 1000"));
        assert!(refused("ping,ping=2").contains("twice"));
        assert_eq!("ping=1000".parse::<Mix>().unwrap().round().len(), 1000);
    }
}

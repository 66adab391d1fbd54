//! The bots: each answers a text with a text. Who asks, and how the answer travels, is left to
//! [`crate::handler`].
//!
//! To add one: a file here with a function, and its entry in [`BOTS`].

mod dongmei;
mod echo;

use crate::time::Random;

/// The bot that answers when none is named.
pub const DEFAULT: &str = "dongmei";

/// Every bot, in the order in which `hello` tells them.
pub const BOTS: &[Bot] = &[
    Bot {
        name: DEFAULT,
        answer: dongmei::answer,
    },
    Bot {
        name: "echo",
        answer: echo::answer,
    },
];

/// One bot.
#[derive(Debug, Clone, Copy)]
pub struct Bot {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it says to a text. An answer is at most six times as long as the text, or six bytes.
    pub answer: fn(text: &str, random: &Random) -> String,
}

/// The bot called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Bot> {
    BOTS.iter().find(|bot| bot.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_name_is_its_own_and_the_default_is_there() {
        for bot in BOTS {
            let same = BOTS.iter().filter(|other| other.name == bot.name);
            assert_eq!(same.count(), 1, "{}", bot.name);
            assert_eq!(find(bot.name).map(|found| found.name), Some(bot.name));
        }
        assert!(find(DEFAULT).is_some());
        assert!(find("Dongmei").is_none());
    }

    proptest! {
        #[test]
        fn answers_are_bounded(text: String, seed: u64) {
            for bot in BOTS {
                let answer = (bot.answer)(&text, &Random::seeded(seed));
                prop_assert!(answer.len() <= 6 * text.len().max(1), "{}", bot.name);
            }
        }
    }
}

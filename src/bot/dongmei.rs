//! 马冬梅's old neighbour, who never quite hears: 马什么梅?

use crate::time::Random;

/// What is heard instead.
const WHAT: &str = "什么";

/// The text with one of its characters, and every other occurrence of it, heard as 什么. A text
/// that is empty or nothing but white space is answered 什么 alone.
///
/// As in the course a character is a Unicode scalar value, and a frequent one is drawn more often.
pub(super) fn answer(text: &str, random: &Random) -> String {
    if text.trim().is_empty() {
        return WHAT.to_owned();
    }
    let count = text.chars().count();
    match text.chars().nth(random.below(count)) {
        Some(missed) => text.replace(missed, WHAT),
        None => WHAT.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_character_is_missed_now_and_then_with_all_its_occurrences() {
        let random = Random::seeded(1);
        let heard: BTreeSet<_> = (0..200).map(|_| answer("马冬马", &random)).collect();
        let expected = ["什么冬什么", "马什么马"];
        assert_eq!(heard, expected.map(str::to_owned).into());
    }

    #[test]
    fn nothing_to_hear_is_answered_too() {
        for text in ["", " ", "\n\t", "\u{3000}"] {
            assert_eq!(answer(text, &Random::seeded(1)), "什么");
        }
    }

    proptest! {
        #[test]
        fn one_character_of_the_text_is_replaced_everywhere(text: String, seed: u64) {
            prop_assume!(!text.trim().is_empty());
            let heard = answer(&text, &Random::seeded(seed));
            let possible = text.chars().map(|missed| text.replace(missed, WHAT));
            prop_assert!(possible.into_iter().any(|answer| answer == heard));
        }
    }
}

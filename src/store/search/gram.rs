//! By which tokens a text is found: one for each of its characters, made of the character and those
//! that follow it. A token is a number, and tokens that begin alike stand beside each other, so
//! that what is too short to make a whole token is a span of them.
//!
//! Two characters tell texts apart in scripts with thousands of them; of ASCII it takes three.
//! Letter case is put aside for ASCII alone. Whether a text holds the whole needle is not decided
//! here: tokens only say where to look.

use std::ops::Range;

/// Every token is smaller.
#[cfg(test)]
pub(super) const TOKENS: u64 = 1 << 51;

/// Tokens of rooms; those of texts are smaller.
const ROOM: u64 = 1 << 50;

/// Bits of one character, and of what is kept of the third.
const CHARACTER: u32 = 21;
const THIRD: u32 = 8;

/// What follows the last character of a text.
const END: u64 = 0x11_0000;

/// The first character that is not ASCII; as a third one it stands for all of them and the end.
const OTHER: u64 = 0x80;

/// A longer needle is looked up by its beginning.
const NEEDLE: usize = 24;

/// The token of the messages in a room; two rooms may share one.
pub(super) fn room(name: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(name.as_bytes()).as_bytes();
    ROOM | (u64::from_le_bytes([a, b, c, d, e, f, g, h]) & (ROOM - 1))
}

/// The tokens of `text`, in its order and with repetitions.
pub(super) fn grams(text: &str) -> impl Iterator<Item = u64> {
    let mut characters = text.chars().map(folded);
    let mut next = move || characters.next().unwrap_or(END);
    let (mut first, mut second, mut third) = (next(), next(), next());
    std::iter::from_fn(move || {
        if first == END {
            return None;
        }
        let gram = gram(first, second, third);
        (first, second, third) = (second, third, next());
        Some(gram)
    })
}

/// Spans of tokens of which every text that holds `needle` has at least one each.
pub(super) fn spans(needle: &str) -> Vec<Range<u64>> {
    let needle: Vec<u64> = needle.chars().take(NEEDLE).map(folded).collect();
    let mut spans = Vec::new();
    if let [only] = needle[..] {
        spans.push(pair(only, 0)..pair(only + 1, 0));
    }
    // Whether the token before this one told its two characters already.
    let mut told = false;
    for (at, two) in needle.windows(2).enumerate() {
        let (first, second) = (two[0], two[1]);
        let span = match needle.get(at + 2) {
            _ if !is_ascii(first, second) => exactly(gram(first, second, END)),
            Some(third) => exactly(gram(first, second, *third)),
            None if told => break,
            None => pair(first, second)..pair(first, second + 1),
        };
        told = is_ascii(first, second);
        if !spans.contains(&span) {
            spans.push(span);
        }
    }
    spans
}

fn exactly(token: u64) -> Range<u64> {
    token..token + 1
}

fn gram(first: u64, second: u64, third: u64) -> u64 {
    let third = if is_ascii(first, second) {
        third.min(OTHER)
    } else {
        0
    };
    pair(first, second) | third
}

fn pair(first: u64, second: u64) -> u64 {
    (first << CHARACTER | second) << THIRD
}

fn is_ascii(first: u64, second: u64) -> bool {
    first < OTHER && second < OTHER
}

fn folded(character: char) -> u64 {
    u64::from(u32::from(character.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn finds(text: &str, needle: &str) -> bool {
        let tokens: Vec<u64> = grams(text).collect();
        let mut spans = spans(needle).into_iter();
        spans.all(|span| tokens.iter().any(|token| span.contains(token)))
    }

    #[test]
    fn short_and_mixed_needles_are_spans() {
        let text = "我叫马冬梅你好, Hello World \"*\0";
        for needle in [
            "你好",
            "好",
            "好,",
            "H",
            "he",
            "LLO w",
            "梅你好, h",
            "\"*",
            "\0",
        ] {
            assert!(finds(text, needle), "{needle:?}");
        }
        for needle in ["好你", "hal", "wo r", "z", "*\"", "好h", "\0\0"] {
            assert!(!finds(text, needle), "{needle:?}");
        }
    }

    #[test]
    fn each_character_is_looked_up_once() {
        assert_eq!(spans("马冬梅").len(), 2);
        assert_eq!(spans("abcd").len(), 2);
        assert_eq!(spans("好ab").len(), 2);
        assert_eq!(spans("aaaaaaaa").len(), 1);
        assert!(spans(&"春夏秋冬东西南北".repeat(1_000)).len() <= NEEDLE);
    }

    proptest! {
        #[test]
        fn no_text_that_holds_the_needle_is_missed(
            before in "[aAbB好你 é🙂]{0,4}",
            needle in "[aAbB好你 é🙂]{1,40}",
            after in "[aAbB好你 é🙂]{0,4}",
        ) {
            let text = [before, needle.to_ascii_uppercase(), after].concat();
            prop_assert!(finds(&text, &needle));
        }

        #[test]
        fn tokens_of_texts_and_rooms_are_apart(text: String, name: String) {
            prop_assert!(grams(&text).all(|token| token < ROOM));
            prop_assert!((ROOM..TOKENS).contains(&room(&name)));
        }
    }
}

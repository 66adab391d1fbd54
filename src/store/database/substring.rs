//! Whether a text holds another, letter case aside for ASCII.

/// What is looked for.
#[derive(Debug)]
pub(super) struct Needle {
    folded: Vec<u8>,
}

impl Needle {
    /// Looks for `text`.
    pub(super) fn new(text: &str) -> Self {
        Self {
            folded: text.to_ascii_lowercase().into_bytes(),
        }
    }

    /// Whether it is in `text`. Both are UTF-8, so bytes match only where characters do.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let Some((first, rest)) = self.folded.split_first() else {
            return true;
        };
        let mut tail = text.as_bytes();
        while let Some(at) = tail
            .iter()
            .position(|byte| byte.to_ascii_lowercase() == *first)
        {
            tail = &tail[at + 1..];
            match tail.get(..rest.len()) {
                Some(next) if next.eq_ignore_ascii_case(rest) => return true,
                Some(_) => {}
                None => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_script_is_found_and_case_is_folded_for_ascii_alone() {
        for (text, needle, is_in) in [
            ("我叫马冬梅你好", "你好", true),
            ("我叫马冬梅你好", "你坏", false),
            ("Hello World", "LO wO", true),
            ("É", "é", false),
            ("aab", "ab", true),
            ("ab", "abc", false),
            ("", "a", false),
            ("a", "", true),
        ] {
            assert_eq!(Needle::new(needle).is_in(text), is_in, "{needle} in {text}");
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_the_standard_library_finds(text in "[abAB你好]{0,12}", needle in "[abAB你好]{0,3}") {
            let expected = text.to_ascii_lowercase().contains(&needle.to_ascii_lowercase());
            prop_assert_eq!(Needle::new(&needle).is_in(&text), expected);
        }
    }
}

//! Foreign text made harmless for a terminal: whoever shows or logs what a peer sent goes through
//! here.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

/// `text` with everything written out that would move the cursor, change the colour, break the
/// line or turn the reading direction: control characters (C0, DEL, C1), line and paragraph
/// separators, the marks, overrides and isolates of bidirectional text, and spaces of no width,
/// with which two names can look the same. The rest, of whatever
/// script, stays as it is. Backslashes are not doubled: the result is for reading, not for undoing.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a string can't fail.
            c if is_hidden(c) => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// `json` with the same characters written as its own escapes, `\\u202e`: a program reads the same
/// value. They stand in strings only, and there everything below a space is escaped already.
pub(super) fn escape_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_hidden) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match is_hidden(c) {
            // Writing to a string can't fail; none of them is beyond 16 bits.
            true => drop(write!(out, "\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{2060}'
                | '\u{feff}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Says one line on standard error, escaped. That nobody hears it is no failure.
pub fn complain(line: impl fmt::Display) {
    let line = line.to_string();
    let _ = writeln!(io::stderr(), "{}", escape(&line));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn harmless_text_is_not_copied() {
        for text in [
            "",
            "hello",
            "我叫马冬梅",
            "a\\b",
            "👩\u{200d}👩\u{200d}👧",
            "שלום",
        ] {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_a_terminal_would_act_on_is_written_out() {
        assert_eq!(escape("a\nb\r\tc"), "a\\nb\\r\\tc");
        assert_eq!(escape("\u{1b}[31mred\u{7f}"), "\\u{1b}[31mred\\u{7f}");
        assert_eq!(escape("\u{9b}2J"), "\\u{9b}2J");
        assert_eq!(escape("gpj\u{202e}exe"), "gpj\\u{202e}exe");
        assert_eq!(escape("li\u{200b}si\u{feff}"), "li\\u{200b}si\\u{feff}");
        assert_eq!(
            escape("\u{2066}\u{2069}\u{2028}"),
            "\\u{2066}\\u{2069}\\u{2028}"
        );
    }

    proptest! {
        #[test]
        fn json_means_the_same_and_hides_nothing(text in any::<String>(), hidden in 0x7f_u8..=0x9f) {
            let text = format!("{text}{}\u{202e}\u{feff}\u{2028}", char::from(hidden));
            let json = serde_json::to_string(&text).unwrap();
            let escaped = escape_json(&json);
            prop_assert!(!escaped.contains(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }

        #[test]
        fn nothing_hidden_is_left(text in any::<String>()) {
            prop_assert!(!escape(&text).contains(is_hidden));
        }
    }
}

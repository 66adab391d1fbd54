//! Text out of a byte stream that cuts it where it likes: whole characters at once, a cut one as
//! soon as its rest is there, and U+FFFD for bytes that never become one.

/// Turns bytes into text, piece by piece. Holds at most three bytes: a character that began.
#[derive(Debug, Default)]
pub struct TextDecoder {
    tail: Vec<u8>,
}

impl TextDecoder {
    /// At the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the text of `bytes` to `text`, up to the last whole character.
    pub fn decode(&mut self, bytes: &[u8], text: &mut String) {
        let joined;
        let bytes = if self.tail.is_empty() {
            bytes
        } else {
            joined = [&std::mem::take(&mut self.tail), bytes].concat();
            &joined
        };
        let (whole, tail) = bytes.split_at(bytes.len() - cut_at_end(bytes));
        self.tail.extend_from_slice(tail);
        text.push_str(&String::from_utf8_lossy(whole));
    }

    /// Ends the stream: a character that began and never became whole is U+FFFD.
    pub fn finish(&mut self, text: &mut String) {
        if self.is_inside() {
            self.tail.clear();
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }

    /// Whether the bytes so far end inside a character.
    #[must_use]
    pub const fn is_inside(&self) -> bool {
        !self.tail.is_empty()
    }
}

/// How many bytes at the end of `bytes` are the beginning of a character that may still become
/// whole: 0 to 3.
fn cut_at_end(bytes: &[u8]) -> usize {
    // A character is at most four bytes, so one that began and is not whole has at most three.
    let last = &bytes[bytes.len().saturating_sub(3)..];
    (1..=last.len())
        .find(|length| {
            let end = &last[last.len() - length..];
            // `error_len` tells an end that lacks something from bytes that are wrong.
            matches!(std::str::from_utf8(end), Err(e) if e.valid_up_to() == 0 && e.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(pieces: &[&[u8]]) -> String {
        let (mut decoder, mut text) = (TextDecoder::new(), String::new());
        for piece in pieces {
            decoder.decode(piece, &mut text);
        }
        decoder.finish(&mut text);
        text
    }

    #[test]
    fn a_cut_character_waits_for_its_rest() {
        let (mut decoder, mut text) = (TextDecoder::new(), String::new());
        let bytes = "a你".as_bytes();
        decoder.decode(&bytes[..3], &mut text);
        assert_eq!((text.as_str(), decoder.is_inside()), ("a", true));
        decoder.decode(&bytes[3..], &mut text);
        assert_eq!((text.as_str(), decoder.is_inside()), ("a你", false));
    }

    #[test]
    fn bytes_that_never_become_a_character_are_replaced() {
        assert_eq!(decode(&[b"a\xff", b"b"]), "a\u{fffd}b");
        assert_eq!(decode(&[b"\xe4", b"\xbd"]), "\u{fffd}");
        assert_eq!(decode(&[b"\xe4", b"a"]), "\u{fffd}a");
        // No character begins so: an overlong form and a surrogate.
        assert_eq!(decode(&[b"\xc0"]), "\u{fffd}");
        assert_eq!(decode(&[b"\xed", b"\xa0"]), decode(&[b"\xed\xa0"]));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(bytes: Vec<u8>, cuts in prop::collection::vec(0usize..200, 0..8)) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut start = 0;
            for cut in cuts {
                pieces.push(&bytes[start..cut]);
                start = cut;
            }
            pieces.push(&bytes[start..]);
            prop_assert_eq!(decode(&pieces), String::from_utf8_lossy(&bytes).into_owned());
        }

        #[test]
        fn text_comes_back_byte_by_byte(text: String) {
            let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
            prop_assert_eq!(decode(&bytes), text);
        }
    }
}

//! What the serving sides of the unframed conversations have in common: nothing in their streams
//! tells where a text ends, so a text is what was there to read, up to the last whole character.

/// Cuts a byte stream into texts. Holds no bytes: what is not a whole character yet stays in the
/// input.
#[derive(Debug)]
pub(super) struct Texts {
    /// The longest text, in bytes. A longer one goes on as the next.
    longest: usize,
    /// Bytes of the text under way, if one is.
    length: Option<usize>,
    /// Whether the text under way ends where the input ends now.
    is_border: bool,
    has_ended: bool,
}

/// What was found in the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TextStep<'a> {
    /// No whole character.
    More,
    /// A text begins.
    Begin,
    /// The next piece of it: whole characters.
    Piece(&'a str),
    /// It is whole.
    End,
}

impl Texts {
    /// At the start of a stream, with texts of at most `longest` bytes, but room for a character.
    pub(super) const fn new(longest: usize) -> Self {
        Self {
            longest: if longest < 4 { 4 } else { longest },
            length: None,
            is_border: false,
            has_ended: false,
        }
    }

    /// What comes next in `input`, which is moved past it.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> TextStep<'a> {
        let Some(length) = self.length else {
            self.is_border = false;
            return match self.piece(input, self.longest) {
                Some(_) => {
                    self.length = Some(0);
                    TextStep::Begin
                }
                None => TextStep::More,
            };
        };
        let room = self.longest - length;
        match self.piece(input, room) {
            // The longest character has four bytes: less room than that and the text is full.
            Some((piece, consumed)) if room >= 4 => {
                *input = &input[consumed..];
                self.length = Some(length + piece.len());
                TextStep::Piece(piece)
            }
            None if !self.is_border && !self.has_ended => TextStep::More,
            _ => {
                self.length = None;
                TextStep::End
            }
        }
    }

    /// The first piece of `input` with at most `room` bytes, if there is one, and how many bytes
    /// of the input it stands for.
    fn piece<'a>(&self, input: &'a [u8], room: usize) -> Option<(&'a str, usize)> {
        let near = &input[..input.len().min(room.max(4))];
        let chunk = near.utf8_chunks().next()?;
        if !chunk.valid().is_empty() {
            return Some((chunk.valid(), chunk.valid().len()));
        }
        let wrong = chunk.invalid();
        let is_cut = std::str::from_utf8(wrong).is_err_and(|error| error.error_len().is_none());
        (!is_cut || self.has_ended).then_some(("\u{fffd}", wrong.len()))
    }

    /// Takes that there is nothing more to read now. `true` if that ends a text.
    pub(super) const fn pause(&mut self) -> bool {
        self.is_border = self.length.is_some();
        self.is_border
    }

    /// Takes that the input has ended.
    pub(super) const fn end(&mut self) {
        self.has_ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The texts in a stream that was read in `reads`, with a pause after each.
    fn texts(reads: &[&[u8]], longest: usize) -> Vec<String> {
        let (mut texts, mut found) = (Texts::new(longest), Vec::new());
        let mut buffer = Vec::new();
        for read in reads {
            buffer.extend_from_slice(read);
            let left = drain(&mut texts, &buffer, &mut found);
            buffer.drain(..buffer.len() - left);
            if texts.pause() {
                assert_eq!(drain(&mut texts, &buffer, &mut found), buffer.len());
            }
        }
        texts.end();
        assert_eq!(drain(&mut texts, &buffer, &mut found), 0);
        assert!(!texts.pause(), "every text has ended");
        found
    }

    /// Takes all there is; how many bytes are left.
    fn drain(texts: &mut Texts, mut input: &[u8], found: &mut Vec<String>) -> usize {
        loop {
            match texts.next(&mut input) {
                TextStep::More => return input.len(),
                TextStep::Begin => found.push(String::new()),
                TextStep::Piece(piece) => found.last_mut().unwrap().push_str(piece),
                TextStep::End => assert!(!found.last().unwrap().is_empty()),
            }
        }
    }

    #[test]
    fn a_text_is_what_was_there_up_to_a_whole_character() {
        assert_eq!(texts(&[b"one", b"two"], 99), ["one", "two"]);
        assert_eq!(texts(&["a你".as_bytes()], 99), ["a你"]);
        assert_eq!(texts(&[b"a\xe4", b"\xbd", b"\xa0b"], 99), ["a", "你b"]);
        assert_eq!(texts(&[], 99), [""; 0]);
    }

    #[test]
    fn bytes_that_never_become_a_character_are_replaced() {
        assert_eq!(
            texts(&[b"a\xffb\xc0\x80"], 99),
            ["a\u{fffd}b\u{fffd}\u{fffd}"]
        );
        assert_eq!(texts(&[b"\xe4", b"\xbd"], 99), ["\u{fffd}"]);
        assert_eq!(texts(&[b"a\xe4", b"b"], 99), ["a", "\u{fffd}b"]);
    }

    #[test]
    fn a_text_that_is_too_long_goes_on_as_the_next() {
        assert_eq!(texts(&["你好吗".as_bytes()], 7), ["你好", "吗"]);
        assert_eq!(texts(&[b"abcdefghij"], 8), ["abcdefgh", "ij"]);
        assert_eq!(texts(&["𝄞𝄞".as_bytes()], 1), ["𝄞", "𝄞"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_wherever_it_is_cut(
            reads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..9),
            longest in 1usize..30,
        ) {
            let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
            let found = texts(&reads, longest);
            let sent = reads.concat();
            prop_assert_eq!(found.concat(), String::from_utf8_lossy(&sent));
            prop_assert!(found.iter().all(|text| text.len() <= longest.max(4)));
        }

        #[test]
        fn what_was_sent_as_whole_texts_arrives_so(
            sent in prop::collection::vec("[^a]{1,9}", 0..9),
        ) {
            let reads: Vec<&[u8]> = sent.iter().map(String::as_bytes).collect();
            prop_assert_eq!(texts(&reads, 99), sent);
        }
    }
}

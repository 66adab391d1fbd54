//! Bytes that came from a server and are not read yet. Parsing is left to the conversation.

use crate::conversation::framed::MAX_REPLY_HEADER;
use crate::wire::frame;
use std::io::{self, Read};

/// A buffer that grows from [`FIRST`] to [`LONGEST`] bytes when a long header asks for it. Never
/// full while the conversation takes what it can: that needs at most one header frame at once.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

const FIRST: usize = 16 * 1024;
const LONGEST: usize = frame::PREFIX + MAX_REPLY_HEADER;

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; FIRST],
            start: 0,
            end: 0,
        }
    }

    /// Reads once from `source`; 0 bytes are its end.
    ///
    /// # Errors
    ///
    /// The source's; nothing is lost by it.
    pub(super) fn read_from(&mut self, mut source: impl Read) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end == self.bytes.len() {
                let more = (2 * self.bytes.len()).min(LONGEST);
                self.bytes.resize(more, 0);
            }
        }
        let got = source.read(&mut self.bytes[self.end..])?;
        self.end += got;
        Ok(got)
    }

    /// What was read and not consumed yet.
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Leaves only the last `left` unread bytes.
    pub(super) fn keep(&mut self, left: usize) {
        self.start = self.end - left;
    }

    /// Whether the last read filled all the room there was, so that more may wait.
    pub(super) fn is_full(&self) -> bool {
        self.end == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_header_fits_and_nothing_is_lost() {
        let wire: Vec<u8> = (0..LONGEST).map(|n| (n % 251) as u8).collect();
        let (mut inbox, mut source) = (Inbox::new(), wire.as_slice());
        while inbox.read_from(&mut source).unwrap() > 0 {
            if inbox.unread().len() == wire.len() {
                break;
            }
        }
        assert_eq!(inbox.unread(), wire);
        inbox.keep(10);
        assert_eq!(inbox.unread(), &wire[LONGEST - 10..]);
        assert_eq!(inbox.read_from(&b"more"[..]).unwrap(), 4);
        assert_eq!(inbox.unread(), [&wire[LONGEST - 10..], b"more"].concat());
        assert_eq!(inbox.bytes.len(), LONGEST);
    }
}

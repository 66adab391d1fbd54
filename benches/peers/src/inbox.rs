//! A buffer of received bytes that are used up from the front. The echo
//! servers and the load generator all read through it, so that no side pays
//! for a cleverer or a clumsier one.

/// Room for a deep pipeline of 68-byte frames in one read.
const INITIAL: usize = 16 * 1024;

/// Bytes received and not yet used.
#[derive(Debug)]
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    filled: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; INITIAL],
            filled: 0,
        }
    }

    /// Where the next read may put its bytes; never empty.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.filled == self.buffer.len() {
            self.buffer.resize(2 * self.filled, 0);
        }
        &mut self.buffer[self.filled..]
    }

    /// Takes note of `count` bytes read into `space`.
    pub(crate) fn received(&mut self, count: usize) {
        self.filled += count;
        debug_assert!(self.filled <= self.buffer.len());
    }

    /// Everything received and not yet used.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Forgets the first `count` bytes. Moving the rest down is all but free:
    /// in a closed loop there is hardly ever a rest.
    pub(crate) fn used(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(inbox: &mut Inbox, bytes: &[u8]) {
        inbox.space()[..bytes.len()].copy_from_slice(bytes);
        inbox.received(bytes.len());
    }

    #[test]
    fn bytes_are_used_up_from_the_front() {
        let mut inbox = Inbox::new();
        put(&mut inbox, b"onetwo");
        inbox.used(3);
        assert_eq!(inbox.bytes(), b"two");
        put(&mut inbox, b"three");
        assert_eq!(inbox.bytes(), b"twothree");
    }

    #[test]
    fn a_full_inbox_grows() {
        let mut inbox = Inbox::new();
        inbox.received(INITIAL);
        assert!(!inbox.space().is_empty());
    }
}

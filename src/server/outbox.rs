//! What waits to be sent to one connection: one run of bytes, flushed without blocking.

use super::stream::Stream;
use crate::budget::Charge;
use std::io;

/// Capacity that an empty outbox keeps, in bytes; more is given back.
const KEEP: usize = 4 << 10;

pub(super) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    charge: Charge,
}

impl Outbox {
    pub(super) fn new(charge: Charge) -> Self {
        Self {
            bytes: Vec::new(),
            sent: 0,
            charge,
        }
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Throws away what waits.
    pub(super) fn clear(&mut self) {
        self.bytes = Vec::new();
        self.sent = 0;
        self.charge.set(0);
    }

    /// The end of the outbox, to write to.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Sends what the socket takes. `true` if any of it left. `more` says that something else is
    /// sent right behind it.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if something is left, or what is wrong with the connection.
    pub(super) fn flush(&mut self, stream: &mut Stream, more: bool) -> io::Result<bool> {
        let before = self.sent;
        let result = loop {
            if self.sent == self.bytes.len() {
                break Ok(());
            }
            match stream.send(&self.bytes[self.sent..], more) {
                Ok(sent) => self.sent += sent,
                Err(error) => break Err(error),
            }
        };
        let progress = self.sent > before;
        if result.is_ok() {
            self.bytes.clear();
            self.sent = 0;
            self.bytes.shrink_to(KEEP);
            self.charge.set(0);
        } else {
            // What has left goes once it is the larger part: a peer that always lets something
            // wait would otherwise have all that it was ever sent kept.
            if self.sent >= self.len() {
                self.bytes.drain(..self.sent);
                self.sent = 0;
                self.bytes.shrink_to(2 * self.bytes.len());
            }
            self.charge.set(self.bytes.capacity());
        }
        match result {
            Ok(()) => Ok(progress),
            Err(error) if progress && error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }
}

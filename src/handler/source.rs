//! Where the body of a reply comes from when it is too long to be held in memory. Who reads it, and
//! how fast, is left to the server.

use std::io;
use std::os::fd::BorrowedFd;

/// A body that is read while the peer takes it. Dropped before its end if the peer goes away.
pub trait Source: Send {
    /// The bytes of the whole body; what the reply's header announces.
    fn bytes(&self) -> u64;

    /// Reads what stands at `at`, counted from the body's first byte, into `room`, and says how
    /// much that was; 0 at the end. May block on the disk.
    ///
    /// # Errors
    ///
    /// What the disk says. The body can't go on then, and its connection is closed.
    fn read_at(&self, at: u64, room: &mut [u8]) -> io::Result<usize>;

    /// The open file that holds the body and where in it the body begins, if there is one: the
    /// kernel can then send it without a copy.
    fn file(&self) -> Option<(BorrowedFd<'_>, u64)> {
        None
    }
}

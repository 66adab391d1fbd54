//! Reading and writing a blocking socket without ever blocking: every call says MSG_DONTWAIT, so
//! that the descriptor keeps its mode and no worker is held by a peer. Only sendfile(2) knows no such
//! flag: a stream that it sends to is put into the other mode for as long as that lasts.

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::io;
use std::net::TcpStream;
use std::os::fd::BorrowedFd;

/// Reads what is there into `buffer`: `Ok(0)` is the end of the stream.
///
/// # Errors
///
/// `WouldBlock` when nothing is there, or what is wrong with the connection.
pub(super) fn receive(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    receive_with(stream, buffer, RecvFlags::DONTWAIT)
}

fn receive_with(stream: &TcpStream, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    loop {
        match rustix::net::recv(stream, &mut *buffer, flags) {
            Ok((received, _)) => return Ok(received),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads what is there into `buffer`, and leaves it there.
///
/// # Errors
///
/// As [`receive`].
pub(super) fn peek(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    receive_with(stream, buffer, RecvFlags::DONTWAIT | RecvFlags::PEEK)
}

/// Writes as much of `bytes` as the socket takes. With `more` to follow at once, the kernel may let
/// the last of it wait for that, so that a header and its body need not be two segments.
///
/// # Errors
///
/// `WouldBlock` when it takes nothing, or what is wrong with the connection.
pub(super) fn send(stream: &TcpStream, bytes: &[u8], more: bool) -> io::Result<usize> {
    let mut flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    flags.set(SendFlags::MORE, more);
    loop {
        match rustix::net::send(stream, bytes, flags) {
            Ok(sent) => return Ok(sent),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Has the kernel send as much of the `most` bytes at `at` in `file` as the socket takes, without a
/// copy. The stream must be in non-blocking mode; the disk may still block. `Ok(0)` is the end of the
/// file.
///
/// # Errors
///
/// `WouldBlock` when the socket takes nothing, `InvalidInput` or `Unsupported` when the kernel can't
/// send from this file, or what is wrong with either end.
pub(super) fn send_file(
    stream: &TcpStream,
    file: BorrowedFd<'_>,
    mut at: u64,
    most: u64,
) -> io::Result<u64> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    loop {
        match rustix::fs::sendfile(stream, file, Some(&mut at), most) {
            Ok(sent) => return Ok(sent as u64),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

//! Reading and writing a blocking socket without ever blocking: every call says MSG_DONTWAIT, so
//! that the descriptor keeps its mode and no worker is held by a peer.

use rustix::net::{RecvFlags, SendFlags};
use std::io;
use std::net::TcpStream;

/// Reads what is there into `buffer`: `Ok(0)` is the end of the stream.
///
/// # Errors
///
/// `WouldBlock` when nothing is there, or what is wrong with the connection.
pub(super) fn receive(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::net::recv(stream, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((received, _)) => return Ok(received),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes as much of `bytes` as the socket takes.
///
/// # Errors
///
/// `WouldBlock` when it takes nothing, or what is wrong with the connection.
pub(super) fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match rustix::net::send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => return Ok(sent),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

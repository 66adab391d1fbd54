//! The stream of a connection as its turns see it: bytes out, bytes in, never blocking, whether or not
//! there is TLS between them and the socket.

use super::encrypted::Encrypted;
use super::socket;
use crate::budget::Charge;
use crate::tls::{Broken, Channel};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

pub(super) struct Stream {
    socket: TcpStream,
    tls: Option<Box<Encrypted>>,
}

/// What a read has found.
pub(super) enum Received {
    /// Bytes, or with TLS perhaps none of use yet.
    Bytes {
        /// How many were put into the room.
        count: usize,
        /// How many the socket gave.
        taken: usize,
        /// Whether the socket may have more at once.
        more: bool,
    },
    /// The end.
    End {
        /// Whether it may be somebody else's work: a peer that speaks TLS says that it ends.
        is_cut_off: bool,
    },
    /// What came is not what TLS says. The peer has been told, as far as it can be.
    Broken(Broken),
}

impl Stream {
    pub(super) const fn plain(socket: TcpStream) -> Self {
        Self { socket, tls: None }
    }

    /// A stream that begins with a handshake; what it keeps is charged to `charge`.
    pub(super) fn encrypted(socket: TcpStream, channel: Channel, charge: Charge) -> Self {
        let tls = Some(Box::new(Encrypted::new(channel, charge)));
        Self { socket, tls }
    }

    /// The socket, for what no byte passes through.
    pub(super) const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether the peer has still to show that it speaks TLS.
    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether something waits to be sent that is in no outbox.
    pub(super) fn has_unsent(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_unsent())
    }

    /// What of records has ever left: a slow peer may take a while for all that was sealed at once, and
    /// goes on all the same.
    pub(super) fn records_sent(&self) -> u64 {
        self.tls.as_ref().map_or(0, |tls| tls.sent_ever())
    }

    /// Whether a record has begun to come and is not whole.
    pub(super) fn has_part(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_part())
    }

    /// Takes in what a handshake goes on with, so that it is known whether there is work to do.
    /// `false` if there is none. With it, whether the socket may have more.
    pub(super) fn gather(&mut self) -> io::Result<(bool, bool)> {
        match &mut self.tls {
            Some(tls) => tls.gather(&self.socket),
            None => Ok((false, false)),
        }
    }

    /// Reads once into `room`, by way of `records` where that is needed.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there, or what is wrong with the connection.
    pub(super) fn receive(
        &mut self,
        room: &mut [u8],
        records: &mut Vec<u8>,
    ) -> io::Result<Received> {
        if let Some(tls) = &mut self.tls {
            return tls.receive(&self.socket, room, records);
        }
        Ok(match socket::receive(&self.socket, room)? {
            0 => Received::End { is_cut_off: false },
            count => Received::Bytes {
                count,
                taken: count,
                more: count == room.len(),
            },
        })
    }

    /// Writes as much of `bytes` as the socket takes. What it did not take must be at the front of
    /// what is written next.
    ///
    /// # Errors
    ///
    /// As [`socket::send`]; `WouldBlock` also while the handshake lasts.
    pub(super) fn send(&mut self, bytes: &[u8], more: bool) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.send(&self.socket, bytes, more),
            None => socket::send(&self.socket, bytes, more),
        }
    }

    /// Sends what TLS itself has to say.
    ///
    /// # Errors
    ///
    /// What is wrong with the connection; a socket that takes nothing is no error.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.flush(&self.socket),
            None => Ok(()),
        }
    }

    /// Ends our half, once what waits to be sent has left.
    pub(super) fn shut_down_writing(&mut self) {
        // Fails only if the connection is broken, which reading will tell.
        let _ = match &mut self.tls {
            Some(tls) => tls.shut_down_writing(&self.socket),
            None => self.socket.shutdown(Shutdown::Write),
        };
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

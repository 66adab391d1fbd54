//! A client's stream, whether or not there is TLS between it and the socket. It blocks or not as its
//! socket does; waiting is left to who holds it.

use crate::tls::Channel;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

/// Bytes of records that are read at once.
const RECORDS: usize = 64 << 10;

/// Plaintext that is sealed at once, in bytes.
const SEALED: usize = 64 << 10;

/// How long a socket that is full is waited for before our half ends without a word: one second.
const PARTING: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// A stream to a server.
#[derive(Debug)]
pub(super) struct Stream {
    socket: TcpStream,
    tls: Option<Box<Sealed>>,
}

/// What stands between the stream and its socket.
struct Sealed {
    channel: Channel,
    /// Whether the first word, which is the client's, was said.
    has_begun: bool,
    /// Records that are not whole.
    incoming: Vec<u8>,
    /// Bytes that were opened, of which `taken` were read.
    plain: Vec<u8>,
    taken: usize,
    /// Sealed bytes, of which `sent` have left.
    outgoing: Vec<u8>,
    sent: usize,
    /// How many bytes of what was written the last of them stand for: written are those only when all
    /// have left, and until then they come again.
    owed: usize,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}

impl Stream {
    pub(super) const fn plain(socket: TcpStream) -> Self {
        Self { socket, tls: None }
    }

    /// A stream that begins with a handshake.
    pub(super) fn sealed(socket: TcpStream, channel: Channel) -> Self {
        let tls = Sealed {
            channel,
            has_begun: false,
            incoming: Vec::new(),
            plain: Vec::new(),
            taken: 0,
            outgoing: Vec::new(),
            sent: 0,
            owed: 0,
        };
        Self {
            socket,
            tls: Some(Box::new(tls)),
        }
    }

    /// The socket, for what no byte passes through.
    pub(super) const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether nobody on the way can read along.
    pub(super) fn is_private(&self) -> io::Result<bool> {
        let is_here = || Ok(self.socket.peer_addr()?.ip().to_canonical().is_loopback());
        if self.is_encrypted() {
            Ok(true)
        } else {
            is_here()
        }
    }

    /// Goes on with the handshake as far as the socket lets it; whether it is over, or there is none.
    ///
    /// # Errors
    ///
    /// What is wrong with the connection, or with who is at its other end.
    pub(super) fn shake_hands(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else {
            return Ok(true);
        };
        tls.shake_hands(&self.socket)
            .or_else(|error| match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(false),
                _ => Err(error),
            })
    }

    /// Whether something can be read without a look at the socket.
    pub(super) fn has_plain(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_plain())
    }

    /// Whether something waits to be sent that nobody has to write again.
    pub(super) fn has_unsent(&self) -> bool {
        let unsent = |tls: &Sealed| tls.owed == 0 && tls.sent < tls.outgoing.len();
        self.tls.as_ref().is_some_and(|tls| unsent(tls))
    }

    /// Ends our half, all that was written being sent.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the server was faster.
    pub(super) fn shut_down_writing(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.say_goodbye(&self.socket)?;
        }
        self.socket.shutdown(Shutdown::Write)
    }
}

impl Sealed {
    fn has_plain(&self) -> bool {
        self.taken < self.plain.len()
    }

    fn shake_hands(&mut self, socket: &TcpStream) -> io::Result<bool> {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.open(&mut [])?;
        }
        loop {
            self.flush(socket)?;
            if !self.channel.is_handshaking() {
                return Ok(true);
            }
            match self.fetch(socket) {
                Ok(0) => return Err(cut_off()),
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }

    /// Reads records once and opens them; how many bytes came.
    fn fetch(&mut self, mut socket: &TcpStream) -> io::Result<usize> {
        let mut records = std::mem::take(&mut self.incoming);
        let kept = records.len();
        records.resize(kept + RECORDS, 0);
        let read = socket.read(&mut records[kept..]);
        let end = kept + *read.as_ref().unwrap_or(&0);
        let opened = match &read {
            Ok(1..) => self.open(&mut records[..end]),
            _ => Ok(0),
        };
        records.truncate(end);
        if let Ok(opened) = opened {
            records.drain(..opened);
        }
        self.incoming = records;
        if let Err(error) = opened {
            // The server may hear why; for us it makes no difference.
            let _ = self.flush(socket);
            return Err(error);
        }
        read
    }

    fn open(&mut self, records: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.plain.len() {
            self.plain.clear();
            self.taken = 0;
        }
        let plain = &mut self.plain;
        let take = |opened: &[u8]| plain.extend_from_slice(opened);
        let opened = self.channel.open(records, take, &mut self.outgoing);
        opened.map_err(|broken| io::Error::new(ErrorKind::InvalidData, broken))
    }

    fn read(&mut self, socket: &TcpStream, room: &mut [u8]) -> io::Result<usize> {
        while !self.has_plain() {
            if self.channel.has_ended() {
                return Ok(0);
            }
            if self.fetch(socket)? == 0 {
                return Err(cut_off());
            }
        }
        let length = room.len().min(self.plain.len() - self.taken);
        room[..length].copy_from_slice(&self.plain[self.taken..self.taken + length]);
        self.taken += length;
        Ok(length)
    }

    fn write(&mut self, socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        if self.owed == 0 {
            let piece = &bytes[..bytes.len().min(SEALED)];
            let sealed = self
                .channel
                .seal(&mut self.incoming, piece, &mut self.outgoing);
            if !sealed.map_err(io::Error::other)? {
                return Err(ErrorKind::NotConnected.into());
            }
            self.owed = piece.len();
        }
        self.flush(socket)?;
        Ok(std::mem::take(&mut self.owed))
    }

    fn flush(&mut self, mut socket: &TcpStream) -> io::Result<()> {
        while self.sent < self.outgoing.len() {
            match socket.write(&self.outgoing[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing.clear();
        self.sent = 0;
        Ok(())
    }

    fn say_goodbye(&mut self, socket: &TcpStream) -> io::Result<()> {
        let said = self
            .channel
            .say_goodbye(&mut self.incoming, &mut self.outgoing);
        said.map_err(io::Error::other)?;
        loop {
            match self.flush(socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut fds = [PollFd::new(socket, PollFlags::OUT)];
                    if poll(&mut fds, Some(&PARTING)) == Ok(0) {
                        return Ok(());
                    }
                }
                // Reading tells how the server left.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                result => return result,
            }
        }
    }
}

/// The end of a stream that did not say that it ends: anybody may have cut it off.
fn cut_off() -> io::Error {
    let why = "the connection was cut off before the server said that it ends";
    io::Error::new(ErrorKind::UnexpectedEof, why)
}

impl Read for &mut Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.read(&self.socket, room),
            None => (&self.socket).read(room),
        }
    }
}

impl Write for &mut Stream {
    /// What was not written must be at the front of what is written next.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.write(&self.socket, bytes),
            None => (&self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) if tls.owed == 0 => tls.flush(&self.socket),
            _ => Ok(()),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

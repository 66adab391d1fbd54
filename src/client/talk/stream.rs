//! One conversation over one stream: bytes out while bytes come in.

use crate::client::stream::Stream;
use crate::client::{Address, Error};
use crate::conversation::{Talking, Turn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a server is waited for after the client has closed its half, so that what it still
/// has to say is heard and a reset is noticed: 500 ms. A server that never closes is normal.
const PARTING: Duration = Duration::from_millis(500);

/// Bytes read at once.
const PIECE: usize = 16 * 1024;

/// One conversation with one server.
#[derive(Debug)]
pub struct Talk<T> {
    stream: Stream,
    talking: T,
    output: Vec<u8>,
    heard: VecDeque<String>,
    timeout: Duration,
    /// When something last went either way.
    moved: Instant,
    /// The server's system has not taken the connection yet, or the server has not shaken hands.
    connecting: bool,
    /// The server's system has taken it.
    is_connected: bool,
    /// The server has closed its side.
    ended: bool,
    /// When the client closed its half.
    left: Option<Instant>,
}

impl<T: Talking> Talk<T> {
    /// Connects. Nothing may move in a direction where something is owed for longer than
    /// `timeout`.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if nothing takes the connection.
    pub fn connect(address: &Address, talking: T, timeout: Duration) -> Result<Self, Error> {
        let stream = address.connect(timeout)?;
        stream.socket().set_nonblocking(true)?;
        Ok(Self::over(stream, talking, timeout)?)
    }

    /// Begins to connect to `peer`, one of where `address` is, without waiting.
    pub(super) fn begin(
        address: &Address,
        peer: SocketAddr,
        talking: T,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let socket = Socket::new(Domain::for_address(peer), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&peer.into()) {
            Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
            result => result?,
        }
        let talk = Self::over(address.stream(socket.into())?, talking, timeout)?;
        Ok(Self {
            connecting: true,
            ..talk
        })
    }

    fn over(stream: Stream, talking: T, timeout: Duration) -> io::Result<Self> {
        // A text is a segment of its own if the system can help it.
        stream.socket().set_nodelay(true)?;
        Ok(Self {
            stream,
            talking,
            output: Vec::new(),
            heard: VecDeque::new(),
            timeout,
            moved: Instant::now(),
            connecting: false,
            is_connected: false,
            ended: false,
            left: None,
        })
    }

    /// What is known of the conversation.
    pub fn talking(&self) -> &T {
        &self.talking
    }

    /// Whose turn it is.
    pub fn turn(&self) -> Turn {
        self.talking.turn()
    }

    /// Whether nobody on the way can read along: the server is this machine, or all is encrypted.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the connection is gone.
    pub fn is_private(&self) -> Result<bool, Error> {
        Ok(self.stream.is_private()?)
    }

    /// The next text that was heard and not taken yet.
    pub fn heard(&mut self) -> Option<String> {
        self.heard.pop_front()
    }

    /// Says `text` and waits until the system has all of it.
    ///
    /// # Errors
    ///
    /// [`Error::Unsayable`] leaves the conversation as it was; see [`Error`] for the others.
    pub fn say(&mut self, text: &str) -> Result<(), Error> {
        self.begin_to_say(text)?;
        self.wait_until(Self::is_flushed)
    }

    /// Hears what has come already, without waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the server has gone where that is not its part.
    pub fn glance(&mut self) -> Result<(), Error> {
        self.advance()
    }

    /// Waits until it is no longer the server's turn. What was heard before an error is there.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn listen(&mut self) -> Result<(), Error> {
        self.wait_until(|talk| talk.turn() != Turn::Listen)
    }

    /// Closes this half, and hears what the server still has to say.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the server did not take all that was said.
    pub fn leave(&mut self) -> Result<(), Error> {
        self.begin_to_leave()?;
        self.wait_until(Self::is_done)
    }

    pub(super) fn begin_to_say(&mut self, text: &str) -> Result<(), Error> {
        self.talking.say(text, &mut self.output)?;
        self.moved = Instant::now();
        Ok(())
    }

    pub(super) fn is_connecting(&self) -> bool {
        self.connecting
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.output.is_empty()
    }

    /// Closes this half, all that was said being flushed.
    pub(super) fn begin_to_leave(&mut self) -> Result<(), Error> {
        if self.left.is_none() && !self.ended {
            self.left = Some(Instant::now());
            match self.stream.shut_down_writing() {
                // The server was faster; reading tells how it left.
                Err(error) if error.kind() == ErrorKind::NotConnected => {}
                result => result?,
            }
        }
        Ok(())
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.left.is_some()
    }

    /// Whether nothing more is to come, or to be waited for.
    pub(super) fn is_done(&self) -> bool {
        self.ended || self.left.is_some_and(|left| left.elapsed() >= PARTING)
    }

    /// What is waited for, and for how long at most.
    pub(super) fn wanted(&self) -> (PollFd<'_>, Instant) {
        let mut flags = PollFlags::IN;
        // A handshake waits for the server, once the system has taken the connection.
        let connects = self.connecting && !self.is_connected;
        let writes = !self.connecting && !self.output.is_empty();
        if connects || writes || self.stream.has_unsent() {
            flags |= PollFlags::OUT;
        }
        let until = match self.left {
            _ if self.stream.has_plain() => Instant::now(),
            Some(left) => left + PARTING,
            None => self.moved + self.timeout,
        };
        (PollFd::new(&self.stream, flags), until)
    }

    /// Does what can be done without waiting.
    pub(super) fn advance(&mut self) -> Result<(), Error> {
        if self.connecting && !self.finish_connecting()? {
            return Ok(());
        }
        let written = self.write();
        // Read all the same: the server may have said why it doesn't listen any more.
        self.read()?;
        written?;
        let owed = self.turn() == Turn::Listen || !self.is_flushed();
        if owed && self.left.is_none() && self.moved.elapsed() >= self.timeout {
            return Err(Error::TimedOut(self.timeout));
        }
        Ok(())
    }

    /// Whether the connection is there.
    fn finish_connecting(&mut self) -> io::Result<bool> {
        if let Some(error) = self.stream.socket().take_error()? {
            return Err(error);
        }
        match self.stream.socket().peer_addr() {
            Ok(_) => {
                self.is_connected = true;
                if self.stream.shake_hands()? {
                    self.connecting = false;
                    self.moved = Instant::now();
                } else if self.moved.elapsed() >= self.timeout {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) if error.kind() != ErrorKind::NotConnected => return Err(error),
            Err(_) if self.moved.elapsed() >= self.timeout => {
                return Err(ErrorKind::TimedOut.into());
            }
            Err(_) => {}
        }
        Ok(!self.connecting)
    }

    fn write(&mut self) -> Result<(), Error> {
        let mut sent = 0;
        let result = loop {
            if sent == self.output.len() {
                break Ok(());
            }
            match (&mut self.stream).write(&self.output[sent..]) {
                Ok(bytes) => {
                    sent += bytes;
                    self.moved = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(error) => break Err(error.into()),
            }
        };
        self.output.drain(..sent);
        result
    }

    fn read(&mut self) -> Result<(), Error> {
        let mut piece = [0; PIECE];
        while !self.ended {
            match (&mut self.stream).read(&mut piece) {
                Ok(0) => return self.end(None),
                Ok(bytes) => {
                    self.moved = Instant::now();
                    self.heard.extend(self.talking.hear(&piece[..bytes]));
                    // Whoever shows what is heard comes first: a server may never stop.
                    if bytes == PIECE {
                        return Ok(());
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::Interrupted => {}
                    _ => return self.end(Some(error)),
                },
            }
        }
        Ok(())
    }

    /// Takes that nothing more comes.
    fn end(&mut self, error: Option<io::Error>) -> Result<(), Error> {
        self.ended = true;
        let broken = match self.talking.end() {
            // A reset behind the last word takes nothing away.
            Ok(rest) => {
                self.heard.extend(rest);
                return Ok(());
            }
            Err(broken) => broken,
        };
        if !broken.rest.is_empty() {
            self.heard.push_back(broken.rest);
        }
        match error {
            Some(error) => Err(error.into()),
            None if self.is_leaving() => Ok(()),
            None => Err(Error::Closed { going_away: false }),
        }
    }

    fn wait_until(&mut self, enough: impl Fn(&Self) -> bool) -> Result<(), Error> {
        loop {
            self.advance()?;
            if enough(self) {
                return Ok(());
            }
            let (fd, until) = self.wanted();
            wait(&mut [fd], until)?;
        }
    }
}

/// Waits until one of `fds` is ready or it is `until`.
pub(super) fn wait(fds: &mut [PollFd<'_>], until: Instant) -> Result<(), Error> {
    let left = until.saturating_duration_since(Instant::now());
    match poll(fds, Timespec::try_from(left).ok().as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(Error::Io(error.into())),
    }
}

#[cfg(test)]
mod tests;

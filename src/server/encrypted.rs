//! TLS between a connection and its socket. Records that are not whole are kept here, and sealed bytes
//! until the socket takes them; at rest there are neither. What records mean is left to
//! [`crate::tls`].

use super::socket;
use super::stream::Received;
use crate::budget::Charge;
use crate::tls::{Broken, Channel};
use std::io;
use std::net::{Shutdown, TcpStream};

/// Bytes of records that are read at once: those of one turn.
const RECORDS: usize = 64 << 10;

/// Plaintext that is sealed at once, in bytes.
const SEALED: usize = 64 << 10;

/// Bytes of a handshake that are taken in at once.
const GATHERED: usize = 16 << 10;

/// How much of a handshake is taken in before it is whole, in bytes: a message of it is never so long.
const HELLO: usize = 20 << 10;

/// What a connection keeps at rest, in bytes: two keys and what belongs to them.
const AT_REST: usize = 2 << 10;

/// Capacity for what is sent that is kept at rest, in bytes.
const KEEP: usize = 1 << 10;

pub(super) struct Encrypted {
    channel: Channel,
    /// Records that are not whole, or that wait for a permit.
    incoming: Vec<u8>,
    /// Whether some of them were not looked at yet.
    is_fresh: bool,
    /// Sealed bytes, of which `sent` have left.
    outgoing: Vec<u8>,
    sent: usize,
    /// Sealed bytes that have ever left, by which progress is judged.
    sent_ever: u64,
    /// How many bytes of an outbox the last of them stand for. Those count as sent when all of these
    /// are: so what waits here waits in the outbox as well, and nobody has to ask both.
    owed: usize,
    /// Whether our half ends once all is sent.
    ends: bool,
    /// Whether the peer doesn't speak TLS: what it sends is thrown away, and so is what it is sent.
    is_broken: bool,
    charge: Charge,
}

impl Encrypted {
    pub(super) fn new(channel: Channel, charge: Charge) -> Self {
        let mut new = Self {
            channel,
            incoming: Vec::new(),
            is_fresh: false,
            outgoing: Vec::new(),
            sent: 0,
            sent_ever: 0,
            owed: 0,
            ends: false,
            is_broken: false,
            charge,
        };
        new.settle();
        new
    }

    pub(super) fn is_handshaking(&self) -> bool {
        !self.is_broken && self.channel.is_handshaking()
    }

    /// Whether something waits that no outbox knows of.
    pub(super) const fn has_unsent(&self) -> bool {
        self.sent < self.outgoing.len()
    }

    /// Sealed bytes that have ever left.
    pub(super) const fn sent_ever(&self) -> u64 {
        self.sent_ever
    }

    /// How much is taken in that is not yet a whole record, or a whole message of the handshake. A
    /// stranger gets less.
    fn most(&self) -> usize {
        if self.is_handshaking() {
            HELLO
        } else {
            RECORDS
        }
    }

    pub(super) const fn has_part(&self) -> bool {
        !self.incoming.is_empty()
    }

    /// See [`super::stream::Stream::gather`].
    pub(super) fn gather(&mut self, socket: &TcpStream) -> io::Result<(bool, bool)> {
        if self.is_fresh || self.incoming.len() + GATHERED > self.most() {
            return Ok((true, true));
        }
        let kept = self.incoming.len();
        self.incoming.resize(kept + GATHERED, 0);
        let received = socket::receive(socket, &mut self.incoming[kept..]);
        self.incoming
            .truncate(kept + *received.as_ref().unwrap_or(&0));
        let received = match received {
            // Reading comes to the end once more.
            Ok(0) => return Ok((true, true)),
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((false, false)),
            Err(error) => return Err(error),
        };
        self.is_fresh = true;
        self.settle();
        Ok((true, received == GATHERED))
    }

    /// See [`super::stream::Stream::receive`].
    pub(super) fn receive(
        &mut self,
        socket: &TcpStream,
        room: &mut [u8],
        records: &mut Vec<u8>,
    ) -> io::Result<Received> {
        if self.channel.has_ended() {
            return Ok(Received::End { is_cut_off: false });
        }
        records.resize(RECORDS, 0);
        // The plaintext is never longer than its records, so what fits here fits there.
        let most = room.len().min(self.most());
        let kept = self.incoming.len();
        let (mut filled, mut taken, mut more) = (kept, 0, true);
        if !std::mem::take(&mut self.is_fresh) {
            if kept >= most {
                return Ok(self.break_off(Broken::General("a record without an end".to_owned())));
            }
            taken = socket::receive(socket, &mut records[kept..most])?;
            if taken == 0 {
                return Ok(Received::End { is_cut_off: true });
            }
            filled += taken;
            more = filled == most;
        }
        if self.is_broken {
            return Ok(Received::Bytes {
                count: 0,
                taken,
                more,
            });
        }
        records[..kept].copy_from_slice(&self.incoming);
        let mut count = 0;
        let put = |plain: &[u8]| {
            room[count..count + plain.len()].copy_from_slice(plain);
            count += plain.len();
        };
        let opened = self
            .channel
            .open(&mut records[..filled], put, &mut self.outgoing);
        self.incoming.clear();
        match opened {
            Ok(opened) => {
                self.incoming.extend_from_slice(&records[opened..filled]);
                if self.incoming.is_empty() {
                    self.incoming = Vec::new();
                }
                self.settle();
                if count == 0 && self.channel.has_ended() {
                    return Ok(Received::End { is_cut_off: false });
                }
                // The end is found by the next read, without the socket.
                let more = more || self.channel.has_ended();
                Ok(Received::Bytes { count, taken, more })
            }
            Err(broken) => Ok(self.break_off(broken)),
        }
    }

    fn break_off(&mut self, broken: Broken) -> Received {
        self.is_broken = true;
        self.incoming = Vec::new();
        self.settle();
        Received::Broken(broken)
    }

    /// See [`super::stream::Stream::send`].
    pub(super) fn send(
        &mut self,
        socket: &TcpStream,
        bytes: &[u8],
        more: bool,
    ) -> io::Result<usize> {
        if self.is_broken {
            return Ok(bytes.len());
        }
        if self.owed == 0 {
            let piece = &bytes[..bytes.len().min(SEALED)];
            let sealed = self
                .channel
                .seal(&mut self.incoming, piece, &mut self.outgoing);
            if !sealed.map_err(io::Error::other)? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.owed = piece.len();
        }
        self.write(socket, more)?;
        Ok(std::mem::take(&mut self.owed))
    }

    /// See [`super::stream::Stream::flush`].
    pub(super) fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        if self.owed > 0 || !self.has_unsent() {
            return Ok(());
        }
        match self.write(socket, false) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }

    /// Says that our half ends, and ends it once that has left.
    pub(super) fn shut_down_writing(&mut self, socket: &TcpStream) -> io::Result<()> {
        if self.ends {
            return Ok(());
        }
        self.ends = true;
        // What an outbox was to send behind this it has given up.
        self.owed = 0;
        if !self.is_broken {
            self.channel
                .say_goodbye(&mut self.incoming, &mut self.outgoing)
                .map_err(io::Error::other)?;
        }
        self.write(socket, false)
    }

    /// Sends what is sealed.
    fn write(&mut self, socket: &TcpStream, more: bool) -> io::Result<()> {
        let result = loop {
            if !self.has_unsent() {
                break Ok(());
            }
            match socket::send(socket, &self.outgoing[self.sent..], more) {
                Ok(sent) => {
                    self.sent += sent;
                    self.sent_ever += sent as u64;
                }
                Err(error) => break Err(error),
            }
        };
        if result.is_ok() {
            self.outgoing.clear();
            self.outgoing.shrink_to(KEEP);
            self.sent = 0;
        }
        self.settle();
        result?;
        if self.ends {
            socket.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    fn settle(&mut self) {
        let kept = self.incoming.capacity() + self.outgoing.capacity();
        self.charge.set(AT_REST + kept);
    }
}

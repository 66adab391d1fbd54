//! The body of a reply on its way from its source to the socket: in pieces, as fast as the peer
//! takes them, with a permit while the disk is read. What leaves before and after it, and when, is
//! left to `sending`.

use super::connection::Inside;
use super::outbox::Outbox;
use super::socket;
use super::stream::Stream;
use super::turn::Turn;
use crate::handler::{Cost, Source};
use crate::wire::{Id, Refusal, Reply};
use std::error::Error;
use std::io;

/// Bytes of a source that are sent in one turn before others get theirs.
pub(super) const TURN_SOURCE: u64 = 1 << 20;

/// A body of at most so many bytes is read at once and leaves together with its header: up to here
/// that costs no more than a call of its own to have the kernel send it.
const SMALL: u64 = 16 << 10;

/// Bytes that are read at once of what the kernel can't send by itself.
const READ: u64 = 64 << 10;

const SHRUNK: &str = "a file shrank while it was sent";

/// A body whose header has been said.
pub(super) struct Transfer {
    source: Box<dyn Source>,
    /// Where in the body the next byte stands.
    at: u64,
    /// Bytes of the body that are left.
    left: u64,
    /// Bytes that are left of the piece that was opened.
    piece: u64,
    /// Whether the kernel may still be asked to send from the file.
    by_kernel: bool,
}

impl Transfer {
    /// `is_encrypted` says that the kernel would send what nobody has encrypted.
    fn new(source: Box<dyn Source>, is_encrypted: bool) -> Self {
        Self {
            at: 0,
            left: source.bytes(),
            piece: 0,
            by_kernel: source.file().is_some() && !is_encrypted,
            source,
        }
    }

    /// Whether the kernel sends what comes behind the outbox.
    pub(super) const fn goes_on(&self) -> bool {
        self.by_kernel && self.left > 0
    }

    fn advance(&mut self, bytes: u64) {
        self.at += bytes;
        self.left -= bytes;
        self.piece -= bytes;
    }

    /// Reads the next bytes of the piece, at most `most`, into `outbox`.
    fn read(&mut self, most: u64, outbox: &mut Outbox) -> io::Result<u64> {
        // Fits: it is at most READ.
        let most = most.min(self.piece).min(READ) as usize;
        let out = outbox.end();
        let start = out.len();
        out.resize(start + most, 0);
        let result = self.source.read_at(self.at, &mut out[start..]);
        let read = result.as_ref().map_or(0, |read| (*read).min(most));
        out.truncate(start + read);
        match result {
            Ok(_) if read == 0 => Err(broken(SHRUNK)),
            Ok(_) => {
                self.advance(read as u64);
                Ok(read as u64)
            }
            Err(error) => Err(broken(error)),
        }
    }

    /// Sends some of the piece, at most `most` bytes, to `stream`, or moves them to `outbox`.
    fn send(&mut self, most: u64, stream: &Stream, outbox: &mut Outbox) -> io::Result<u64> {
        if let Some((file, begin)) = self.source.file().filter(|_| self.by_kernel) {
            let most = most.min(self.piece);
            match socket::send_file(stream.socket(), file, begin + self.at, most) {
                Ok(0) => return Err(broken(SHRUNK)),
                Ok(sent) => {
                    self.advance(sent);
                    return Ok(sent);
                }
                Err(error) if cannot(&error) => self.by_kernel = false,
                Err(error) => return Err(error),
            }
        }
        self.read(most, outbox)
    }
}

/// Why a body can't go on: the fault of the source, which the operator should know of.
fn broken(reason: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    let error = io::Error::new(io::ErrorKind::UnexpectedEof, reason);
    tracing::error!(%error, "the body of a reply broke off");
    error
}

/// Whether the kernel can't send from this kind of file.
fn cannot(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

impl Turn<'_> {
    /// Says `reply`, with the body that is in `source` behind it.
    ///
    /// # Errors
    ///
    /// The refusal to be said in its place.
    pub(super) fn say_source(
        &mut self,
        inside: &mut Inside,
        id: Option<&Id>,
        reply: &Reply,
        source: Box<dyn Source>,
    ) -> Result<(), Refusal> {
        if !inside.replies.is_empty() || inside.reader.is_open() {
            tracing::error!("a handler that overlaps answered with a source");
            return Err(Refusal::internal());
        }
        let bytes = source.bytes();
        let start = inside.outbox.end().len();
        let out = inside.outbox.end();
        if !inside.conversation.answer_header(id, reply, bytes, out) || bytes == 0 {
            return Ok(());
        }
        let is_encrypted = inside.stream.as_ref().is_some_and(Stream::is_encrypted);
        let mut transfer = Transfer::new(source, is_encrypted);
        if bytes > SMALL {
            inside.transfer = Some(transfer);
            return Ok(());
        }
        while transfer.left > 0 {
            if transfer.piece == 0 {
                let out = inside.outbox.end();
                transfer.piece = inside.conversation.open_piece(transfer.left, out);
            }
            if transfer.read(SMALL, &mut inside.outbox).is_err() {
                // Nothing of it has left yet.
                inside.outbox.end().truncate(start);
                return Err(Refusal::internal());
            }
        }
        Ok(())
    }

    /// Goes on with the body under way, if there is one, behind an empty outbox. `false` if it
    /// must wait: for the peer, for a permit, or for the next turn.
    pub(super) fn go_on(&mut self, inside: &mut Inside) -> io::Result<bool> {
        loop {
            let Some(transfer) = &mut inside.transfer else {
                return Ok(true);
            };
            if transfer.left == 0 {
                self.end_transfer(inside)?;
                return Ok(true);
            }
            if transfer.piece == 0 {
                let out = inside.outbox.end();
                transfer.piece = inside.conversation.open_piece(transfer.left, out);
                return Ok(true);
            }
            if self.source_left == 0 || !self.enter(inside, Cost::Blocking) {
                return Ok(false);
            }
            let (Some(transfer), Some(stream)) = (&mut inside.transfer, &inside.stream) else {
                return Ok(false);
            };
            if transfer.at == 0 && transfer.by_kernel {
                stream.socket().set_nonblocking(true)?;
            }
            // What the kernel sends is in nobody's memory.
            let is_lean = !transfer.by_kernel && self.core.house.budget.is_spent();
            let most = self.source_left.min(if is_lean { SMALL } else { u64::MAX });
            match transfer.send(most, stream, &mut inside.outbox) {
                Ok(sent) => {
                    self.source_left -= sent;
                    inside.progress += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            if !inside.outbox.is_empty() {
                return Ok(true);
            }
        }
    }

    fn end_transfer(&mut self, inside: &mut Inside) -> io::Result<()> {
        self.drop_transfer(inside);
        match &inside.stream {
            Some(stream) => stream.socket().set_nonblocking(false),
            None => Ok(()),
        }
    }

    /// Forgets the body under way.
    pub(super) fn drop_transfer(&mut self, inside: &mut Inside) {
        if inside.transfer.is_some() {
            // The last hold on a file that was removed meanwhile may be let go here.
            self.worker.give_way();
            inside.transfer = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::fs::FileExt;

    /// A part of a file, with or without the kernel's help.
    struct Part {
        file: File,
        begin: u64,
        bytes: u64,
        by_kernel: bool,
    }

    impl Source for Part {
        fn bytes(&self) -> u64 {
            self.bytes
        }

        fn read_at(&self, at: u64, room: &mut [u8]) -> io::Result<usize> {
            self.file.read_at(room, self.begin + at)
        }

        fn file(&self) -> Option<(BorrowedFd<'_>, u64)> {
            self.by_kernel.then(|| (self.file.as_fd(), self.begin))
        }
    }

    fn sockets() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, peer)
    }

    fn transfer(content: &[u8], begin: u64, by_kernel: bool) -> (Transfer, File) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let part = Part {
            file: file.try_clone().unwrap(),
            begin,
            bytes: content.len() as u64 - begin,
            by_kernel,
        };
        let mut transfer = Transfer::new(Box::new(part), false);
        transfer.piece = transfer.left;
        (transfer, file)
    }

    #[test]
    fn a_body_is_sent_as_far_as_the_peer_takes_it() {
        let content: Vec<u8> = (0..8u32 << 20).map(|at| (at % 251) as u8).collect();
        for by_kernel in [true, false] {
            let (stream, mut peer) = sockets();
            stream.set_nonblocking(true).unwrap();
            let mut stream = Stream::plain(stream);
            let (mut transfer, _file) = transfer(&content, 5, by_kernel);
            let mut outbox = Outbox::new(Budget::new(1 << 20).charge());
            let (mut received, mut waits) = (Vec::new(), 0);
            while transfer.left > 0 || !outbox.is_empty() {
                let sent = if outbox.is_empty() {
                    transfer.send(TURN_SOURCE, &stream, &mut outbox).map(drop)
                } else {
                    outbox.flush(&mut stream, false).map(drop)
                };
                if let Err(error) = sent {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    waits += 1;
                    let mut room = vec![0; 1 << 20];
                    let read = peer.read(&mut room).unwrap();
                    received.extend_from_slice(&room[..read]);
                }
            }
            drop(stream);
            peer.read_to_end(&mut received).unwrap();
            assert!(received == content[5..], "by kernel: {by_kernel}");
            assert!(
                waits > 0,
                "a peer that doesn't read is waited for, not in the call"
            );
        }
    }

    #[test]
    fn a_file_that_shrinks_breaks_the_body_off() {
        for by_kernel in [true, false] {
            let (stream, _peer) = sockets();
            stream.set_nonblocking(true).unwrap();
            let stream = Stream::plain(stream);
            let (mut transfer, file) = transfer(&[1; 100], 0, by_kernel);
            file.set_len(60).unwrap();
            let mut outbox = Outbox::new(Budget::new(1 << 20).charge());
            assert_eq!(transfer.send(100, &stream, &mut outbox).unwrap(), 60);
            let broken = transfer.send(100, &stream, &mut outbox).unwrap_err();
            assert_eq!(broken.to_string(), SHRUNK);
        }
    }
}

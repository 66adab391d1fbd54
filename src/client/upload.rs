//! Sending a file without holding it, and noticing a refusal before all of it is sent.

use super::{Ack, Client, Error, Stored};
use crate::conversation::framed::FileFrames;
use crate::wire::{Header, WantedDigest, frame};
use socket2::SockRef;
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

/// How a file is posted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilePost {
    /// The name it asks for.
    pub name: String,
    /// The room in which it appears as a message, if any.
    pub room: Option<String>,
    /// Makes the message exactly-once, as [`Post::key`](super::Post::key) does.
    pub key: Option<String>,
    /// When the receipt comes.
    pub ack: Ack,
    /// What its content must hash to, or that the server shall compute it. Only with a value can
    /// a broken upload be resumed.
    pub digest: Option<WantedDigest>,
}

impl FilePost {
    /// A file that asks for `name` and nothing else.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The header of a file of `size` bytes posted so, from `offset` on.
    #[must_use]
    pub fn header(&self, size: u64, offset: u64) -> Header {
        let mut header = Header::new("file")
            .with("file_name", self.name.as_str())
            .with("size", size);
        if offset > 0 {
            header = header.with("offset", offset);
        }
        if let Some(digest) = &self.digest {
            header = header.with("digest", digest.to_string());
        }
        if let Some(room) = &self.room {
            header = header.with("room", room.as_str());
        }
        if let Some(key) = &self.key {
            header = header.with("key", key.as_str());
        }
        match self.ack {
            Ack::Durable => header,
            Ack::Received => header.with("ack", self.ack.word()),
        }
    }
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Bytes of the file that the server's machine has confirmed, at least. Until the receipt
    /// this is what can be known without asking the server: the bytes handed to the system less
    /// the most that it may still hold back (its send buffer). So it never shows what is only
    /// queued on this side, and reaches the size only with the receipt.
    pub confirmed: u64,
    /// Bytes of the file in all.
    pub size: u64,
}

/// The phases of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Bytes are on their way.
    Sending,
    /// All are on their way; the server makes them safe.
    Waiting,
    /// The receipt is here.
    Stored,
}

/// Bytes read from the file at once.
const PIECE: usize = 256 * 1024;

/// What a slow disk writes in a second, in bytes. Behind the last byte of a long file the server may
/// be silent for as long as that takes.
const SLOW_DISK: u64 = 16 * 1024 * 1024;

/// After a refusal, up to this many bytes that the server still expects are sent all the same,
/// so that the connection can be used on: the server throws them away. With more to go the
/// connection is given up.
const REST: u64 = 1024 * 1024;

impl Client {
    /// Sends a file under `name` and waits for its receipt. `size` is what `reader` holds, in
    /// bytes; what it holds beyond that is not sent.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] if `reader` fails or ends before `size` bytes, after which the
    /// connection is over and the server keeps nothing of the file; [`Error::Refused`], perhaps
    /// long before all is sent, after which [`is_open`](Self::is_open) tells whether the
    /// connection could be kept; otherwise see [`Error`].
    pub fn send_file(
        &mut self,
        name: &str,
        mut reader: impl Read,
        size: u64,
        mut progress: impl FnMut(Progress),
    ) -> Result<Stored, Error> {
        self.post_file(&FilePost::new(name), &mut reader, size, 0, &mut progress)
    }

    /// Sends a file of `size` bytes from `offset` on, which `reader` begins with, and waits for its
    /// receipt.
    ///
    /// # Errors
    ///
    /// As [`send_file`](Self::send_file); an `offset` that is not where the server's partial ends
    /// is refused as `conflict`, with the right one.
    ///
    /// # Panics
    ///
    /// If `offset` is above `size`.
    pub fn post_file(
        &mut self,
        post: &FilePost,
        reader: &mut dyn Read,
        size: u64,
        offset: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Stored, Error> {
        assert!(offset <= size, "a file has nothing behind its end");
        let header = post.header(size, offset);
        let id = self.next(|header, out| header.write(out), header)?;
        self.connection.flush()?;
        let sent = self.send_body(id, reader, (size, offset), progress);
        if let Err(error) = sent {
            self.connection.give_up();
            // A server that refuses a long file may close before it has seen all of it.
            if !self.connection.ledger().is_answered(id) {
                return Err(error);
            }
        }
        let stored = Stored::try_from(self.wait_for_receipt(id, size)?)?;
        progress(Progress {
            phase: Phase::Stored,
            confirmed: size,
            size,
        });
        Ok(stored)
    }

    /// Waits for the receipt of a file of `size` bytes: no shorter than a slow disk takes for it.
    fn wait_for_receipt(&mut self, id: u64, size: u64) -> Result<super::Reply, Error> {
        let slow = Duration::from_secs(size / SLOW_DISK);
        let usual = self.connection.timeout();
        self.connection.set_timeout(usual.max(slow));
        let reply = self.wait_for(id);
        self.connection.set_timeout(usual);
        reply
    }

    fn send_body(
        &mut self,
        id: u64,
        reader: &mut dyn Read,
        (size, offset): (u64, u64),
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let mut frames = FileFrames::new(size - offset);
        let most = usize::try_from(frames.left()).map_or(PIECE, |left| left.min(PIECE));
        let mut buffer = vec![0; frame::PREFIX + most];
        let mut confirmed = offset;
        while frames.left() > 0 {
            let most = usize::try_from(frames.left()).map_or(PIECE, |left| left.min(PIECE));
            let end = frame::PREFIX + most;
            // What is there goes: a slow reader is no dead sender.
            let got = read_some(reader, &mut buffer[frame::PREFIX..end])?;
            self.send_piece(&mut frames, &mut buffer[..frame::PREFIX + got])?;
            self.connection.glance()?;
            if self.connection.ledger().is_answered(id) {
                if frames.left() > REST {
                    self.connection.give_up();
                    return Ok(());
                }
            } else {
                let handed = size - frames.left();
                let held = held_back(self.connection.stream().socket());
                confirmed = handed.saturating_sub(held).max(confirmed);
                progress(Progress {
                    phase: if frames.left() == 0 {
                        Phase::Waiting
                    } else {
                        Phase::Sending
                    },
                    confirmed,
                    size,
                });
            }
        }
        Ok(())
    }

    /// Sends the file's next bytes, which stand in `buffer` behind room for a prefix.
    fn send_piece(&mut self, frames: &mut FileFrames, buffer: &mut [u8]) -> Result<(), Error> {
        let mut start = frame::PREFIX;
        while start < buffer.len() {
            let Some((prefix, length)) = frames.advance(buffer.len() - start) else {
                return Ok(());
            };
            let end = start + length;
            if let Some(prefix) = prefix {
                // What stands there is sent already.
                start -= frame::PREFIX;
                buffer[start..start + frame::PREFIX].copy_from_slice(&prefix);
            }
            self.connection.send(&buffer[start..end])?;
            start = end;
        }
        Ok(())
    }
}

/// Reads at least one byte.
fn read_some(reader: &mut dyn Read, piece: &mut [u8]) -> Result<usize, Error> {
    loop {
        match reader.read(piece) {
            Ok(0) => return Err(shrunk(ErrorKind::UnexpectedEof.into())),
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(shrunk(error)),
        }
    }
}

/// The most bytes that the system may still hold of what it was handed. The buffer's limit
/// counts its bookkeeping too, so fewer bytes fit; it may be passed by one segment of 64 KiB.
/// (What is really unacknowledged is told by an ioctl for which there is no safe wrapper.)
pub(super) fn held_back(stream: &TcpStream) -> u64 {
    let buffer = SockRef::from(stream).send_buffer_size();
    buffer.map_or(u64::MAX, |bytes| bytes as u64 + 64 * 1024)
}

pub(super) fn shrunk(error: io::Error) -> Error {
    if error.kind() == ErrorKind::UnexpectedEof {
        let now = "the file became shorter while it was sent";
        return Error::Unreadable(io::Error::new(ErrorKind::UnexpectedEof, now));
    }
    Error::Unreadable(error)
}

#[cfg(test)]
mod tests;

//! Sending a file without holding it, and noticing a refusal before all of it is sent.

use super::{Client, Error, Stored};
use crate::conversation::framed::FileFrames;
use crate::wire::{Header, frame};
use socket2::SockRef;
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;

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
        self.upload(name, &mut reader, size, &mut progress)
    }

    fn upload(
        &mut self,
        name: &str,
        reader: &mut dyn Read,
        size: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Stored, Error> {
        let header = Header::new("file")
            .with("file_name", name)
            .with("size", size);
        let id = self.next(|header, out| header.write(out), header)?;
        self.connection.flush()?;
        let sent = self.send_body(id, reader, size, progress);
        if let Err(error) = sent {
            self.connection.give_up();
            // A server that refuses a long file may close before it has seen all of it.
            if !self.connection.ledger().is_answered(id) {
                return Err(error);
            }
        }
        let stored = Stored::try_from(self.wait_for(id)?)?;
        progress(Progress {
            phase: Phase::Stored,
            confirmed: size,
            size,
        });
        Ok(stored)
    }

    fn send_body(
        &mut self,
        id: u64,
        reader: &mut dyn Read,
        size: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let mut frames = FileFrames::new(size);
        let mut buffer = vec![0; frame::PREFIX + PIECE];
        let mut confirmed = 0;
        while let Some((prefix, length)) = frames.advance(PIECE) {
            let end = frame::PREFIX + length;
            reader
                .read_exact(&mut buffer[frame::PREFIX..end])
                .map_err(shrunk)?;
            let start = match prefix {
                Some(prefix) => {
                    buffer[..frame::PREFIX].copy_from_slice(&prefix);
                    0
                }
                None => frame::PREFIX,
            };
            self.connection.send(&buffer[start..end])?;
            self.connection.glance()?;
            if self.connection.ledger().is_answered(id) {
                if frames.left() > REST {
                    self.connection.give_up();
                    return Ok(());
                }
            } else {
                let handed = size - frames.left();
                let held = held_back(self.connection.stream());
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

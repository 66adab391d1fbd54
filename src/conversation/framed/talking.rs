//! The talking side of the framed conversation: what a server's bytes mean, and the bytes of a
//! request. Which request an answer belongs to, sockets and deadlines are left to
//! [`mod@crate::client`].

use crate::wire::{Header, HeaderError, Incoming, frame};
use std::fmt;

/// The longest header that is believed of a server, in bytes: 64 KiB. Every reply of the protocol
/// stays far below it; what is long comes as a body.
pub const MAX_REPLY_HEADER: usize = 64 * 1024;

/// What a server's bytes turned out to be. Each [`Event::Header`] is followed by the pieces of its
/// body, if it announced one, and by [`Event::End`]; nothing else ever comes between.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// A reply, a refusal or a push began.
    Header(Incoming),
    /// The next piece of its body, never empty. Cut as the bytes came, not as they were framed.
    Body(&'a [u8]),
    /// It is whole.
    End,
}

/// The server's bytes are not the framed conversation; nothing behind them can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// A header frame announced this length: negative, or above [`MAX_REPLY_HEADER`].
    HeaderLength(i32),
    /// A header that is neither a reply nor a push.
    Header(HeaderError),
    /// A body frame announced `length` bytes where `left` were still to come.
    BodyLength {
        /// What the frame announced.
        length: i32,
        /// What the header had promised and had not come yet.
        left: u64,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderLength(length) => {
                write!(f, "a header of {length} bytes, which cannot be one")
            }
            Self::Header(error) => write!(f, "a header that cannot be read: {error}"),
            Self::BodyLength { length, left } => {
                write!(f, "a frame of {length} bytes where {left} were to come")
            }
        }
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Header(error) => Some(error),
            Self::HeaderLength(_) | Self::BodyLength { .. } => None,
        }
    }
}

/// Reads what a server says. Holds no bytes: what [`advance`](Self::advance) leaves in its input
/// is to be offered again, with more behind it.
#[derive(Debug, Default)]
pub struct Talking {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Header,
    Body {
        /// Bytes of the body still to come.
        left: u64,
        /// Bytes of the current frame still to come, at most `left`.
        frame: u64,
    },
}

impl Talking {
    /// At the start of a conversation, where the client speaks first.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next event off the front of `input`; `None` when that needs bytes that are not
    /// there yet. Input that is never more than one header frame
    /// (4 + [`MAX_REPLY_HEADER`] bytes) is enough to get on.
    ///
    /// # Errors
    ///
    /// [`Broken`] if this is not the framed conversation. The machine is of no more use then.
    pub fn advance<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Broken> {
        loop {
            match &mut self.state {
                State::Header => return self.header(input),
                State::Body { left: 0, .. } => {
                    self.state = State::Header;
                    return Ok(Some(Event::End));
                }
                State::Body { left, frame: 0 } => {
                    let Some((prefix, rest)) = input.split_first_chunk() else {
                        return Ok(None);
                    };
                    let length = frame::length(*prefix).map(|length| length as u64);
                    let Some(length) = length.filter(|length| *length <= *left) else {
                        let (length, left) = (i32::from_le_bytes(*prefix), *left);
                        return Err(Broken::BodyLength { length, left });
                    };
                    let left = *left;
                    *input = rest;
                    self.state = State::Body {
                        left,
                        frame: length,
                    };
                }
                State::Body { left, frame } => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let here = usize::try_from(*frame).map_or(input.len(), |n| n.min(input.len()));
                    let (piece, rest) = input.split_at(here);
                    *input = rest;
                    *left -= here as u64;
                    *frame -= here as u64;
                    return Ok(Some(Event::Body(piece)));
                }
            }
        }
    }

    /// Whether the last thing that began is whole, so that an end of the stream here, with no
    /// input left over, breaks nothing off.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Header)
    }

    fn header<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Broken> {
        let payload = frame::split(input, MAX_REPLY_HEADER).map_err(Broken::HeaderLength)?;
        let Some(payload) = payload else {
            return Ok(None);
        };
        let incoming = Incoming::parse(payload).map_err(Broken::Header)?;
        let left = match &incoming {
            Incoming::Reply { body, .. } | Incoming::Push { body, .. } => *body,
            Incoming::Refused { .. } => 0,
        };
        self.state = State::Body { left, frame: 0 };
        Ok(Some(Event::Header(incoming)))
    }
}

/// Appends a request to `out`: its header and, where the type has one, the body as one frame.
///
/// # Panics
///
/// If `body` is longer than [`frame::MAX_PAYLOAD`]; a longer file is sent by [`FileFrames`].
pub fn write_request(header: &Header, body: Option<&[u8]>, out: &mut Vec<u8>) {
    header.write(out);
    if let Some(body) = body {
        frame::write(out, |out| out.extend_from_slice(body));
    }
}

/// Appends the word that ends a conversation to `out`.
pub fn write_close(out: &mut Vec<u8>) {
    frame::write(out, |out| out.extend_from_slice(b"close"));
}

/// Cuts the body of a `file` request that announced `size` into frames, without holding it.
#[derive(Debug)]
pub struct FileFrames {
    left: u64,
    frame: u32,
    longest: u32,
}

impl FileFrames {
    /// The longest frame that is opened, in bytes: 1 GiB. Long frames cost nobody memory, since
    /// both ends handle them in pieces.
    const LONGEST: u32 = 1 << 30;

    /// The frames of a body of `size` bytes; none at all when that is 0.
    #[must_use]
    pub const fn new(size: u64) -> Self {
        Self {
            left: size,
            frame: 0,
            longest: Self::LONGEST,
        }
    }

    /// Bytes of the file still to be sent.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Makes room for at most `most` of the file's next bytes (at least one): the prefix to send
    /// first if they open a frame, and how many bytes may follow. `None` once all are sent.
    pub fn advance(&mut self, most: usize) -> Option<(Option<[u8; frame::PREFIX]>, usize)> {
        if self.left == 0 {
            return None;
        }
        let mut prefix = None;
        if self.frame == 0 {
            self.frame =
                u32::try_from(self.left).map_or(self.longest, |left| left.min(self.longest));
            prefix = frame::prefix(self.frame as usize);
        }
        let here = u32::try_from(most.max(1)).map_or(self.frame, |most| most.min(self.frame));
        self.frame -= here;
        self.left -= u64::from(here);
        Some((prefix, here as usize))
    }
}

#[cfg(test)]
mod tests;

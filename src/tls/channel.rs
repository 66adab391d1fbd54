//! One TLS connection as a state machine: records in, bytes out, and the other way round. It keeps no
//! bytes between calls but what it has to send: a record that is not whole stays with the caller, so
//! that a connection at rest costs no buffer.

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{ClientConfig, ServerConfig};
use std::sync::Arc;

/// What sealing adds to a record at most: its header, a nonce, the type and the tag.
const OVERHEAD: usize = 64;

/// The longest plaintext of a record.
const RECORD: usize = 16 << 10;

/// Why a channel can't go on. The peer was told, if [`Channel::open`] had something to send.
pub type Broken = rustls::Error;

/// One side of a TLS connection.
pub struct Channel {
    side: Side,
    has_ended: bool,
    has_said_goodbye: bool,
}

/// Boxed: each is some hundreds of bytes.
enum Side {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// What there is to do in a state that permits to send.
enum Sending<'a> {
    Nothing,
    Bytes(&'a [u8]),
    Goodbye,
}

/// What became of one look at the input.
struct Step {
    /// Bytes at the front of the input that are done with.
    consumed: usize,
    is_last: bool,
    has_ended: bool,
    has_sent: bool,
}

impl Channel {
    /// The server's side of a connection.
    pub(super) fn accept(config: Arc<ServerConfig>) -> Result<Self, Broken> {
        let server = UnbufferedServerConnection::new(config)?;
        Ok(Self::new(Side::Server(Box::new(server))))
    }

    /// The client's side of a connection to `name`.
    pub(super) fn connect(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, Broken> {
        let client = UnbufferedClientConnection::new(config, name)?;
        Ok(Self::new(Side::Client(Box::new(client))))
    }

    const fn new(side: Side) -> Self {
        Self {
            side,
            has_ended: false,
            has_said_goodbye: false,
        }
    }

    /// Whether nothing can be sealed yet.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        match &self.side {
            Side::Client(client) => client.is_handshaking(),
            Side::Server(server) => server.is_handshaking(),
        }
    }

    /// Whether the peer said that it sends nothing more. What comes without having been said to be the
    /// end may have been cut off by anybody.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Opens what is whole in `input`: hands its plaintext to `take`, in order, and appends to `out`
    /// what is to be sent because of it. The plaintext is never longer than its records. How many bytes
    /// of the input are done with; the rest, which may have been changed, comes again with more behind
    /// it. A client calls this once with nothing to begin.
    ///
    /// # Errors
    ///
    /// [`Broken`]; `out` may have the alert that tells the peer why.
    pub fn open(
        &mut self,
        input: &mut [u8],
        mut take: impl FnMut(&[u8]),
        out: &mut Vec<u8>,
    ) -> Result<usize, Broken> {
        let mut consumed = 0;
        loop {
            match self.step(&mut input[consumed..], &mut take, out, &Sending::Nothing) {
                Ok(step) => {
                    consumed += step.consumed;
                    if step.is_last {
                        return Ok(consumed);
                    }
                }
                Err(broken) => {
                    // The alert comes before any look at the input.
                    while self.wants_write() {
                        self.step(&mut [], &mut take, out, &Sending::Nothing)?;
                    }
                    return Err(broken);
                }
            }
        }
    }

    /// Seals `plain` and appends it to `out`. `rest` is what [`open`](Self::open) left of the input.
    /// `false`, and nothing is done, while the handshake lasts.
    ///
    /// # Errors
    ///
    /// [`Broken`] if the keys are used up, which takes terabytes, or nothing can be sent any more.
    pub fn seal(
        &mut self,
        rest: &mut [u8],
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<bool, Broken> {
        self.send(rest, &Sending::Bytes(plain), out)
    }

    /// Appends to `out` that nothing more is sent. Once; `false` while the handshake lasts. `rest` is
    /// what [`open`](Self::open) left of the input.
    ///
    /// # Errors
    ///
    /// As [`seal`](Self::seal).
    pub fn say_goodbye(&mut self, rest: &mut [u8], out: &mut Vec<u8>) -> Result<bool, Broken> {
        if self.has_said_goodbye {
            return Ok(true);
        }
        self.has_said_goodbye = self.send(rest, &Sending::Goodbye, out)?;
        Ok(self.has_said_goodbye)
    }

    /// A state to send in is only reached with the input as it is: a message that came in part is
    /// remembered by where it stands there.
    fn send(
        &mut self,
        rest: &mut [u8],
        what: &Sending<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Broken> {
        if self.is_handshaking() {
            return Ok(false);
        }
        loop {
            let step = self.step(rest, &mut |_| {}, out, what)?;
            if step.consumed > 0 {
                return Err(Broken::General("input that was not opened".to_owned()));
            }
            if step.is_last {
                return match step.has_sent {
                    true => Ok(true),
                    false => Err(Broken::General("nothing can be sent any more".to_owned())),
                };
            }
        }
    }

    fn wants_write(&self) -> bool {
        match &self.side {
            Side::Client(client) => client.wants_write(),
            Side::Server(server) => server.wants_write(),
        }
    }

    fn step(
        &mut self,
        input: &mut [u8],
        take: &mut dyn FnMut(&[u8]),
        out: &mut Vec<u8>,
        sending: &Sending<'_>,
    ) -> Result<Step, Broken> {
        let step = match &mut self.side {
            Side::Client(client) => step(client.process_tls_records(input), take, out, sending),
            Side::Server(server) => step(server.process_tls_records(input), take, out, sending),
        }?;
        self.has_ended |= step.has_ended;
        Ok(step)
    }
}

fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    take: &mut dyn FnMut(&[u8]),
    out: &mut Vec<u8>,
    sending: &Sending<'_>,
) -> Result<Step, Broken> {
    let mut step = Step {
        consumed: status.discard,
        is_last: false,
        has_ended: false,
        has_sent: false,
    };
    match status.state? {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                step.consumed += record.discard;
                take(record.payload);
            }
        }
        ConnectionState::EncodeTlsData(mut data) => {
            let encode = |room: &mut [u8]| match data.encode(room) {
                Ok(written) => Ok(written),
                Err(EncodeError::InsufficientSize(error)) => Err(Some(error.required_size)),
                Err(EncodeError::AlreadyEncoded) => Err(None),
            };
            append(out, OVERHEAD, encode)?;
        }
        ConnectionState::TransmitTlsData(data) => data.done(),
        ConnectionState::PeerClosed => step.has_ended = true,
        ConnectionState::WriteTraffic(mut traffic) => {
            step.is_last = true;
            step.has_sent = true;
            write(&mut traffic, sending, out)?;
        }
        ConnectionState::Closed => {
            step.is_last = true;
            step.has_ended = true;
        }
        // Data before the handshake is over is never asked for.
        _ => step.is_last = true,
    }
    Ok(step)
}

fn write<Data>(
    traffic: &mut WriteTraffic<'_, Data>,
    sending: &Sending<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Broken> {
    let unfit = |error| match error {
        EncryptError::InsufficientSize(error) => Some(error.required_size),
        EncryptError::EncryptExhausted => None,
    };
    match sending {
        Sending::Nothing => Ok(()),
        Sending::Bytes(plain) => {
            let room = plain.len() + (plain.len() / RECORD + 1) * OVERHEAD;
            append(out, room, |room| {
                traffic.encrypt(plain, room).map_err(unfit)
            })
        }
        Sending::Goodbye => append(out, OVERHEAD, |room| {
            traffic.queue_close_notify(room).map_err(unfit)
        }),
    }
}

/// Lets `write` write behind the end of `out`, where it finds `room` bytes at first and as many as it
/// asks for if those are too few.
fn append(
    out: &mut Vec<u8>,
    room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<(), Broken> {
    let start = out.len();
    out.resize(start + room, 0);
    let mut result = write(&mut out[start..]);
    if let Err(Some(needed)) = result {
        out.resize(start + needed, 0);
        result = write(&mut out[start..]);
    }
    out.truncate(start + result.unwrap_or(0));
    match result {
        Ok(_) => Ok(()),
        Err(_) => Err(Broken::EncryptError),
    }
}

#[cfg(test)]
mod tests;

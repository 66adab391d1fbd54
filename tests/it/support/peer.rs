//! The other end of a framed conversation, written from the protocol document: shares no code with
//! the library, so that no fault of it can agree with itself.

use super::PATIENCE;
use serde_json::Value;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// A client on a plain socket.
pub(crate) struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Connects to `address`.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).expect("the server listens"))
    }

    /// A client on a socket that is connected.
    pub(crate) fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    /// The same connection once more, for another thread.
    #[track_caller]
    pub(crate) fn again(&self) -> Self {
        let stream = self.stream.try_clone().expect("there are descriptors");
        Self { stream }
    }

    /// The socket itself.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends `bytes` as they are.
    ///
    /// # Errors
    ///
    /// What the socket says, for tests of servers that hang up.
    pub(crate) fn try_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends `bytes` as they are.
    #[track_caller]
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.try_raw(bytes).expect("the server reads");
    }

    /// Sends one frame.
    #[track_caller]
    pub(crate) fn frame(&mut self, payload: &[u8]) {
        self.raw(&frame(payload));
    }

    /// Sends a header.
    #[track_caller]
    pub(crate) fn header(&mut self, header: &Value) {
        self.frame(header.to_string().as_bytes());
    }

    /// Sends a header and a body of one frame, as one segment.
    #[track_caller]
    pub(crate) fn request(&mut self, header: &Value, body: &[u8]) {
        self.raw(&[frame(header.to_string().as_bytes()), frame(body)].concat());
    }

    /// Ends this half of the connection.
    pub(crate) fn end(&mut self) {
        // The server may have hung up already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next frame, `None` at the end of the server's half.
    ///
    /// # Errors
    ///
    /// A reset, or silence beyond the patience.
    pub(crate) fn try_next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut prefix = [0; 4];
        match self.stream.read(&mut prefix[..1])? {
            0 => return Ok(None),
            _ => self.stream.read_exact(&mut prefix[1..])?,
        }
        let length = i32::from_le_bytes(prefix);
        let length = usize::try_from(length).map_err(|_| ErrorKind::InvalidData)?;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload)?;
        Ok(Some(payload))
    }

    /// The next frame.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let next = self.try_next().expect("the server answers");
        next.expect("the server has not hung up")
    }

    /// The next frame as JSON.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Value {
        let payload = self.next();
        serde_json::from_slice(&payload).unwrap_or_else(|error| {
            panic!("{error}: {:?}", String::from_utf8_lossy(&payload));
        })
    }

    /// Sends a header without a body and reads the answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, header: &Value) -> Value {
        self.header(header);
        self.answer()
    }

    /// Sends a header with a body and reads the answer.
    #[track_caller]
    pub(crate) fn ask_with(&mut self, header: &Value, body: &[u8]) -> Value {
        self.request(header, body);
        self.answer()
    }

    /// Asks for a ping, which must be answered next: what came before it is served, and the stream
    /// is in step.
    #[track_caller]
    pub(crate) fn assert_in_step(&mut self) {
        let answer = self.ask(&serde_json::json!({"msg_type": "ping", "id": "in step"}));
        assert_eq!(answer, serde_json::json!({"id": "in step", "ok": true}));
    }

    /// Reads to the end of the server's half, where nothing may be left.
    #[track_caller]
    pub(crate) fn assert_eof(&mut self) {
        match self.try_next() {
            Ok(None) => {}
            Ok(Some(frame)) => panic!("more came: {:?}", String::from_utf8_lossy(&frame)),
            Err(error) => panic!("no end came: {error}"),
        }
    }

    /// Expects that the connection goes without a word: it ends or is reset.
    #[track_caller]
    pub(crate) fn assert_gone(&mut self) {
        match self.stream.read(&mut [0]) {
            Ok(0) => {}
            Ok(_) => panic!("something was said"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }

    /// All that is said until the end of the server's half, frames or not.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = self.stream.read_to_end(&mut rest);
        read.expect("the server ends its half");
        rest
    }

    /// Expects the last word with `code`, and then the end.
    #[track_caller]
    pub(crate) fn assert_last_word(&mut self, code: &str) {
        let word = self.answer();
        assert_eq!(
            (&word["msg_type"], &word["code"]),
            (&"error".into(), &code.into()),
            "{word}"
        );
        assert!(word.get("id").is_none(), "{word}");
        self.assert_eof();
    }
}

/// A frame around `payload`.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    let length = i32::try_from(payload.len()).expect("a test's frame is short");
    [&length.to_le_bytes(), payload].concat()
}

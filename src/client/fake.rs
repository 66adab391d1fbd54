//! A server for one connection that does what a test says, on the standard library alone.

use crate::wire::{Header, Id, Message, Refusal, Reply, RoomName, frame};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

/// How long a test waits for what should come at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The server's end of the connection.
pub(super) struct Peer(pub(super) TcpStream);

/// Starts a server that does `script` with its one connection; where it listens.
pub(super) fn serve<T: Send + 'static>(
    script: impl FnOnce(&mut Peer) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || script(&mut Peer::accept(&listener)));
    (address, thread)
}

impl Peer {
    /// The next connection.
    pub(super) fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// The next frame's payload.
    pub(super) fn frame(&mut self) -> Vec<u8> {
        let mut prefix = [0; frame::PREFIX];
        self.0.read_exact(&mut prefix).unwrap();
        let mut payload = vec![0; frame::length(prefix).unwrap()];
        self.0.read_exact(&mut payload).unwrap();
        payload
    }

    /// The next frame, which is a header of `msg_type`.
    #[track_caller]
    pub(super) fn header(&mut self, msg_type: &str) -> (Header, Id) {
        let header = Header::parse(&self.frame()).unwrap();
        assert_eq!(header.msg_type, msg_type);
        let id = header.id.clone().unwrap();
        (header, id)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub(super) fn reply(&mut self, id: &Id, reply: &Reply) {
        let mut out = Vec::new();
        reply.write(id, &mut out);
        self.write(&out);
    }

    pub(super) fn refuse(&mut self, id: &Id, refusal: &Refusal) {
        let mut out = Vec::new();
        refusal.write(id, &mut out);
        self.write(&out);
    }

    /// Reads to the end of the client's bytes.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        rest
    }
}

/// A guest's message of the epoch.
pub(super) fn message(room: &str, seq: u64, prev: u64, text: &str) -> Message {
    Message {
        room: RoomName::new(room).unwrap(),
        seq,
        prev,
        time: SystemTime::UNIX_EPOCH,
        from: None,
        text: text.to_owned(),
        file: None,
    }
}

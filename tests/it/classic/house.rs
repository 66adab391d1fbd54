//! A server with one listener of each conversation, and what it shows, for clients that know
//! nothing of the library.

use crate::support::{PATIENCE, limits, write_accounts};
use gatepost::config::{Config, Listen};
use gatepost::handler::Show;
use gatepost::server::{Handle, Server, Summary};
use gatepost::wire::{RoomName, UserName};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use tempfile::TempDir;

/// What was taken in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Message { room: String, text: String },
    File { name: String, bytes: u64 },
}

struct Window(Sender<Taken>);

impl Show for Window {
    fn message(&self, room: &RoomName, _: Option<&UserName>, text: &str) {
        let (room, text) = (room.to_string(), text.to_owned());
        // Nobody may be looking any more.
        let _ = self.0.send(Taken::Message { room, text });
    }

    fn file(&self, name: &str, bytes: u64, _: Option<&UserName>) {
        let name = name.to_owned();
        let _ = self.0.send(Taken::File { name, bytes });
    }
}

/// A running server. Dropped, it is drained.
pub(super) struct House {
    handle: Handle,
    end: Option<JoinHandle<Summary>>,
    listeners: Vec<Listen>,
    taken: Receiver<Taken>,
    home: TempDir,
}

impl House {
    /// One that listens on `urls`, with some limits set.
    #[track_caller]
    pub(super) fn with(urls: &[&str], set: &[(&str, u64)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        write_accounts(home.path(), &[("zhangsan".to_owned(), "123".to_owned())]);
        let mut config = Config::at(home.path());
        let set: Vec<_> = set
            .iter()
            .map(|(key, value)| ((*key).to_owned(), *value))
            .collect();
        config.limits = limits(&set);
        config.limits.workers = 4;
        config.listen = urls.iter().map(|url| url.parse().unwrap()).collect();
        let (sender, taken) = channel();
        let server = Server::start(config, Box::new(Window(sender))).expect("it starts");
        Self {
            handle: server.handle(),
            listeners: server.addresses().to_vec(),
            end: Some(thread::spawn(|| server.wait())),
            taken,
            home,
        }
    }

    /// One that listens on `url` alone.
    #[track_caller]
    pub(super) fn at(url: &str) -> Self {
        Self::with(&[url], &[])
    }

    /// Where the listener with this place listens.
    pub(super) fn address(&self, place: usize) -> SocketAddr {
        self.listeners[place].address
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A client of the first listener.
    #[track_caller]
    pub(super) fn client(&self) -> Client {
        Client::connect(self.address(0))
    }

    /// The next that is taken in.
    #[track_caller]
    pub(super) fn next(&self) -> Taken {
        self.taken
            .recv_timeout(PATIENCE)
            .expect("something is taken in")
    }

    /// The text of the next message, which is for the lobby.
    #[track_caller]
    pub(super) fn next_text(&self) -> String {
        match self.next() {
            Taken::Message { room, text } if room == "lobby" => text,
            other => panic!("{other:?}"),
        }
    }

    /// Takes texts until together they are `all`: TCP may have cut them anywhere.
    #[track_caller]
    pub(super) fn next_texts(&self, all: &str) {
        let mut texts = String::new();
        while texts.len() < all.len() {
            texts += &self.next_text();
        }
        assert_eq!(texts, all);
    }

    /// Drains it: what it did, and what it took in that nobody asked for.
    #[track_caller]
    pub(super) fn drain(mut self) -> (Summary, Vec<Taken>) {
        let summary = self.end().expect("it ends once");
        let left = self.taken.try_iter().collect();
        (summary, left)
    }

    fn end(&mut self) -> Option<Summary> {
        self.handle.drain();
        let end = self.end.take()?;
        Some(end.join().expect("the server does not panic"))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.end();
    }
}

/// A client that says bytes and reads bytes.
pub(super) struct Client(pub(super) TcpStream);

impl Client {
    #[track_caller]
    pub(super) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    #[track_caller]
    pub(super) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Expects exactly `text` next.
    #[track_caller]
    pub(super) fn hears(&mut self, text: &str) {
        let mut heard = vec![0; text.len()];
        self.0
            .read_exact(&mut heard)
            .unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(String::from_utf8_lossy(&heard), text);
    }

    /// Whatever one read brings.
    #[track_caller]
    pub(super) fn hears_something(&mut self) -> String {
        let mut heard = [0; 4096];
        let length = self.0.read(&mut heard).expect("the server answers");
        String::from_utf8_lossy(&heard[..length]).into_owned()
    }

    /// Expects the end of the server's half, and nothing before it.
    #[track_caller]
    pub(super) fn hears_the_end(&mut self) {
        let mut rest = Vec::new();
        self.0
            .read_to_end(&mut rest)
            .expect("the server closes well");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    pub(super) fn ends(&self) {
        // The server may have hung up already.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

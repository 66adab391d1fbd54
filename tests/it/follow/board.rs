//! A switchboard between clients and a server: it stays while servers come and go, and cuts what it
//! connects wherever it is told to.

use crate::support::PATIENCE;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Where clients connect to, for as long as the process lives.
pub(crate) struct Board {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    /// Where connections go; without it they are closed at once.
    server: Option<SocketAddr>,
    /// How many bytes of the server's the next connection lets through; any number without it.
    cut: Box<dyn FnMut() -> Option<usize> + Send>,
    connections: usize,
}

impl Board {
    /// One whose connections let through what `cut` says, each in turn.
    pub(crate) fn new(cut: impl FnMut() -> Option<usize> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            server: None,
            cut: Box::new(cut),
            connections: 0,
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let mut state = shared.lock().unwrap();
                let Some(server) = state.server else { continue };
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                state.connections += 1;
                let cut = (state.cut)();
                connect(client, server, cut);
            }
        });
        Self { address, state }
    }

    /// Where clients connect to.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Connects later clients with `server`, or with nobody.
    pub(crate) fn plug(&self, server: Option<SocketAddr>) {
        self.state.lock().unwrap().server = server;
    }

    /// How many connections came about.
    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

fn connect(client: TcpStream, server: TcpStream, cut: Option<usize>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
    }
    let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || carry(client, server, None));
    thread::spawn(move || carry(back.0, back.1, cut));
}

/// Carries bytes until they end, or `most` of them and no more.
fn carry(mut from: TcpStream, mut to: TcpStream, most: Option<usize>) {
    let mut left = most.unwrap_or(usize::MAX);
    let mut bytes = [0; 4096];
    while left > 0 {
        let most = left.min(bytes.len());
        match from.read(&mut bytes[..most]) {
            Ok(read) if read > 0 && to.write_all(&bytes[..read]).is_ok() => left -= read,
            _ => break,
        }
    }
    // Either end may be gone already.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

//! A wire between a client and a server that is cut behind so many of the client's bytes.

use crate::support::PATIENCE;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Where clients connect to, for as long as the process lives. Each connection lets through as many
/// of the client's bytes as `cuts` says, in turn; all where it says `None`.
pub(crate) fn cutter(
    server: SocketAddr,
    mut cuts: impl FnMut() -> Option<u64> + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let server = TcpStream::connect(server).unwrap();
            let most = cuts();
            thread::spawn(move || join(&client, &server, most));
        }
    });
    address
}

fn join(client: &TcpStream, server: &TcpStream, most: Option<u64>) {
    for stream in [client, server] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            pass(server, client, u64::MAX);
            let _ = client.shutdown(Shutdown::Write);
        });
        pass(client, server, most.unwrap_or(u64::MAX));
        let _ = server.shutdown(Shutdown::Write);
        if most.is_some() {
            // The client hears no more, whatever the server has to say of what it got.
            let _ = client.shutdown(Shutdown::Both);
        }
    });
}

/// Passes on at most `most` bytes, up to the end.
fn pass(from: &TcpStream, to: &TcpStream, most: u64) {
    let (mut left, mut piece) = (most, vec![0; 64 << 10]);
    while left > 0 {
        let wanted = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
        let Ok(read @ 1..) = (&mut &*from).read(&mut piece[..wanted]) else {
            return;
        };
        if (&mut &*to).write_all(&piece[..read]).is_err() {
            return;
        }
        left -= read as u64;
    }
}

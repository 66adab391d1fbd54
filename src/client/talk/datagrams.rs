//! Texts over UDP, each waited for until it is answered, for a while.

use crate::client::{Address, Error};
use crate::conversation::udp::{Missing, UdpTalking};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How often a text is sent at most.
pub const TRIES: u32 = 3;

/// Sends texts to one server, one at a time.
#[derive(Debug)]
pub struct Datagrams {
    address: Address,
    /// The server's addresses that nothing speaks against, the one in use first.
    peers: VecDeque<SocketAddr>,
    socket: UdpSocket,
    talking: UdpTalking,
    timeout: Duration,
    /// An answer to an earlier text may still come to this socket.
    is_stale: bool,
}

impl Datagrams {
    /// Prepares to send; nothing is sent yet. Each try waits `timeout` for its answer.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if the host isn't known, [`Error::Io`] if there is no socket.
    pub fn new(address: &Address, timeout: Duration) -> Result<Self, Error> {
        let peers: VecDeque<_> = address.resolve()?.into();
        let Some(peer) = peers.front() else {
            return Err(address.unreachable(ErrorKind::NotFound.into()));
        };
        Ok(Self {
            address: address.clone(),
            socket: socket_to(*peer)?,
            peers,
            talking: UdpTalking::new(TRIES),
            timeout,
            is_stale: false,
        })
    }

    /// Sends `text` and waits for the answer. `missed` is told of each try but the last that had
    /// none.
    ///
    /// # Errors
    ///
    /// [`Error::Unsayable`] if it is too long, [`Error::Connect`] if nothing listens there,
    /// [`Error::TimedOut`] if no try had an answer: the text may or may not have arrived.
    pub fn say(&mut self, text: &str, mut missed: impl FnMut(Duration)) -> Result<String, Error> {
        let datagram = self.talking.say(text)?;
        // The answers are all alike. A late one must not stand for this text, so it finds a
        // socket that nobody listens to.
        if std::mem::take(&mut self.is_stale) {
            self.renew()?;
        }
        loop {
            match self.exchange(datagram) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {
                    self.is_stale = true;
                    if self.talking.miss() == Missing::GiveUp {
                        return Err(Error::TimedOut(self.timeout));
                    }
                    missed(self.timeout);
                }
                // The host said that nothing listens there; perhaps at its next address.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    if self.peers.len() < 2 {
                        return Err(self.address.unreachable(error));
                    }
                    self.peers.pop_front();
                    self.renew()?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends a datagram and waits for one; `None` if none came in time.
    fn exchange(&mut self, datagram: &[u8]) -> io::Result<Option<String>> {
        self.socket.send(datagram)?;
        let until = Instant::now() + self.timeout;
        let mut answer = vec![0; usize::from(u16::MAX)];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.recv(&mut answer) {
                Ok(bytes) => return Ok(Some(self.talking.hear(&answer[..bytes]))),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    _ => return Err(error),
                },
            }
        }
    }

    fn renew(&mut self) -> Result<(), Error> {
        if let Some(peer) = self.peers.front() {
            self.socket = socket_to(*peer)?;
        }
        Ok(())
    }
}

/// A socket that hears `peer` only, and its host's word that nothing listens there.
fn socket_to(peer: SocketAddr) -> io::Result<UdpSocket> {
    let socket = if peer.is_ipv4() {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?
    } else {
        UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?
    };
    socket.connect(peer)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn server() -> (UdpSocket, Address) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        (socket, address.parse().unwrap())
    }

    #[test]
    fn a_late_answer_stands_for_no_other_text() {
        let (server, address) = server();
        let served = thread::spawn(move || {
            let mut seen = Vec::new();
            let mut datagram = [0; 16];
            for _ in 0..3 {
                let (bytes, from) = server.recv_from(&mut datagram).unwrap();
                seen.push((datagram[..bytes].to_vec(), from));
            }
            // The first try is answered now, when the second text waits already.
            server.send_to(b"old", seen[0].1).unwrap();
            server.send_to(b"new", seen[2].1).unwrap();
            seen
        });
        let mut datagrams = Datagrams::new(&address, Duration::from_millis(50)).unwrap();
        datagrams.talking = UdpTalking::new(2);
        let mut missed = 0;
        let error = datagrams.say("a", |_| missed += 1).unwrap_err();
        assert!(matches!(error, Error::TimedOut(_)), "{error}");
        assert_eq!(missed, 1);
        datagrams.timeout = PATIENCE;
        assert_eq!(datagrams.say("b", |_| ()).unwrap(), "new");
        let seen = served.join().unwrap();
        let texts: Vec<_> = seen.iter().map(|(text, _)| text.as_slice()).collect();
        assert_eq!(texts, [b"a", b"a", b"b"]);
        assert_eq!(seen[0].1, seen[1].1);
        assert_ne!(seen[0].1, seen[2].1);
    }

    #[test]
    fn nothing_listening_is_told_at_once() {
        let (server, address) = server();
        drop(server);
        let mut datagrams = Datagrams::new(&address, PATIENCE).unwrap();
        let error = datagrams.say("x", |_| ()).unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error}");
    }

    #[test]
    fn the_next_address_of_a_host_is_tried() {
        let (server, address) = server();
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
        let elsewhere = nobody.local_addr().unwrap();
        drop(nobody);
        let served = thread::spawn(move || {
            let mut datagram = [0; 16];
            let (bytes, from) = server.recv_from(&mut datagram).unwrap();
            server.send_to(&datagram[..bytes], from).unwrap();
        });
        let mut datagrams = Datagrams::new(&address, PATIENCE).unwrap();
        datagrams.peers.push_front(elsewhere);
        datagrams.renew().unwrap();
        assert_eq!(datagrams.say("x", |_| ()).unwrap(), "x");
        served.join().unwrap();
    }
}

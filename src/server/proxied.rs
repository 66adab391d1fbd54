//! The beginning of a connection that a proxy passes on: whose it is, before anything else is read or
//! said. It is looked at where it lies, so that what reads the connection afterwards never sees it.

use super::connection::Inside;
use super::socket;
use super::turn::{Turn, Verdict};
use crate::wire::{Code, MAX_PROXY_HEADER, NoProxyHeader, Proxied, Refusal};
use std::io;
use std::net::SocketAddr;

impl Turn<'_> {
    /// Takes the proxy's header off the connection. `None` once that is done; until then, and if the
    /// connection can't go on, what becomes of it.
    pub(super) fn meet_proxy(
        &mut self,
        inside: &mut Inside,
        scratch: &mut [u8],
    ) -> io::Result<Option<Verdict>> {
        let Some(stream) = inside.stream.as_ref().filter(|_| inside.readable) else {
            return Ok(Some(Verdict::Parked));
        };
        // Before any TLS: it is the proxy that speaks.
        let stream = stream.socket();
        let scratch = &mut scratch[..MAX_PROXY_HEADER];
        let there = match socket::peek(stream, scratch) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                inside.readable = false;
                return Ok(Some(Verdict::Parked));
            }
            Err(error) => return Err(error),
        };
        match Proxied::parse(&scratch[..there]) {
            Ok(Some(proxied)) => {
                let header = &mut scratch[..proxied.length];
                if socket::receive(stream, header)? != proxied.length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(self.introduce(inside, proxied))
            }
            // The poller tells when there is more; behind an end there will be none.
            Ok(None) if there > 0 && !inside.ending => {
                inside.readable = false;
                Ok(Some(Verdict::Parked))
            }
            Ok(None) | Err(NoProxyHeader) => Ok(Some(self.turn_away(inside))),
        }
    }

    /// Lets the client in whom a proxy has named, unless its address has too many connections.
    fn introduce(&mut self, inside: &mut Inside, proxied: Proxied) -> Option<Verdict> {
        inside.awaits_proxy = false;
        inside.session.is_encrypted |= proxied.is_encrypted;
        // A client on a proxy's own machine is not on ours.
        let proxy = inside.session.peer.ip().to_canonical();
        let is_here = |peer: &SocketAddr| peer.ip().to_canonical().is_loopback();
        let peer = proxied.peer;
        if let Some(peer) = peer.filter(|peer| proxy.is_loopback() || !is_here(peer)) {
            tracing::debug!(%peer, proxy = %inside.session.peer, "introduced by a proxy");
            inside.session.peer = peer;
            match (self.core.seat(peer), &mut inside.guards) {
                (Some(seat), Some((_, standing))) => *standing = seat,
                _ => return Some(self.close(inside)),
            }
        }
        None
    }

    /// Closes a connection that a proxy did not introduce.
    pub(super) fn turn_away(&mut self, inside: &mut Inside) -> Verdict {
        let refusal = Refusal::new(Code::BadHeader, NoProxyHeader.to_string());
        self.core.log_refusal(inside.session.peer, &refusal);
        self.close(inside)
    }
}

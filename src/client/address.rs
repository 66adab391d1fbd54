//! Where a server is: `host:port`, `framed://host:port` or `framed+tls://host:port`, as a person types
//! it, and whom to believe to be there.

use super::Error;
use super::stream::Stream;
use crate::config::DEFAULT_PORT;
use crate::tls::{Roots, Trust};
use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

/// A server's address. The host may be a name; it is looked up when connecting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    /// Whether it is spoken to inside TLS.
    is_encrypted: bool,
    /// Whom to believe to be there, if not whom the system's roots vouch for.
    trust: Option<Trust>,
}

/// An address that can't be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    /// The address as it was given.
    pub address: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no server: {}", self.address, self.reason)
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// This address, where `trust` says whom to believe. Of no meaning without TLS.
    #[must_use]
    pub fn trusting(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Whether it is spoken to inside TLS.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Connects, shakes hands and leaves: whether the server is there and to be believed.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] or [`Error::Untrusted`].
    pub fn probe(&self, timeout: Duration) -> Result<(), Error> {
        let mut stream = self.connect(timeout)?;
        // Leaving in peace is a courtesy.
        let _ = stream.shut_down_writing();
        Ok(())
    }

    /// The address as a URL that can be given again, for the framed conversation.
    #[must_use]
    pub fn url(&self) -> String {
        match self.is_encrypted {
            true => format!("framed+tls://{self}"),
            false => self.to_string(),
        }
    }

    /// This address, spoken to inside TLS or not.
    pub(super) const fn encrypted(mut self, is_encrypted: bool) -> Self {
        self.is_encrypted = is_encrypted;
        self
    }

    /// Opens a stream to the first of the host's addresses that takes one, each within `timeout`, and
    /// shakes hands if it is to be encrypted.
    pub(super) fn connect(&self, timeout: Duration) -> Result<Stream, Error> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.resolve()? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(socket) => return self.shake_hands(socket, timeout),
                Err(error) => last = error,
            }
        }
        Err(self.unreachable(last))
    }

    fn shake_hands(&self, socket: TcpStream, timeout: Duration) -> Result<Stream, Error> {
        let mut stream = self.stream(socket)?;
        if self.is_encrypted {
            stream.socket().set_nodelay(true)?;
            stream.socket().set_read_timeout(Some(timeout))?;
            stream.socket().set_write_timeout(Some(timeout))?;
            if !stream.shake_hands()? {
                return Err(Error::TimedOut(timeout));
            }
            stream.socket().set_read_timeout(None)?;
            stream.socket().set_write_timeout(None)?;
        }
        Ok(stream)
    }

    /// The stream over a socket that is, or will be, connected to here. Its handshake is to come.
    pub(super) fn stream(&self, socket: TcpStream) -> Result<Stream, Error> {
        if !self.is_encrypted {
            return Ok(Stream::plain(socket));
        }
        let channel = match &self.trust {
            Some(trust) => trust.connect(&self.host),
            None => Trust::Roots(Roots::system()).connect(&self.host),
        };
        let channel = channel.map_err(io::Error::other)?;
        Ok(Stream::sealed(socket, channel))
    }

    /// All addresses of the host, the preferred one first.
    pub(super) fn resolve(&self) -> Result<Vec<SocketAddr>, Error> {
        let all = (self.host.as_str(), self.port).to_socket_addrs();
        Ok(all.map_err(|error| self.unreachable(error))?.collect())
    }

    /// The error that nothing is reached here.
    pub(super) fn unreachable(&self, source: io::Error) -> Error {
        Error::Connect {
            address: self.to_string(),
            source,
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|reason| AddressError {
            address: text.to_owned(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Address, String> {
    let (authority, is_encrypted) = match text.split_once("://") {
        None => (text, false),
        Some(("framed", rest)) => (rest, false),
        Some(("framed+tls", rest)) => (rest, true),
        Some((scheme, _)) => {
            return Err(format!(
                "there is no conversation {scheme:?}; known are framed and framed+tls"
            ));
        }
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if let Some((_, parameters)) = authority.split_once('?') {
        return Err(format!("there is no parameter {parameters:?}"));
    }
    let address = authority_of(authority, Some(DEFAULT_PORT))?;
    Ok(address.encrypted(is_encrypted))
}

/// Reads `host:port`; the port may be left out where there is a `default`.
pub(super) fn authority_of(authority: &str, default: Option<u16>) -> Result<Address, String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("the bracket is not closed")?;
            let port = match port {
                "" => None,
                port => Some(
                    port.strip_prefix(':')
                        .ok_or("behind the bracket comes :port")?,
                ),
            };
            (host, port)
        }
        // More than one colon and no bracket: an IPv6 address without a port.
        None => match authority.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (authority, None),
        },
    };
    let cannot_be = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '[' | ']');
    if host.is_empty() || host.contains(cannot_be) {
        return Err("it has no host, as in 127.0.0.1:8001".to_owned());
    }
    // The zone behind `%` is the system's to judge.
    let number = host.split('%').next().unwrap_or(host);
    if host.contains(':') && number.parse::<Ipv6Addr>().is_err() {
        return Err(format!("{host:?} is no IPv6 address"));
    }
    let port = match port {
        None => default.ok_or("it has no port, as in 127.0.0.1:8001")?,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err(format!("{port:?} is no port")),
            Ok(port) => port,
        },
    };
    Ok(Address {
        host: host.to_owned(),
        port,
        is_encrypted: false,
        trust: None,
    })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn reads(text: &str, as_what: &str) {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), as_what);
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_port_and_a_scheme_may_be_left_out() {
        reads("localhost", "localhost:8001");
        reads("10.0.0.1:9", "10.0.0.1:9");
        reads("framed://example.org:9/", "example.org:9");
        reads("[::1]:9", "[::1]:9");
        reads("[::1]", "[::1]:8001");
        reads("::1", "[::1]:8001");
        reads("framed://[fe80::1%eth0]", "[fe80::1%eth0]:8001");
    }

    #[test]
    fn a_scheme_says_whether_it_is_encrypted() {
        let read = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(read("framed+tls://[::1]").url(), "framed+tls://[::1]:8001");
        assert!(read("framed+tls://a.example:1").is_encrypted());
        assert!(!read("framed://a.example:1").is_encrypted());
        refused("sink+tls://a.example:1", "known are framed and framed+tls");
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong() {
        refused("", "no host");
        refused(":8001", "no host");
        refused("a b:1", "no host");
        refused("localhost:0", "\"0\" is no port");
        refused("localhost:65536", "no port");
        refused("[::1", "bracket");
        refused("[::1]8001", "bracket");
        refused(":]:", "no host");
        refused("1:2:3", "no IPv6 address");
        refused("http://localhost", "no conversation \"http\"");
        refused("framed://localhost?room=a", "no parameter");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(text: String) {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.url().parse(), Ok(address));
            }
        }
    }
}

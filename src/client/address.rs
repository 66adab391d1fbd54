//! Where a server is: `host:port` or `framed://host:port`, as a person types it.

use super::Error;
use crate::config::DEFAULT_PORT;
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
    /// Opens a stream to the first of the host's addresses that takes one, each within `timeout`.
    pub(super) fn connect(&self, timeout: Duration) -> Result<TcpStream, Error> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.resolve()? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(self.unreachable(last))
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
    let authority = match text.split_once("://") {
        None => text,
        Some(("framed", rest)) => rest,
        Some((scheme, _)) => {
            return Err(format!(
                "there is no conversation {scheme:?}; known is framed"
            ));
        }
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if let Some((_, parameters)) = authority.split_once('?') {
        return Err(format!("there is no parameter {parameters:?}"));
    }
    authority_of(authority, Some(DEFAULT_PORT))
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
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}

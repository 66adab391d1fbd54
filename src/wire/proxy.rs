//! The header that a proxy puts before a connection, to tell whose it is: the PROXY protocol,
//! versions 1 and 2 (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>). Whom to
//! believe is left to the server.

use proxy_header::{Error, ParseConfig, ProxyHeader};
use std::fmt;
use std::net::SocketAddr;

/// The longest header that is taken, in bytes. Version 1 ends at 107, version 2 without extensions
/// at 52; what proxies add (names, certificates' subjects) is rarely longer than 536.
pub const MAX_PROXY_HEADER: usize = 4_096;

/// How a header begins, in each version.
const BEGINNINGS: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

/// Whose connection a proxy passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxied {
    /// The client's address; `None` when the connection is the proxy's own (a health check) or it
    /// doesn't know.
    pub peer: Option<SocketAddr>,
    /// Whether the client's connection to the proxy is encrypted, as far as the proxy says so
    /// (`PP2_CLIENT_SSL` of version 2).
    pub is_encrypted: bool,
    /// The header's own length in bytes, at most [`MAX_PROXY_HEADER`].
    pub length: usize,
}

/// What is there is no PROXY header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoProxyHeader;

impl fmt::Display for NoProxyHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no PROXY header came first")
    }
}

impl std::error::Error for NoProxyHeader {}

impl Proxied {
    /// Reads the header at the beginning of `bytes`; `None` while it is not whole.
    ///
    /// # Errors
    ///
    /// [`NoProxyHeader`] as soon as it can't become one.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, NoProxyHeader> {
        let may_begin = |beginning: &&[u8]| {
            let length = beginning.len().min(bytes.len());
            bytes[..length] == beginning[..length]
        };
        if !BEGINNINGS.iter().any(may_begin) {
            return Err(NoProxyHeader);
        }
        let bytes = &bytes[..bytes.len().min(MAX_PROXY_HEADER)];
        match ProxyHeader::parse(bytes, ParseConfig::default()) {
            Ok((header, length)) => Ok(Some(Self {
                peer: header.proxied_address().map(|address| address.source),
                is_encrypted: header.ssl().is_some_and(|ssl| ssl.client_ssl()),
                length,
            })),
            Err(Error::BufferTooShort) if bytes.len() < MAX_PROXY_HEADER => Ok(None),
            Err(_) => Err(NoProxyHeader),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proxy_header::{ProxiedAddress, SslInfo, Tlv};

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Headers of both versions, and whom they tell of.
    fn headers() -> Vec<(Vec<u8>, Option<SocketAddr>, bool)> {
        let v1 = |text: &str, peer| (text.as_bytes().to_vec(), peer, false);
        let addresses = ProxiedAddress::stream(address("192.0.2.7:5000"), address("192.0.2.1:80"));
        let v2 = |header: &ProxyHeader<'_>| {
            let mut bytes = vec![0; 1_024];
            let length = header.encode_to_slice_v2(&mut bytes).unwrap();
            bytes.truncate(length);
            bytes
        };
        let mut encrypted = ProxyHeader::with_address(addresses.clone());
        encrypted.append_tlv(Tlv::Ssl(SslInfo::new(true, false, false, 0)));
        let plain = ProxyHeader::with_address(addresses);
        let four = Some(address("192.0.2.7:5000"));
        vec![
            v1("PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n", four),
            v1(
                "PROXY TCP6 2001:db8::1 2001:db8::2 5000 80\r\n",
                Some(address("[2001:db8::1]:5000")),
            ),
            v1("PROXY UNKNOWN\r\n", None),
            (v2(&plain), four, false),
            (v2(&encrypted), four, true),
            (v2(&ProxyHeader::with_local()), None, false),
        ]
    }

    #[test]
    fn both_versions_tell_whose_connection_it_is() {
        for (bytes, peer, is_encrypted) in headers() {
            let length = bytes.len();
            let expected = Proxied {
                peer,
                is_encrypted,
                length,
            };
            let followed = [&bytes[..], b"\x05\0\0\0close"].concat();
            assert_eq!(Proxied::parse(&followed), Ok(Some(expected)), "{bytes:?}");
        }
    }

    #[test]
    fn a_header_is_waited_for_until_it_is_whole() {
        for (bytes, ..) in headers() {
            for cut in 0..bytes.len() {
                assert_eq!(
                    Proxied::parse(&bytes[..cut]),
                    Ok(None),
                    "{cut} of {bytes:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_header_is_known_at_its_first_byte() {
        for bytes in [
            &b"\x20"[..],
            b"GET / HTTP/1.1\r\n",
            b"PROXy",
            b"\r\n\r\n\0\r\nQUIT\r",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 99999\r\n",
            b"PROXY TCP4 192.0.2.7\r\n192.0.2.1 5000 80\r\n",
        ] {
            assert_eq!(Proxied::parse(bytes), Err(NoProxyHeader), "{bytes:?}");
        }
    }

    #[test]
    fn a_header_without_end_is_not_waited_for() {
        let mut text = b"PROXY UNKNOWN ".to_vec();
        text.resize(108, b'x');
        assert_eq!(Proxied::parse(&text), Err(NoProxyHeader));
        let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x00\xff\xff".to_vec();
        binary.resize(MAX_PROXY_HEADER - 1, 0);
        assert_eq!(Proxied::parse(&binary), Ok(None));
        binary.push(0);
        assert_eq!(Proxied::parse(&binary), Err(NoProxyHeader));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_no_more_is_taken_than_there_is(
            beginning in 0_usize..3,
            rest in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let mut bytes = BEGINNINGS.get(beginning).unwrap_or(&&b""[..]).to_vec();
            bytes.extend(rest);
            if let Ok(Some(proxied)) = Proxied::parse(&bytes) {
                prop_assert!(proxied.length <= bytes.len());
            }
        }
    }
}

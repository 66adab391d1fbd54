//! Conversations inside TLS: with the client of rustls, byte by byte and in bulk, with peers that are
//! slow, rude or cut off, and with clients that are not ours. The real program's part (its
//! certificate, SIGHUP, what our own client believes) is in `program`.

mod outside;
mod program;
mod rude;

use crate::support::{PATIENCE, Served, frame, proof};
use gatepost::config::Config;
use gatepost::tls::{Identity, SelfSigned};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use serde_json::{Value, json};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// A certificate for a test.
pub(crate) fn made() -> SelfSigned {
    SelfSigned::new(&["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

/// A server that speaks `urls` and shows `made`.
#[track_caller]
pub(crate) fn served(made: &SelfSigned, urls: &[&str], change: impl FnOnce(&mut Config)) -> Served {
    let identity = Identity::from_pem(made.certificate.as_bytes(), made.key.as_bytes());
    Served::start(|config| {
        config.listen = urls.iter().map(|url| url.parse().unwrap()).collect();
        config.identity = Some(identity.unwrap());
        change(config);
    })
}

/// Those who speak TLS 1.2 and 1.3, and nothing else.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// rustls's client, that believes `made` alone and speaks one version alone.
fn config(made: &SelfSigned, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// One who speaks frames inside TLS.
struct Sealed(StreamOwned<ClientConnection, TcpStream>);

impl Sealed {
    #[track_caller]
    fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        Self::connect_behind(address, config, b"")
    }

    /// The same where something goes before the first record.
    #[track_caller]
    fn connect_behind(address: SocketAddr, config: &Arc<ClientConfig>, before: &[u8]) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(before).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::clone(config), name).unwrap();
        Self(StreamOwned::new(client, stream))
    }

    #[track_caller]
    fn frame(&mut self, payload: &[u8]) {
        self.0.write_all(&frame(payload)).unwrap();
    }

    #[track_caller]
    fn next(&mut self) -> Vec<u8> {
        let mut prefix = [0; 4];
        self.0.read_exact(&mut prefix).unwrap();
        let mut payload = vec![0; i32::from_le_bytes(prefix) as usize];
        self.0.read_exact(&mut payload).unwrap();
        payload
    }

    #[track_caller]
    fn answer(&mut self) -> Value {
        serde_json::from_slice(&self.next()).unwrap()
    }

    #[track_caller]
    fn ask(&mut self, header: &Value) -> Value {
        self.frame(header.to_string().as_bytes());
        self.answer()
    }

    #[track_caller]
    fn assert_in_step(&mut self) {
        let answer = self.ask(&json!({"msg_type": "ping", "id": "in step"}));
        assert_eq!(answer, json!({"id": "in step", "ok": true}));
    }

    /// Says that nothing more is sent, and sees that the server says the same.
    #[track_caller]
    fn assert_proper_end(mut self) {
        self.0.conn.send_close_notify();
        self.0.flush().unwrap();
        let mut rest = Vec::new();
        // A stream without close_notify would be an error here.
        self.0
            .read_to_end(&mut rest)
            .expect("the server says that it ends");
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    }
}

#[test]
fn requests_are_served_in_both_versions() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    for version in VERSIONS {
        let mut peer = Sealed::connect(served.address(), &config(&made, version));
        peer.assert_in_step();
        let spoken = peer.0.conn.protocol_version();
        assert_eq!(spoken, Some(version.version));
        peer.frame(json!({"msg_type": "msg", "id": 1}).to_string().as_bytes());
        peer.frame("你好".as_bytes());
        assert_eq!(peer.answer()["ok"], true);
        // Many at once: more than one record, and answers that are longer than one.
        for id in 0..300 {
            peer.frame(json!({"msg_type": "ping", "id": id}).to_string().as_bytes());
        }
        for id in 0..300 {
            assert_eq!(peer.answer(), json!({"id": id, "ok": true}));
        }
        peer.assert_proper_end();
    }
}

#[test]
fn the_course_speaks_inside_tls_as_well() {
    let made = made();
    let urls = ["hello+tls://127.0.0.1:0", "framed+tls://127.0.0.1:0"];
    let served = served(&made, &urls, |_| {});
    let mut hello = Sealed::connect(served.address(), &config(&made, VERSIONS[1]));
    hello.0.write_all(b"hi").unwrap();
    let mut said = String::new();
    hello
        .0
        .read_to_string(&mut said)
        .expect("the server says that it ends");
    assert_eq!(said, "Hello World");
    let urls = ["bot+tls://127.0.0.1:0"];
    let served = self::served(&made, &urls, |_| {});
    let mut bot = Sealed::connect(served.address(), &config(&made, VERSIONS[0]));
    let mut greeting = vec![0; "你找谁呀!".len()];
    bot.0.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting, "你找谁呀!".as_bytes());
}

/// What is put in and taken out must be the same bytes.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes as u64)
        .map(|at| (at * at / 7 % 253) as u8)
        .collect()
}

#[test]
fn files_go_there_and_back_unchanged() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    let content = content(9 << 20);
    for (number, version) in VERSIONS.into_iter().enumerate() {
        let name = format!("big-{number}");
        let mut peer = Sealed::connect(served.address(), &config(&made, version));
        let header = json!({"msg_type": "file", "id": 1, "file_name": name, "size": content.len()});
        peer.frame(header.to_string().as_bytes());
        for piece in content.chunks(1 << 20) {
            peer.frame(piece);
        }
        let answer = peer.answer();
        assert_eq!(answer["ok"], true, "{answer}");
        assert!(fs::read(served.home().join("uploads").join(&name)).unwrap() == content);
        let header = peer.ask(&json!({"msg_type": "get", "id": 2, "file_name": name}));
        assert_eq!(header["ok"], true, "{header}");
        let mut fetched = Vec::new();
        while fetched.len() < content.len() {
            fetched.extend(peer.next());
        }
        assert!(fetched == content, "what came back differs");
        peer.assert_in_step();
        peer.assert_proper_end();
    }
}

#[test]
fn a_peer_that_does_not_read_is_waited_for_and_loses_nothing() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    let content = content(5 << 20);
    fs::write(served.home().join("uploads/whole"), &content).unwrap();
    let mut peer = Sealed::connect(served.address(), &config(&made, VERSIONS[1]));
    let get = json!({"msg_type": "get", "id": 1, "file_name": "whole"}).to_string();
    peer.frame(get.as_bytes());
    // Meanwhile somebody else is served by the same few workers, again and again.
    let mut bystander = Sealed::connect(served.address(), &config(&made, VERSIONS[0]));
    for _ in 0..100 {
        bystander.assert_in_step();
    }
    let header = peer.answer();
    assert_eq!(header["ok"], true, "{header}");
    let mut fetched = Vec::new();
    while fetched.len() < content.len() {
        fetched.extend(peer.next());
    }
    assert!(fetched == content);
    peer.assert_in_step();
}

#[test]
fn a_drain_says_goodbye_inside_tls() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    let mut peer = Sealed::connect(served.address(), &config(&made, VERSIONS[1]));
    peer.assert_in_step();
    served.begin_drain();
    assert_eq!(peer.answer()["msg_type"], "going_away");
    let mut rest = Vec::new();
    peer.0
        .read_to_end(&mut rest)
        .expect("the server says that it ends");
    drop(peer);
    let (summary, _home) = served.drain();
    assert_eq!((summary.stuck, summary.cut_off), (0, 0));
}

/// A proxy speaks first, in the clear, and the client whose connection it passes on inside TLS; a proof
/// from another machine is then as welcome as from this one.
#[test]
fn a_client_on_another_machine_logs_in_behind_a_proxy() {
    let made = made();
    let identity = Identity::from_pem(made.certificate.as_bytes(), made.key.as_bytes());
    let account = ("lisi".to_owned(), "123".to_owned());
    let served = Served::with_accounts(&[account], |config| {
        let url = "framed+tls://127.0.0.1:0?proxy=127.0.0.0/8";
        config.listen = vec![url.parse().unwrap()];
        config.identity = Some(identity.unwrap());
    });
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.250 5000 8001\r\n";
    let login = json!({"msg_type": "login", "id": 1, "username": "lisi", "password": proof("123")});
    for version in VERSIONS {
        let config = config(&made, version);
        let mut peer = Sealed::connect_behind(served.address(), &config, header);
        let answer = peer.ask(&login);
        assert_eq!(answer["user"], "lisi", "{answer}");
        peer.assert_proper_end();
    }
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    for version in VERSIONS {
        let mut stream = TcpStream::connect(served.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(config(&made, version), name).unwrap();
        let ping = frame(json!({"msg_type": "ping", "id": 1}).to_string().as_bytes());
        client.writer().write_all(&ping).unwrap();
        let mut answer = vec![0; frame(br#"{"id":1,"ok":true}"#).len()];
        loop {
            let mut sealed = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut sealed).unwrap();
            }
            for byte in sealed {
                stream.write_all(&[byte]).unwrap();
            }
            match client.reader().read_exact(&mut answer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => break result.unwrap(),
            }
            assert!(client.read_tls(&mut stream).unwrap() > 0, "it hung up");
            client.process_new_packets().unwrap();
        }
        assert_eq!(answer, frame(br#"{"id":1,"ok":true}"#));
    }
}

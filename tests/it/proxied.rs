//! Listeners that only proxies may connect to, each of whose connections says first whose it is. What
//! a PROXY header is made of is tested beside its parser.

use crate::support::{Peer, Served, frame};
use gatepost::config::{COURSE_SALT, Config};
use gatepost::wire::proof;
use serde_json::json;
use std::time::Duration;

/// One whose proxies are those of `from`.
fn behind(from: &str, change: impl FnOnce(&mut Config)) -> Served {
    let account = ("zhangsan".to_owned(), "123".to_owned());
    Served::with_accounts(&[account], |config| {
        let url = format!("framed://127.0.0.1:0?login=optional&proxy={from}");
        config.listen = vec![url.parse().unwrap()];
        change(config);
    })
}

/// A connection that a proxy passes on for `client`.
fn introduced(served: &Served, client: &str) -> Peer {
    let mut peer = served.peer();
    // Who is turned away may be so before this is said.
    let header = format!("PROXY TCP4 {client} 192.0.2.250 5000 8001\r\n");
    let _ = peer.try_raw(header.as_bytes());
    peer
}

/// A header of version 2 for 192.0.2.7, whose connection to the proxy is encrypted.
const ENCRYPTED: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xc0\0\x02\x07\xc0\0\x02\xfa\x13\x88\x1f\x41\x20\0\x05\x01\0\0\0\0";

#[test]
fn what_follows_the_header_is_served() {
    let served = behind("127.0.0.0/8", |_| {});
    introduced(&served, "192.0.2.7").assert_in_step();
    // However it is cut, and whatever comes with it.
    let mut whole = b"PROXY TCP4 192.0.2.7 192.0.2.250 5000 8001\r\n".to_vec();
    let header = br#"{"msg_type":"ping","id":7}"#;
    whole.extend((header.len() as u32).to_le_bytes());
    whole.extend(header);
    for cut in [1, 6, 20, 43, 44, 46] {
        let mut peer = served.peer();
        peer.raw(&whole[..cut]);
        served.peer().raw(b"PROXY UNKNOWN\r\n");
        peer.raw(&whole[cut..]);
        assert_eq!(peer.answer()["id"], 7, "cut at {cut}");
    }
}

#[test]
fn who_says_nothing_first_is_not_heard() {
    let served = behind("127.0.0.0/8", |_| {});
    let mut direct = served.peer();
    direct.header(&json!({"msg_type": "ping", "id": 1}));
    direct.assert_gone();
    let mut half = served.peer();
    half.raw(b"PROXY TCP4 192.0.2.7");
    half.end();
    half.assert_gone();
    introduced(&served, "192.0.2.7").assert_in_step();
}

#[test]
fn who_is_no_proxy_is_not_believed() {
    let served = behind("192.0.2.0/24", |_| {});
    introduced(&served, "192.0.2.7").assert_gone();
}

#[test]
fn a_proxy_that_says_nothing_does_not_stay() {
    let served = behind("127.0.0.1", |config| {
        config.limits.proxy_timeout = Duration::from_millis(100);
    });
    let (mut silent, mut slow) = (served.peer(), served.peer());
    slow.raw(b"PROXY ");
    silent.assert_gone();
    slow.assert_gone();
}

#[test]
fn an_address_has_its_limit_also_behind_a_proxy() {
    let served = behind("127.0.0.1", |config| {
        config.limits.max_connections_per_address = 2;
    });
    let mut kept: Vec<_> = (0..2).map(|_| introduced(&served, "192.0.2.7")).collect();
    kept.iter_mut().for_each(Peer::assert_in_step);
    introduced(&served, "192.0.2.7").assert_gone();
    introduced(&served, "192.0.2.8").assert_in_step();
    let mut last = kept.pop().unwrap();
    last.end();
    last.assert_eof();
    // The seat comes back with the end of the connection, which its peer may see a moment before.
    let header = frame(br#"{"msg_type":"ping","id":1}"#);
    let is_served = || {
        let mut again = introduced(&served, "192.0.2.7");
        again.try_raw(&header).is_ok() && matches!(again.try_next(), Ok(Some(_)))
    };
    while !is_served() {}
}

#[test]
fn a_secret_may_come_through_a_proxy_that_says_it_was_encrypted() {
    let served = behind("127.0.0.1", |_| {});
    let proof = proof(COURSE_SALT, "123");
    let login = json!({"msg_type": "login", "id": 1, "username": "zhangsan", "password": proof});
    let refused = introduced(&served, "192.0.2.7").ask(&login);
    assert_eq!(refused["code"], "forbidden", "{refused}");
    let mut encrypted = served.peer();
    encrypted.raw(ENCRYPTED);
    let taken = encrypted.ask(&login);
    assert_eq!(taken["ok"], true, "{taken}");
}

#[test]
fn a_greeting_waits_for_the_header() {
    let served = Served::start(|config| {
        let url = "bot://127.0.0.1:0?login=off&proxy=127.0.0.1";
        config.listen = vec![url.parse().unwrap()];
        config.limits.proxy_timeout = Duration::from_millis(100);
    });
    served.peer().assert_gone();
    let mut client = introduced(&served, "192.0.2.7");
    client.end();
    assert_eq!(client.rest(), "你找谁呀!".as_bytes());
}

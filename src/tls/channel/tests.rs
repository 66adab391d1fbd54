//! Both sides of the channel against each other, cut into pieces of any length.

use super::*;
use crate::tls::{Fingerprint, Identity, Roots, SelfSigned, Shown, Trust, Untrusted};

/// A channel with what its peer has sent and what it has heard.
struct End {
    channel: Channel,
    input: Vec<u8>,
    heard: Vec<u8>,
}

impl End {
    fn new(channel: Channel) -> Self {
        let (input, heard) = (Vec::new(), Vec::new());
        Self {
            channel,
            input,
            heard,
        }
    }

    /// Takes `bytes` in; what it answers.
    fn take(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::new();
        self.input.extend_from_slice(bytes);
        let heard = &mut self.heard;
        let take = |plain: &[u8]| heard.extend_from_slice(plain);
        let consumed = self.channel.open(&mut self.input, take, &mut out)?;
        self.input.drain(..consumed);
        Ok(out)
    }

    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<bool, Broken> {
        self.channel.seal(&mut self.input, plain, out)
    }

    fn say_goodbye(&mut self, out: &mut Vec<u8>) -> Result<bool, Broken> {
        self.channel.say_goodbye(&mut self.input, out)
    }
}

fn made() -> SelfSigned {
    SelfSigned::new(&["localhost".to_owned()]).unwrap()
}

fn shown(made: &SelfSigned) -> Shown {
    Shown::new(Identity::from_pem(made.certificate.as_bytes(), made.key.as_bytes()).unwrap())
}

fn ends(trust: &Trust, shown: &Shown) -> (End, End) {
    let client = trust.connect("localhost").unwrap();
    (End::new(client), End::new(shown.accept().unwrap()))
}

/// Shakes hands, `size` bytes at once.
fn shake_hands(client: &mut End, server: &mut End, size: usize) -> Result<(), Broken> {
    let mut to_server = client.take(b"")?;
    while !to_server.is_empty() {
        let mut to_client = Vec::new();
        for piece in to_server.chunks(size) {
            to_client.extend(server.take(piece)?);
        }
        to_server.clear();
        for piece in to_client.chunks(size) {
            to_server.extend(client.take(piece)?);
        }
    }
    Ok(())
}

#[test]
fn bytes_go_both_ways_in_pieces_of_any_length() {
    let made = made();
    for size in [1, 7, 100_000] {
        let (mut client, mut server) = ends(&Trust::Pinned(made.fingerprint), &shown(&made));
        let mut out = Vec::new();
        assert!(
            !client
                .channel
                .seal(&mut [], b"too early", &mut out)
                .unwrap()
        );
        assert!(!server.say_goodbye(&mut out).unwrap());
        shake_hands(&mut client, &mut server, size).unwrap();
        assert!(
            !client.channel.is_handshaking(),
            "client, {size}: {:?}",
            client.input.len()
        );
        assert!(
            !server.channel.is_handshaking(),
            "server, {size}: {:?}",
            server.input.len()
        );
        let long: Vec<u8> = (0..100_000u32).map(|at| (at % 251) as u8).collect();
        assert!(client.seal(&long, &mut out).unwrap());
        assert!(client.say_goodbye(&mut out).unwrap());
        assert!(client.say_goodbye(&mut out).unwrap(), "it is said once");
        for piece in out.chunks(size) {
            assert_eq!(server.take(piece).unwrap(), b"");
        }
        assert!(server.heard == long && server.channel.has_ended());
        assert!(server.input.is_empty(), "nothing is kept at rest");
        // Who has heard all may still say something.
        out.clear();
        assert!(server.seal(b"answer", &mut out).unwrap());
        assert!(server.say_goodbye(&mut out).unwrap());
        for piece in out.chunks(size) {
            client.take(piece).unwrap();
        }
        assert!(client.heard == b"answer" && client.channel.has_ended());
    }
}

#[test]
fn an_unknown_server_is_told_by_its_fingerprint() {
    let (own, other) = (made(), made());
    let untrusted = |trust: Trust| {
        let (mut client, mut server) = ends(&trust, &shown(&own));
        let broken = shake_hands(&mut client, &mut server, 100_000).unwrap_err();
        Untrusted::found_in(&broken).unwrap().clone()
    };
    let unknown = untrusted(Trust::Roots(Roots::none()));
    assert_eq!(
        (unknown.fingerprint, unknown.expected),
        (own.fingerprint, None)
    );
    let elsewhere = Roots::from_pem(other.certificate.as_bytes()).unwrap();
    assert_eq!(
        untrusted(Trust::Roots(elsewhere)).fingerprint,
        own.fingerprint
    );
    let changed = untrusted(Trust::Pinned(other.fingerprint));
    assert_eq!(changed.expected, Some(other.fingerprint));
}

#[test]
fn a_root_vouches_in_the_name_of_the_host_only() {
    let made = made();
    let roots = Roots::from_pem(made.certificate.as_bytes()).unwrap();
    let (mut client, mut server) = ends(&Trust::Roots(roots.clone()), &shown(&made));
    shake_hands(&mut client, &mut server, 100_000).unwrap();
    let elsewhere = Trust::Roots(roots).connect("127.0.0.1").unwrap();
    let mut server = End::new(shown(&made).accept().unwrap());
    let broken = shake_hands(&mut End::new(elsewhere), &mut server, 100_000).unwrap_err();
    assert!(Untrusted::found_in(&broken).is_some(), "{broken}");
    assert!(Trust::Pinned(made.fingerprint).connect("a b").is_err());
    assert!(
        Trust::Pinned(made.fingerprint)
            .connect("fe80::1%eth0")
            .is_ok()
    );
    assert!(Roots::from_pem(b"x").is_err());
}

#[test]
fn a_certificate_is_replaced_for_those_who_come_later() {
    let (old, new) = (made(), made());
    let shown = shown(&old);
    let (mut client, mut server) = ends(&Trust::Pinned(old.fingerprint), &shown);
    let identity = Identity::from_pem(new.certificate.as_bytes(), new.key.as_bytes()).unwrap();
    // An early one gets the certificate that is shown when it asks.
    shake_hands(&mut client, &mut server, 9).unwrap();
    shown.replace(identity);
    let (mut late, mut late_server) = ends(&Trust::Pinned(new.fingerprint), &shown);
    shake_hands(&mut late, &mut late_server, 9).unwrap();
    let mut out = Vec::new();
    client.seal(b"still here", &mut out).unwrap();
    server.take(&out).unwrap();
    assert_eq!(server.heard, b"still here");
}

#[test]
fn garbage_is_answered_with_an_alert() {
    let mut server = shown(&made()).accept().unwrap();
    let mut out = Vec::new();
    let mut garbage = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    assert!(server.open(&mut garbage, |_| {}, &mut out).is_err());
    assert_eq!(out.first(), Some(&21), "the type of an alert: {out:?}");
    assert_ne!(Fingerprint::of(b"a"), Fingerprint::of(b"b"));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_handshake_or_an_error(mut bytes: Vec<u8>) {
        let mut server = shown(&made()).accept().unwrap();
        let _ = server.open(&mut bytes, |_| {}, &mut Vec::new());
    }
}

//! Peers that stall, talk nonsense, or are cut off.

use super::{Sealed, VERSIONS, config, made, served};
use crate::support::{PATIENCE, until, uploads};
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

#[test]
fn a_handshake_that_stalls_ends_and_holds_nobody_up() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |config| {
        config.limits.handshake_timeout = Duration::from_millis(400);
    });
    let begun = Instant::now();
    // Nothing, and the beginning of a ClientHello: one byte of it after the other is no progress.
    let silent = TcpStream::connect(served.address()).unwrap();
    let mut slow = TcpStream::connect(served.address()).unwrap();
    slow.write_all(&[22, 3, 1, 2, 0, 1, 0]).unwrap();
    let mut bystander = Sealed::connect(served.address(), &config(&made, VERSIONS[1]));
    bystander.assert_in_step();
    for mut stalled in [silent, slow] {
        stalled.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        match stalled.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    assert!(begun.elapsed() >= Duration::from_millis(400));
    // Who has shaken hands is held to other deadlines.
    bystander.assert_in_step();
}

#[test]
fn a_record_that_stalls_is_a_frame_that_does() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |config| {
        config.limits.frame_timeout = Duration::from_millis(200);
    });
    let mut peer = Sealed::connect(served.address(), &config(&made, VERSIONS[1]));
    peer.assert_in_step();
    // The beginning of a record of application data.
    peer.0.sock.write_all(&[23, 3, 3, 1, 0, 7]).unwrap();
    let word = peer.answer();
    assert_eq!(
        (&word["msg_type"], &word["code"]),
        (&"error".into(), &"bad_frame".into())
    );
}

#[test]
fn a_hello_without_end_is_not_kept() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |config| {
        config.limits.handshake_timeout = PATIENCE * 2;
    });
    let mut peer = TcpStream::connect(served.address()).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    // A ClientHello that says it has 60,000 bytes, in records of 16 KiB.
    let mut hello = vec![1, 0, 0xea, 0x60];
    hello.resize(48 << 10, 0);
    for piece in hello.chunks(16 << 10) {
        let record = [&[22, 3, 1, 0x40, 0], piece].concat();
        // It may have been hung up on already.
        let _ = peer.write_all(&record);
    }
    let mut rest = Vec::new();
    match peer.read_to_end(&mut rest) {
        Ok(_) => assert!(rest.is_empty() || rest[0] == 21, "no alert: {rest:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn half_done_handshakes_hold_no_worker() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    let begin = |_| {
        let mut stream = TcpStream::connect(served.address()).unwrap();
        stream.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252]).unwrap();
        stream
    };
    let stalled: Vec<_> = (0..500).map(begin).collect();
    for version in VERSIONS {
        let mut peer = Sealed::connect(served.address(), &config(&made, version));
        peer.assert_in_step();
        peer.assert_proper_end();
    }
    drop(stalled);
}

#[test]
fn garbage_gets_an_alert_and_the_end() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        &[22, 3, 1, 0, 5, 1, 0, 0, 1, 0],
        &[0; 100],
        &[255; 70_000],
    ] {
        let mut stream = TcpStream::connect(served.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The server may have hung up before it has all.
        let _ = stream.write_all(garbage);
        let mut alert = Vec::new();
        stream.read_to_end(&mut alert).unwrap();
        assert_eq!(alert.first(), Some(&21), "the type of an alert: {alert:?}");
        assert_eq!(alert.len(), 7, "{alert:?}");
    }
    Sealed::connect(served.address(), &config(&made, VERSIONS[1])).assert_in_step();
}

#[test]
fn who_speaks_in_the_clear_is_not_answered_in_the_clear() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    let mut plain = served.peer();
    plain.header(&json!({"msg_type": "ping", "id": 1}));
    let mut said = Vec::new();
    plain.stream().read_to_end(&mut said).unwrap();
    assert!(!said.windows(2).any(|window| window == b"ok"), "{said:?}");
}

#[test]
fn what_was_asked_before_the_stream_was_cut_off_is_served() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    let mut peer = Sealed::connect(served.address(), &config(&made, VERSIONS[1]));
    peer.assert_in_step();
    peer.frame(json!({"msg_type": "msg", "id": 1}).to_string().as_bytes());
    peer.frame(b"the last words");
    peer.0.sock.shutdown(Shutdown::Write).unwrap();
    assert_eq!(peer.answer()["ok"], true);
}

/// The end of a file without frames is where the stream ends, so only who may end it can say so.
#[test]
fn a_file_that_was_cut_off_is_not_taken_for_whole() {
    let made = made();
    let urls = ["upload+tls://127.0.0.1:0"];
    let cut_off = b"a.txt-15";
    let served = served(&made, &urls, |_| {});
    let send = |bytes: &[u8], says_so: bool| {
        let mut peer = Sealed::connect(served.address(), &config(&made, VERSIONS[1]));
        peer.0.write_all(bytes).unwrap();
        if says_so {
            peer.0.conn.send_close_notify();
        }
        peer.0.flush().unwrap();
        peer.0.sock.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        // The server closes when it has made up its mind.
        let _ = peer.0.read_to_end(&mut rest);
    };
    let text = b"hello, this is it";
    let file = [&b"c.txt-17"[..], text].concat();
    send(&file, false);
    send(cut_off, false);
    assert_eq!(uploads(served.home()), [""; 0]);
    send(&file, true);
    until("the file is there", || uploads(served.home()) == ["c.txt"]);
    let long = vec![b'x'; 5_000];
    let file = [&b"d.txt-5000"[..], &long].concat();
    // Nothing could follow it: that the end was not said makes no difference.
    send(&file, false);
    until("the other is there", || uploads(served.home()).len() == 2);
    let (summary, _home) = served.drain();
    assert_eq!(summary.files, 2);
}

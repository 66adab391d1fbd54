//! Peers that mean no good, or can't do better. Each test has a bystander who must not notice.
//! What a broken stream is told stands in the golden conversations; here it is what everybody
//! else gets meanwhile, and what the peer can't make the server spend.

use crate::support::{Daemon, Peer, Served, partials, uploads};
use gatepost::config::Config;
use serde_json::json;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A server with short patience, so that tests of patience are short.
fn impatient(config: &mut Config) {
    let limits = &mut config.limits;
    limits.frame_timeout = Duration::from_millis(200);
    limits.upload_timeout = Duration::from_millis(200);
    limits.output_timeout = Duration::from_millis(300);
    limits.linger = Duration::from_millis(300);
}

/// What a stranger may send first, and the code of the last word it gets.
const NONSENSE: &[(&str, &[u8], &str)] = &[
    ("a length of -1", b"\xff\xff\xff\xff", "bad_frame"),
    ("a length of 2^31-1", b"\xff\xff\xff\x7f", "bad_frame"),
    (
        "a header of 1 MiB",
        b"\x00\x00\x10\x00{\"msg_type\":",
        "bad_frame",
    ),
    ("no JSON", b"\x05\x00\x00\x00hello", "bad_header"),
    ("no object", b"\x02\x00\x00\x00[]", "bad_header"),
    ("no msg_type", b"\x02\x00\x00\x00{}", "bad_header"),
    (
        "a wrong type",
        b"\x0e\x00\x00\x00{\"msg_type\":1}",
        "bad_header",
    ),
    (
        "no UTF-8",
        b"\x04\x00\x00\x00\xff\xfe\xfd\xfc",
        "bad_header",
    ),
    (
        "a request of HTTP",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "bad_frame",
    ),
    (
        "a hello of TLS",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "bad_frame",
    ),
];

#[test]
fn nonsense_gets_a_last_word_and_harms_nobody() {
    let served = Served::start(|_| {});
    let mut bystander = served.peer();
    for (name, bytes, code) in NONSENSE {
        let mut peer = served.peer();
        peer.raw(bytes);
        let word = peer.answer();
        assert_eq!(word["code"], *code, "{name}: {word}");
        peer.assert_eof();
        bystander.assert_in_step();
    }
}

#[test]
fn json_nested_to_the_limit_of_a_header_is_no_danger() {
    let served = Served::start(|_| {});
    let mut peer = served.peer();
    let nested = format!("{{\"msg_type\":\"ping\",\"x\":{}", "[".repeat(60_000));
    peer.frame(nested.as_bytes());
    peer.assert_last_word("bad_header");
    served.peer().assert_in_step();
}

#[test]
fn half_a_frame_and_silence_ends_in_time() {
    let served = Served::start(impatient);
    let mut idle = served.peer();
    for half in [&b"\x10\x00"[..], b"\x10\x00\x00\x00{\"msg_"] {
        let mut peer = served.peer();
        peer.raw(half);
        peer.assert_last_word("bad_frame");
    }
    // Nothing was begun here, so nothing has run out.
    idle.assert_in_step();
}

#[test]
fn silence_between_header_and_body_ends_in_time() {
    let served = Served::start(impatient);
    for msg_type in ["msg", "bot"] {
        let mut peer = served.peer();
        peer.header(&json!({"msg_type": msg_type, "id": 1}));
        peer.assert_last_word("bad_frame");
    }
    let mut peer = served.peer();
    peer.header(&json!({"msg_type": "file", "id": 1, "file_name": "x", "size": 10}));
    peer.frame(b"12345");
    peer.assert_last_word("bad_frame");
    let (summary, home) = served.drain();
    assert_eq!((summary.cut_off, summary.stuck), (3, 0));
    assert_eq!(uploads(home.path()), Vec::<String>::new());
    assert_eq!(partials(home.path()), 0);
}

#[test]
fn a_text_that_trickles_is_held_to_its_time() {
    let served = Served::start(impatient);
    let mut peer = served.peer();
    peer.header(&json!({"msg_type": "msg", "id": 1}));
    peer.raw(&1_000_000i32.to_le_bytes());
    // Progress, but never enough of it.
    let begun = Instant::now();
    peer.stream()
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    let word = loop {
        // Refused once the server has hung up.
        let _ = peer.try_raw(b"x");
        match peer.try_next() {
            Ok(word) => break word,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "it trickles for ever"
        );
    };
    let word: serde_json::Value = serde_json::from_slice(&word.unwrap()).unwrap();
    assert_eq!(word["code"], "bad_frame");
}

#[test]
fn five_hundred_that_send_a_byte_now_and_then_hold_nobody_up() {
    let served = Served::start(|config| config.limits.workers = 8);
    let mut dribblers: Vec<_> = (0..500).map(|_| served.peer()).collect();
    let mut bystander = served.peer();
    let request = b"\x1a\x00\x00\x00{\"msg_type\":\"ping\",\"id\":1}";
    for byte in request {
        for dribbler in &mut dribblers {
            dribbler.raw(&[*byte]);
        }
        bystander.assert_in_step();
    }
    // Slow is not wrong: each gets its answer.
    for dribbler in &mut dribblers {
        assert_eq!(dribbler.answer(), json!({"id": 1, "ok": true}));
    }
}

#[test]
fn a_peer_that_never_reads_is_not_read_and_then_let_go() {
    let served = Served::start(|config| {
        impatient(config);
        config.limits.max_outbox = 4 << 10;
    });
    let mut bystander = served.peer();
    let mut peer = served.peer();
    peer.stream()
        .set_write_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let ping = crate::support::frame(json!({"msg_type": "ping", "id": 1}).to_string().as_bytes());
    let burst = ping.repeat(2_000);
    let mut stalled = false;
    let error = loop {
        match peer.try_raw(&burst) {
            Ok(()) => {}
            // The server reads no further: what it owes has no room.
            Err(error) if error.kind() == ErrorKind::WouldBlock => stalled = true,
            Err(error) => break error,
        }
        bystander.assert_in_step();
    };
    assert!(stalled, "it was never made to wait: {error}");
    bystander.assert_in_step();
}

#[test]
fn requests_that_never_end_leave_room_for_others() {
    let served = Served::start(|_| {});
    let stop = AtomicBool::new(false);
    let address = served.address();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut peer = Peer::connect(address);
                let ping = crate::support::frame(b"{\"msg_type\":\"ping\"}").repeat(1_000);
                while !stop.load(Ordering::Relaxed) {
                    peer.raw(&ping);
                }
            });
        }
        let mut bystander = Peer::connect(address);
        for _ in 0..20 {
            bystander.assert_in_step();
        }
        // A newcomer is let in as well.
        Peer::connect(address).assert_in_step();
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn names_that_lead_elsewhere_lead_nowhere() {
    let served = Served::start(|_| {});
    let mut peer = served.peer();
    let long = "x".repeat(256);
    let names = [
        "../x",
        "../../x",
        "/etc/gatepost",
        "a/b",
        "a\\b",
        "..",
        ".",
        ".incoming",
        ".x",
        "",
        "a\0b",
        "a\nb",
        &long,
    ];
    for name in names {
        let header = json!({"msg_type": "file", "id": 1, "file_name": name});
        assert_eq!(peer.ask_with(&header, b"x")["code"], "bad_name", "{name:?}");
    }
    let header = json!({"msg_type": "file", "id": 1, "file_name": "CON"});
    assert_eq!(peer.ask_with(&header, b"x")["name"], "CON");
    assert_eq!(uploads(served.home()), ["CON"]);
    let parent = served.home().parent().unwrap();
    assert!(!parent.join("x").exists() && !parent.join("gatepost").exists());
}

#[test]
fn a_peer_that_resets_is_forgotten() {
    let served = Served::start(|_| {});
    for _ in 0..50 {
        let mut peer = served.peer();
        peer.header(&json!({"msg_type": "file", "id": 1, "file_name": "x", "size": 1_000_000}));
        peer.frame(b"only a little");
        socket2::SockRef::from(peer.stream())
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
    served.peer().assert_in_step();
    let (summary, home) = served.drain();
    assert_eq!((summary.files, summary.stuck), (0, 0));
    assert_eq!(uploads(home.path()), Vec::<String>::new());
    assert_eq!(partials(home.path()), 0);
}

#[test]
fn what_a_length_claims_costs_no_memory() {
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["-q"]);
    let mut claims = Vec::new();
    for _ in 0..100 {
        let mut peer = daemon.peer();
        peer.header(&json!({"msg_type": "msg", "id": 1}));
        peer.raw(&1_048_576i32.to_le_bytes());
        peer.raw(b"and no more");
        claims.push(peer);
        let mut peer = daemon.peer();
        let size = u64::MAX >> 1;
        peer.header(&json!({"msg_type": "file", "id": 1, "file_name": "huge", "size": size}));
        peer.raw(&i32::MAX.to_le_bytes());
        peer.raw(b"and no more");
        claims.push(peer);
    }
    daemon.peer().assert_in_step();
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 64 << 10, "{peak} KiB at its peak");
}

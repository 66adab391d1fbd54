//! Bugs that were found once, a test each, named after what went wrong.

use crate::support::{Peer, Served};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Sends `bytes` over and over, as fast as they are taken, until told or until it breaks.
fn flood(peer: &Peer, bytes: Vec<u8>) -> (Arc<AtomicBool>, JoinHandle<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (told, mut stream) = (Arc::clone(&stop), peer.stream().try_clone().unwrap());
    let flood = move || {
        while !told.load(Ordering::Relaxed) && stream.write_all(&bytes).is_ok() {}
    };
    (stop, thread::spawn(flood))
}

/// A connection that always has more to read never parks, and only on the way to parking was it
/// asked whether its time is up: a sender at full speed outlived the drain and counted as stuck.
#[test]
fn a_fast_sender_outlived_the_drain() {
    let served = Served::start(|config| {
        config.limits.drain_timeout = Duration::from_secs(2);
        config.limits.linger = Duration::from_millis(100);
    });
    let mut peer = served.peer();
    peer.assert_in_step();
    let silent = crate::support::frame(br#"{"msg_type":"ping"}"#);
    let (_stop, flood) = flood(&peer, silent.repeat(4_096));
    served.begin_drain();
    assert_eq!(peer.answer()["msg_type"], "going_away");
    // Ends by itself only when the connection is closed under it.
    flood.join().unwrap();
    let (summary, _home) = served.drain();
    assert_eq!(summary.stuck, 0);
}

/// The same, without a drain: who breaks the stream and goes on sending at full speed is read only
/// for as long as a peer may linger.
#[test]
fn a_broken_stream_that_never_ends_is_closed() {
    let served = Served::start(|config| {
        config.limits.linger = Duration::from_millis(100);
    });
    let peer = served.peer();
    let (_stop, flood) = flood(&peer, b"\xff".repeat(64 << 10));
    // Ends by itself only when the connection is closed under it.
    flood.join().unwrap();
    served.peer().assert_in_step();
}

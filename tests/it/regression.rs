//! Bugs that were found once, a test each, named after what went wrong.

use crate::support::{Peer, Served};
use serde_json::{Value, json};
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
/// asked whether its time is up: an upload at full speed outlived the drain and counted as stuck.
#[test]
fn a_fast_upload_outlived_the_drain() {
    let served = Served::start(|config| {
        config.limits.drain_timeout = Duration::from_secs(2);
        config.limits.linger = Duration::from_millis(300);
    });
    let mut peer = served.peer();
    peer.assert_in_step();
    // One frame of 2 GiB, of which nobody will see the end.
    peer.header(&json!({"msg_type": "file", "id": 7, "file_name": "endless"}));
    peer.raw(&i32::MAX.to_le_bytes());
    let (stop, flood) = flood(&peer, vec![b'x'; 64 << 10]);
    served.begin_drain();
    let refusal: Value = peer.answer();
    assert_eq!(
        (&refusal["id"], &refusal["code"]),
        (&json!(7), &json!("going_away")),
        "{refusal}"
    );
    stop.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    drop(peer);
    let (summary, _home) = served.drain();
    assert_eq!((summary.stuck, summary.cut_off), (0, 1));
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

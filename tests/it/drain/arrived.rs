//! A signal right behind a request.

use crate::support::{Daemon, frame};
use crate::trial::reading::Heard;
use rustix::process::Signal;
use serde_json::json;

/// How often it is tried: what goes wrong depends on who is quicker.
const TRIES: usize = 50;

/// Requests that arrive right before the signal.
const REQUESTS: usize = 50;

#[test]
fn what_arrived_right_before_the_signal_is_answered() {
    for _ in 0..TRIES {
        let home = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(home.path(), &["-q"]);
        // Parked by then: whoever is answered behind it was accepted behind it.
        let mut peers = [daemon.peer(), daemon.peer(), daemon.peer()];
        daemon.peer().assert_in_step();
        let ping = frame(json!({"msg_type": "ping", "id": 1}).to_string().as_bytes());
        for peer in &mut peers {
            peer.raw(&ping.repeat(REQUESTS));
        }
        daemon.signal(Signal::TERM);
        for peer in &mut peers {
            let heard = Heard::to_the_end(peer);
            assert_eq!(heard.answers.len(), REQUESTS, "{heard:?}");
            assert!(heard.going_away);
        }
        drop(peers);
        let (status, said) = daemon.wait();
        assert_eq!(status.code(), Some(0), "{said:#?}");
    }
}

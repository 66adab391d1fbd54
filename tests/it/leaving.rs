//! Clients that send what they have and leave at once, with nothing read: what was whole is served.

use crate::support::{Daemon, frame, until, uploads};
use crate::trial::{content, journal};
use serde_json::{Value, json};

/// Requests that each sends in one go.
const REQUESTS: usize = 120;

/// Sends messages and small files, all at once, and leaves.
fn send_and_leave(daemon: &Daemon, id: impl Fn(usize) -> Value) {
    let request = |number: usize| {
        let (header, body) = if number.is_multiple_of(2) {
            let name = format!("file {number}");
            let header = json!({"msg_type": "file", "id": id(number), "file_name": name});
            (header, content::bytes(number as u64, number))
        } else {
            let text = format!("message {number}");
            (
                json!({"msg_type": "msg", "id": id(number)}),
                text.into_bytes(),
            )
        };
        [frame(header.to_string().as_bytes()), frame(&body)].concat()
    };
    let mut peer = daemon.peer();
    peer.raw(&(0..REQUESTS).flat_map(request).collect::<Vec<u8>>());
}

#[track_caller]
fn assert_served(home: &std::path::Path) {
    // Nothing tells that it is all there, so it is looked for.
    until("every file is there", || {
        uploads(home).len() == REQUESTS / 2
    });
    until("every message is there", || {
        journal::count(home) == REQUESTS / 2
    });
    let messages = journal::by_text(journal::read(home));
    for number in 0..REQUESTS {
        if number.is_multiple_of(2) {
            let path = home.join(format!("uploads/file {number}"));
            content::assert_file(&path, number as u64, number as u64);
        } else {
            assert!(
                messages.contains_key(&format!("message {number}")),
                "{number}"
            );
        }
    }
}

#[test]
fn who_asks_for_no_answer_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["-q"]);
    send_and_leave(&daemon, |_| Value::Null);
    assert_served(home.path());
}

#[test]
fn who_does_not_wait_for_the_answers_loses_nothing_that_arrived() {
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["-q"]);
    send_and_leave(&daemon, Value::from);
    assert_served(home.path());
}

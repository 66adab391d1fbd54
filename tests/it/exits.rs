//! How the real program ends otherwise: soon when idle, at once on a second signal, not at all on SIGHUP, and with
//! one line where it can't begin.

use crate::support::Daemon;
use crate::trial::process::{Ended, run, serve};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A program that drains for an hour, because of an upload that does not go on.
fn draining(home: &std::path::Path, first: Signal) -> (Daemon, crate::support::Peer) {
    let mut daemon = Daemon::start(home, &["--drain-timeout=1h"]);
    let mut upload = daemon.peer();
    upload.assert_in_step();
    upload.header(&json!({"msg_type": "file", "id": 1, "file_name": "x", "size": 100_000}));
    upload.frame(&[b'x'; 50_000]);
    daemon.signal(first);
    daemon.wait_for_line(|line| line.contains("draining"));
    (daemon, upload)
}

#[test]
fn it_ends_soon_when_nothing_is_under_way() {
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["--drain-timeout=1h"]);
    let mut idle = daemon.peer();
    idle.assert_in_step();
    let begun = Instant::now();
    daemon.signal(Signal::TERM);
    assert_eq!(idle.answer()["msg_type"], "going_away");
    drop(idle);
    let (status, said) = daemon.wait();
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(0), "{said:#?}");
    assert!(took < Duration::from_secs(10), "it took {took:?}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in [
        (Signal::TERM, Signal::TERM),
        (Signal::INT, Signal::INT),
        (Signal::INT, Signal::TERM),
        (Signal::TERM, Signal::INT),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (daemon, _upload) = draining(home.path(), first);
        let begun = Instant::now();
        daemon.signal(second);
        let (status, said) = daemon.wait();
        let took = begun.elapsed();
        assert_eq!(status.code(), Some(130), "{first:?}, {second:?}: {said:#?}");
        assert!(
            took < Duration::from_secs(2),
            "{first:?}, {second:?}: it took {took:?}"
        );
        assert!(
            !said.iter().any(|line| line.starts_with("gatepost ended")),
            "{said:#?}"
        );
        assert!(!home.path().join("uploads/x").exists());
    }
}

#[test]
fn a_hangup_ends_nothing_not_even_a_drain() {
    let home = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(home.path(), &[]);
    let mut peer = daemon.peer();
    peer.assert_in_step();
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| line.contains("SIGHUP"));
    peer.assert_in_step();
    daemon.peer().assert_in_step();
    drop((peer, daemon));

    let home = tempfile::tempdir().unwrap();
    let (mut daemon, mut upload) = draining(home.path(), Signal::TERM);
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| line.contains("SIGHUP"));
    upload.frame(&[b'x'; 50_000]);
    assert_eq!(upload.answer()["ok"], true);
    drop(upload);
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said:#?}");
}

/// Expects the one line of a program that did not start.
#[track_caller]
fn assert_refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    assert_eq!(ended.out, "", "{ended:#?}");
    assert_eq!(ended.err.lines().count(), 1, "{ended:#?}");
    assert!(ended.err.starts_with("gatepost: "), "{ended:#?}");
    for word in words {
        assert!(ended.err.contains(word), "{word:?} is not in {ended:#?}");
    }
}

#[test]
fn a_second_daemon_in_a_home_is_told_who_is_first() {
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &[]);
    let mut peer = daemon.peer();
    let begun = json!({"msg_type": "file", "id": 1, "file_name": "x", "size": 6});
    peer.header(&begun);
    peer.frame(b"abc");
    let ended = run(serve(home.path()).arg("--listen=framed://127.0.0.1:0"));
    let process = format!("process {},", daemon.pid());
    let place = home.path().canonicalize().unwrap();
    assert_refused(&ended, 75, &[&process, place.to_str().unwrap(), "--home"]);
    // Nor has it touched what the first has under way.
    peer.frame(b"def");
    assert_eq!(peer.answer()["ok"], true);
    drop(peer);
    // The lock goes with its holder, however that goes.
    daemon.signal(Signal::KILL);
    let (status, _) = daemon.wait();
    assert_eq!(status.code(), None, "it was killed");
    Daemon::start(home.path(), &[]).peer().assert_in_step();
}

#[test]
fn a_taken_port_is_named() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("framed://{}", taken.local_addr().unwrap());
    let ended = run(serve(home.path()).args(["--listen", &url]));
    assert_refused(&ended, 75, &[&url, "--listen"]);
}

#[test]
fn a_wrong_setting_is_one_line_wherever_it_stands() {
    let refused = |arguments: &[&str], variable: Option<(&str, &str)>, words: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        let ended = run(serve(home.path()).args(arguments).envs(variable));
        assert_refused(&ended, 78, words);
        assert_eq!(
            fs::read_dir(home.path()).unwrap().count(),
            0,
            "something was made"
        );
    };
    refused(
        &["--workers=many"],
        None,
        &["--workers", "many", "4 to 4096"],
    );
    refused(&["--workers=3"], None, &["--workers", "4 to 4096"]);
    refused(
        &["--drain-timeout=soon"],
        None,
        &["--drain-timeout", "soon"],
    );
    refused(
        &["--listen=http://127.0.0.1:80"],
        None,
        &["--listen", "http"],
    );
    refused(
        &["--listen=framed://0.0.0.0:0"],
        None,
        &["0.0.0.0", "--insecure"],
    );
    refused(
        &["--config=no-such-file.toml"],
        None,
        &["no-such-file.toml"],
    );
    refused(
        &[],
        Some(("GATEPOST_MAX_TEXT", "x")),
        &["GATEPOST_MAX_TEXT", "\"x\""],
    );

    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("gatepost.toml"), "[limits]\nworkres = 8\n").unwrap();
    let ended = run(&mut serve(home.path()));
    assert_refused(
        &ended,
        78,
        &["gatepost.toml:2", "workres", "no such setting"],
    );
}

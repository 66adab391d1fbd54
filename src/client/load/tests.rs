//! Tests of the load against a server of a few lines.

use super::*;
use crate::wire::{Header, Reply, frame};
use std::io::{Read, Write};
use std::net::TcpListener;

/// Answers pings and messages, one thread a connection; every `wrong`th message wrongly. Ends
/// with its `connections`.
fn serve(connections: usize, wrong: u64) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(connections) {
            std::thread::spawn(move || answer(stream.unwrap(), wrong));
        }
    });
    address.parse().unwrap()
}

fn answer(mut stream: std::net::TcpStream, wrong: u64) {
    let mut seq = 0;
    let mut replies = stream.try_clone().unwrap();
    let mut next = || {
        let mut prefix = [0; frame::PREFIX];
        stream.read_exact(&mut prefix).ok()?;
        let mut payload = vec![0; frame::length(prefix).unwrap()];
        stream.read_exact(&mut payload).unwrap();
        Some(payload)
    };
    while let Some(payload) = next() {
        let header = Header::parse(&payload).unwrap();
        let mut reply = Reply::new();
        if header.msg_type == "msg" {
            assert_eq!(next().unwrap(), b"abcdefgh");
            seq += 1;
            let room = if seq % wrong == 0 {
                "elsewhere"
            } else {
                "lobby"
            };
            reply = reply.with("room", room).with("seq", seq);
        }
        let mut out = Vec::new();
        reply.write(&header.id.unwrap(), &mut out);
        replies.write_all(&out).unwrap();
    }
}

fn plan(server: Address, mix: &str) -> Plan {
    Plan {
        server,
        connections: 3,
        depth: 4,
        threads: 2,
        duration: Duration::from_millis(100),
        mix: mix.parse().unwrap(),
        text_bytes: 8,
        file_bytes: 0,
        login: None,
        insecure: false,
        timeout: Duration::from_secs(20),
    }
}

#[test]
fn every_answer_is_counted_and_none_is_wrong() {
    let report = run(&plan(serve(3, u64::MAX), "ping=3,msg=1")).unwrap();
    assert_eq!((report.total.errors, report.first_error), (0, None));
    let [ping, msg] = report.rows.as_slice() else {
        panic!("{:?}", report.rows)
    };
    assert_eq!((ping.kind, msg.kind), ("ping", "msg"));
    assert!(ping.answered > msg.answered && msg.answered > 0);
    assert!(ping.p50 <= ping.p99 && ping.p99 <= ping.max);
}

#[test]
fn wrong_replies_are_errors() {
    let report = run(&plan(serve(3, 2), "msg")).unwrap();
    let row = &report.rows[0];
    assert!(row.errors > 0 && row.answered > 0);
    assert!(row.errors.abs_diff(row.answered) <= 3);
    assert!(report.first_error.unwrap().contains("elsewhere"));
}

#[test]
fn a_server_that_goes_away_is_an_error_for_what_was_under_way() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(3) {
            stream.unwrap().read_exact(&mut [0; 10]).unwrap();
        }
    });
    let report = run(&plan(server.parse().unwrap(), "ping")).unwrap();
    assert_eq!((report.total.answered, report.total.errors), (0, 12));
}

#[test]
fn the_bots_answer_is_checked() {
    let work = Work::new(&plan("x:1".parse().unwrap(), "bot"), "run");
    let bot = |body: &str| {
        let reply = crate::client::Reply {
            fields: crate::wire::Fields::new(),
            body: body.into(),
        };
        work.check(Kind::Bot, reply, &mut 0).is_ok()
    };
    assert!(bot("a什么cdefgh"));
    assert!(!bot("abcdefgh") && !bot("什么什么cdefgh") && !bot(""));
}

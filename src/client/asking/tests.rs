//! Tests of the client against a server that follows a script.

use super::*;
use crate::client::fake::{PATIENCE, Peer, serve};
use crate::wire::{Code, Refusal, Reply as Wire, write_last_word};
use std::time::SystemTime;

fn connect(address: &str) -> Client {
    Client::connect(address, PATIENCE).unwrap()
}

fn greet(peer: &mut Peer) {
    let (_, id) = peer.header("hello");
    let greeting = Wire::new()
        .with("server", "fake")
        .with("version", "9")
        .with("proto", 1u64)
        .with("login", "optional")
        .with("salt", "pepper")
        .with("bots", serde_json::json!(["dongmei", "echo"]))
        .with("state", "running");
    peer.reply(&id, &greeting);
}

#[test]
fn a_message_gets_its_receipt() {
    let (address, server) = serve(|peer| {
        let (header, id) = peer.header("msg");
        assert_eq!(header.fields.text("room"), Ok(Some("gate")));
        assert_eq!(peer.frame(), "你好".as_bytes());
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
        let receipt = Wire::new()
            .with("room", "gate")
            .with("seq", 7u64)
            .with("prev", 0u64)
            .with("time", time)
            .with("ack", "durable")
            .with("something", "new");
        peer.reply(&id, &receipt);
        assert_eq!(peer.frame(), b"close");
    });
    let mut client = connect(&address);
    let post = Post {
        room: Some("gate".to_owned()),
        ..Post::default()
    };
    let receipt = client.say("你好", &post).unwrap();
    assert_eq!((receipt.seq, receipt.prev), (Some(7), Some(0)));
    assert_eq!(
        receipt.time,
        Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1500))
    );
    assert!(!receipt.duplicate);
    client.close().unwrap();
    server.join().unwrap();
}

#[test]
fn close_waits_for_the_servers_end() {
    let (address, server) = serve(|peer| peer.frame());
    connect(&address).close().unwrap();
    assert_eq!(server.join().unwrap(), b"close");
}

#[test]
fn a_login_sends_the_proof_made_with_the_servers_salt() {
    let (address, server) = serve(|peer| {
        greet(peer);
        let (header, id) = peer.header("login");
        assert_eq!(header.fields.text("username"), Ok(Some("lisi")));
        let sent = header.fields.required_text("password").unwrap();
        assert_eq!(sent, proof("pepper", "123"));
        let welcome = Wire::new()
            .with("text", "hello")
            .with("user", "lisi")
            .with("role", "admin");
        peer.reply(&id, &welcome);
    });
    let welcome = connect(&address).login("lisi", "123").unwrap();
    assert_eq!((&*welcome.user, &*welcome.role), ("lisi", "admin"));
    server.join().unwrap();
}

#[test]
fn a_bots_answer_is_the_body() {
    let (address, server) = serve(|peer| {
        let (header, id) = peer.header("bot");
        assert_eq!(header.fields.text("bot"), Ok(Some("echo")));
        let text = peer.frame();
        peer.reply(&id, &Wire::new().with_body(text));
    });
    let answer = connect(&address).bot(Some("echo"), "谁\n呀").unwrap();
    assert_eq!(answer, "谁\n呀");
    server.join().unwrap();
}

#[test]
fn a_refusal_keeps_the_connection_and_pushes_are_no_answers() {
    let (address, server) = serve(|peer| {
        let (_, id) = peer.header("ping");
        peer.refuse(&id, &Refusal::busy("later", Duration::from_secs(1)));
        let (_, id) = peer.header("ping");
        let mut push = Vec::new();
        Header::new("news").with("body", 2).write(&mut push);
        frame::write(&mut push, |out| out.extend_from_slice(b"hi"));
        peer.write(&push);
        peer.reply(&id, &Wire::new());
    });
    let mut client = connect(&address);
    match client.ping() {
        Err(Error::Refused(refused)) => {
            assert!(refused.is_passing());
            assert_eq!(refused.fields.number("retry_after_ms"), Ok(Some(1000)));
        }
        other => panic!("{other:?}"),
    }
    assert!(client.is_open());
    client.ping().unwrap();
    server.join().unwrap();
}

#[test]
fn a_last_word_is_why_the_connection_ended() {
    let (address, server) = serve(|peer| {
        peer.header("ping");
        let mut out = Vec::new();
        write_last_word(&Refusal::new(Code::BadFrame, "no such length"), &mut out);
        peer.write(&out);
    });
    let mut client = connect(&address);
    for _ in 0..2 {
        match client.ping() {
            Err(Error::Refused(refused)) => assert_eq!(refused.code, Some(Code::BadFrame)),
            other => panic!("{other:?}"),
        }
    }
    assert!(!client.is_open());
    server.join().unwrap();
}

#[test]
fn an_end_without_an_answer_is_closed() {
    let (address, server) = serve(|peer| {
        peer.header("ping");
        let mut out = Vec::new();
        Header::new("going_away").write(&mut out);
        peer.write(&out);
    });
    let mut client = connect(&address);
    assert!(matches!(
        client.ping(),
        Err(Error::Closed { going_away: true })
    ));
    server.join().unwrap();
}

#[test]
fn a_glance_sees_the_end_behind_the_last_words() {
    let (address, server) = serve(|peer| {
        let (_, id) = peer.header("ping");
        peer.reply(&id, &Wire::new());
        let mut out = Vec::new();
        Header::new("going_away").write(&mut out);
        peer.write(&out);
    });
    let mut client = connect(&address);
    client.ping().unwrap();
    server.join().unwrap();
    // Both are here now: the peer has written and is gone.
    client.glance().unwrap();
    assert!(!client.is_open());
}

#[test]
fn nonsense_is_told_and_silence_has_an_end() {
    let (address, server) = serve(|peer| peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert!(matches!(connect(&address).ping(), Err(Error::Broken(_))));
    server.join().unwrap();

    let (address, server) = serve(Peer::rest);
    let mut client = Client::connect(&address, Duration::from_millis(20)).unwrap();
    assert!(matches!(client.ping(), Err(Error::TimedOut(_))));
    assert!(!client.is_open());
    drop(client);
    server.join().unwrap();
}

#[test]
fn a_full_window_both_ways_does_not_lock_up() {
    // The server answers each message with a body as long and reads nothing while it cannot
    // write: whoever writes without reading would wait for ever.
    const MESSAGES: u64 = 2000;
    let text = "x".repeat(16 * 1024);
    let expected = text.clone();
    let (address, server) = serve(move |peer| {
        for _ in 0..MESSAGES {
            let (_, id) = peer.header("msg");
            let body = peer.frame();
            peer.reply(&id, &Wire::new().with("room", "lobby").with_body(body));
        }
    });
    let mut client = connect(&address);
    for id in 1..=MESSAGES {
        assert_eq!(
            client
                .send(Header::new("msg"), Some(text.as_bytes()))
                .unwrap(),
            id
        );
    }
    for id in 1..=MESSAGES {
        let answer = client.receive().unwrap().unwrap();
        assert_eq!(answer.id, id);
        assert_eq!(answer.outcome.unwrap().body, expected.as_bytes());
    }
    assert_eq!(client.receive().unwrap(), None);
    server.join().unwrap();
}

#[test]
fn nothing_listening_is_told_apart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Client::connect(&address, PATIENCE).unwrap_err();
    assert_eq!(error.to_string(), format!("nothing listens at {address}"));
}

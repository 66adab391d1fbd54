//! A walk through everything the house does, in the order in which somebody would try it. Reads
//! like the manual; the corners are in the golden conversations and in `hostile`.

use crate::support::{Peer, Served, proof, uploads};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

#[test]
fn a_day_at_the_gate() {
    let accounts = [("zhangsan".to_owned(), "123".to_owned())];
    let served = Served::with_accounts(&accounts, |_| {});
    let mut peer = served.peer();
    hello(&mut peer);
    messages(&mut peer);
    files(&mut peer, served.home());
    login(&mut peer);
    bot(&mut peer);

    // What is refused costs only itself.
    let refused = peer.ask(&json!({"msg_type": "weather", "id": 8}));
    assert_eq!(
        (&refused["ok"], &refused["code"]),
        (&json!(false), &json!("unknown_type"))
    );
    peer.assert_in_step();

    // At the end of the day who talked is told, and the books are right.
    served.begin_drain();
    let news = peer.answer();
    assert_eq!(news["msg_type"], "going_away");
    let wait = news["retry_after_ms"].as_u64();
    assert!(wait.is_some_and(|wait| wait > 0), "{news}");
    peer.assert_eof();
    drop(peer);
    let (summary, home) = served.drain();
    assert_eq!(
        (summary.messages, summary.files, summary.connections),
        (3, 2, 1)
    );
    assert_eq!((summary.refused, summary.cut_off, summary.stuck), (2, 0, 0));
    // hello, three messages, two files, one login, one bot, one ping.
    assert_eq!(summary.served, 9);
    assert_eq!(uploads(home.path()), ["photo (2).png", "photo.png"]);
}

/// What is this, and how does one log in?
fn hello(peer: &mut Peer) {
    let hello = peer.ask(&json!({"msg_type": "hello", "id": 1, "client": "tour"}));
    assert_eq!(hello["server"], "gatepost");
    assert_eq!(
        (&hello["proto"], &hello["state"]),
        (&json!(1), &json!("running"))
    );
    assert_eq!(hello["login"], "optional");
}

/// A receipt says that the message is on the disk, and after which one it comes.
fn messages(peer: &mut Peer) {
    let receipt = peer.ask_with(&json!({"msg_type": "msg", "id": 2}), "你好".as_bytes());
    assert_eq!(
        (&receipt["ok"], &receipt["ack"]),
        (&json!(true), &json!("durable"))
    );
    assert_eq!((&receipt["seq"], &receipt["prev"]), (&json!(1), &json!(0)));

    // One without an id is taken in silence; the count shows it.
    peer.request(&json!({"msg_type": "msg"}), b"nobody answers");
    let receipt = peer.ask_with(&json!({"msg_type": "msg", "id": 3}), b"again");
    assert_eq!((&receipt["seq"], &receipt["prev"]), (&json!(3), &json!(2)));
}

/// A file in pieces: visible under its name once it is whole, byte for byte.
fn files(peer: &mut Peer, home: &Path) {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let name = "photo.png";
    peer.header(&json!({"msg_type": "file", "id": 4, "file_name": name, "size": bytes.len()}));
    for piece in bytes.chunks(30_000) {
        peer.frame(piece);
    }
    let receipt = peer.answer();
    assert_eq!(
        (&receipt["name"], &receipt["size"]),
        (&json!(name), &json!(100_000))
    );
    assert_eq!(fs::read(home.join("uploads/photo.png")).unwrap(), bytes);

    // The name is taken now: the next one is kept beside it.
    let header = json!({"msg_type": "file", "id": 5, "file_name": name});
    assert_eq!(peer.ask_with(&header, b"another")["name"], "photo (2).png");
}

/// The proof is made of the salt that `hello` tells and the password.
fn login(peer: &mut Peer) {
    let mut login = json!({"msg_type": "login", "id": 6, "username": "zhangsan"});
    login["password"] = proof("wrong").into();
    assert_eq!(peer.ask(&login)["code"], "bad_login");
    login["password"] = proof("123").into();
    let welcome = peer.ask(&login);
    assert_eq!(
        (&welcome["user"], &welcome["role"]),
        (&json!("zhangsan"), &json!("user"))
    );
}

/// The bot hears badly.
fn bot(peer: &mut Peer) {
    let answer = peer.ask_with(&json!({"msg_type": "bot", "id": 7}), "哈哈".as_bytes());
    assert_eq!(answer["body"], 12);
    assert_eq!(peer.next(), "什么什么".as_bytes());
}

#[test]
fn what_was_taken_in_is_there_after_a_restart() {
    let served = Served::start(|_| {});
    let store = ask_store(&served);
    let header = json!({"msg_type": "msg", "id": 1});
    let first = served.peer().ask_with(&header, b"before");
    let (_, home) = served.drain();
    let served = Served::at(home, |_| {});
    assert_eq!(ask_store(&served), store, "the store's id stays");
    let second = served.peer().ask_with(&header, b"after");
    let seq = |receipt: &Value| receipt["seq"].as_u64().unwrap();
    assert!(seq(&second) > seq(&first), "a seq is never told twice");
    assert_eq!(second["prev"], first["seq"], "the first is still there");
}

fn ask_store(served: &Served) -> Value {
    served.peer().ask(&json!({"msg_type": "hello", "id": 1}))["store"].clone()
}

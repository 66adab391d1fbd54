//! Tests of rooms and pushes against a server that follows a script.

use super::*;
use crate::client::fake::{PATIENCE, Peer, message, serve};
use crate::wire::Reply as Wire;
use serde_json::json;
use std::time::UNIX_EPOCH;

fn lobby() -> RoomName {
    RoomName::lobby()
}

fn page(messages: &[Message], more: bool) -> Wire {
    Wire::new()
        .with("count", messages.len() as u64)
        .with("more", more)
        .with_body(serde_json::to_vec(messages).unwrap())
}

fn push(peer: &mut Peer, seq: u64, prev: u64, text: &str) {
    let mut out = Vec::new();
    message("lobby", seq, prev, text).write_push(&mut out);
    peer.write(&out);
}

#[test]
fn pushes_come_between_replies_and_none_is_lost() {
    let (address, server) = serve(|peer| {
        let (header, id) = peer.header("join");
        assert_eq!(header.fields.text("room"), Ok(Some("lobby")));
        assert_eq!(header.fields.number("since"), Ok(Some(4)));
        peer.reply(&id, &Wire::new().with("head", 6u64).with("store", "s"));
        push(peer, 5, 4, "你好");
        let (_, id) = peer.header("ping");
        push(peer, 6, 5, "");
        peer.reply(&id, &Wire::new());
        let mut out = Vec::new();
        Header::new("news").with("body", 3).write(&mut out);
        crate::wire::frame::write(&mut out, |out| out.extend_from_slice(b"\xff\xfe!"));
        Header::new("gap")
            .with("room", "lobby")
            .with("first", 7)
            .with("last", 9)
            .write(&mut out);
        peer.write(&out);
    });
    let mut client = Client::connect(&address, PATIENCE).unwrap();
    let joined = client.join(&lobby(), Some(Bound::Seq(4))).unwrap();
    assert_eq!((joined.head, joined.store.as_deref()), (6, Some("s")));
    client.ping().unwrap();
    let mut next = || client.next_push(PATIENCE);
    let expected = message("lobby", 5, 4, "你好");
    assert_eq!(next().unwrap(), Some(Push::Message(expected)));
    let expected = message("lobby", 6, 5, "");
    assert_eq!(next().unwrap(), Some(Push::Message(expected)));
    assert!(matches!(next().unwrap(), Some(Push::Other { msg_type, .. }) if msg_type == "news"));
    assert!(matches!(
        next().unwrap(),
        Some(Push::Gap {
            first: 7,
            last: 9,
            ..
        })
    ));
    assert!(matches!(next(), Err(Error::Closed { .. })));
    server.join().unwrap();
}

#[test]
fn nothing_within_the_patience_is_no_failure() {
    let (address, server) = serve(|peer| {
        let (_, id) = peer.header("leave");
        peer.reply(&id, &Wire::new());
        peer.rest();
    });
    let mut client = Client::connect(&address, PATIENCE).unwrap();
    assert_eq!(client.next_push(Duration::from_millis(1)).unwrap(), None);
    client.leave(&lobby()).unwrap();
    assert!(client.is_open());
    drop(client);
    server.join().unwrap();
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let all: Vec<_> = (1..=5)
        .map(|seq| message("lobby", seq, seq - 1, "x"))
        .collect();
    let told = all.clone();
    let (address, server) = serve(move |peer| {
        let mut asked = Vec::new();
        for (messages, more) in [
            (3..5, true),
            (1..3, true),
            (0..1, false),
            (0..4, true),
            (4..5, false),
        ] {
            let (header, id) = peer.header("history");
            let bound = |name| header.fields.get(name).map(ToString::to_string);
            asked.push((bound("before"), bound("after")));
            peer.reply(&id, &page(&told[messages], more));
        }
        asked
    });
    let mut client = Client::connect(&address, PATIENCE).unwrap();
    let pages = client.pages(History::newest(lobby())).map(Result::unwrap);
    let mut pages: Vec<_> = pages.map(|page| page.messages).collect();
    pages.reverse();
    assert_eq!(pages.concat(), all);
    let since = Bound::Time(UNIX_EPOCH + Duration::from_millis(1500));
    let pages = client
        .pages(History::after(lobby(), since))
        .map(Result::unwrap);
    assert_eq!(
        pages.flat_map(|page| page.messages).collect::<Vec<_>>(),
        all
    );
    let some = |text: &str| Some(text.to_owned());
    let time = some("\"1970-01-01T00:00:01.500Z\"");
    let expected = [
        (None, None),
        (some("4"), None),
        (some("2"), None),
        (None, time),
        (None, some("4")),
    ];
    assert_eq!(server.join().unwrap(), expected);
}

#[test]
fn any_time_has_a_form() {
    let year = Duration::from_secs(365 * 24 * 3_600);
    for (time, expected) in [
        (UNIX_EPOCH - year, "1970-01-01T00:00:00.000Z"),
        (UNIX_EPOCH + 10_000 * year, "9999-12-31T23:59:59.000Z"),
    ] {
        assert_eq!(Value::from(Bound::Time(time)), expected);
    }
}

#[test]
fn rooms_are_listed_to_the_end() {
    let (address, server) = serve(|peer| {
        for (name, after, more) in [("a", None, true), ("b", Some("a"), false)] {
            let (header, id) = peer.header("rooms");
            assert_eq!(header.fields.text("after"), Ok(after));
            let body = json!([{"room": name, "head": 7, "members": 2}]).to_string();
            peer.reply(
                &id,
                &Wire::new()
                    .with("count", 1u64)
                    .with("more", more)
                    .with_body(body),
            );
        }
    });
    let mut client = Client::connect(&address, PATIENCE).unwrap();
    let rooms = client.rooms().unwrap();
    let names: Vec<_> = rooms.iter().map(|room| room.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!((rooms[0].head, rooms[0].members), (7, 2));
    let listed = serde_json::to_string(&rooms[0]).unwrap();
    assert_eq!(listed, r#"{"room":"a","head":7,"members":2}"#);
    server.join().unwrap();
}

#[test]
fn a_page_that_cannot_be_read_is_nonsense() {
    for body in ["", "{}", "[{}]", r#"[{"seq":1}]"#] {
        let (address, server) = serve(move |peer| {
            let (_, id) = peer.header("history");
            peer.reply(&id, &Wire::new().with("more", false).with_body(body));
        });
        let mut client = Client::connect(&address, PATIENCE).unwrap();
        let asked = client.history(&History::newest(lobby()));
        assert!(matches!(asked, Err(Error::Nonsense(_))), "{body}");
        server.join().unwrap();
    }
}

//! `upload://`: whole or not at all.

use super::house::{House, Taken};
use crate::support::{partials, until, uploads};
use std::fs;
use std::net::Shutdown;

#[test]
fn uploads_are_published_whole_or_not_at_all() {
    let house = House::at("upload://127.0.0.1:0");
    let send = |pieces: &[&[u8]]| {
        let mut client = house.client();
        for piece in pieces {
            client.say(piece);
        }
        drop(client);
    };
    let published = |name: &str, content: &[u8]| {
        let (shown, bytes) = (name.to_owned(), content.len() as u64);
        assert_eq!(house.next(), Taken::File { name: shown, bytes });
        let stored = fs::read(house.home().join("uploads").join(name)).unwrap();
        assert!(stored == content, "{name} differs");
    };
    send(&[b"a.txt-11", b"hello file\n"]);
    published("a.txt", b"hello file\n");
    send(&[b"a.txt-11hello file\n"]);
    published("a (2).txt", b"hello file\n");
    send(&["照-片.png-0".as_bytes()]);
    published("照-片.png", b"");
    let large: Vec<u8> = b"7 begins with a digit "
        .iter()
        .copied()
        .cycle()
        .take(3_000_000)
        .collect();
    send(&["2024-01-05.bin-3000000".as_bytes(), &large]);
    published("2024-01-05.bin", &large);
    let glued = [b"glued-3000000", &large[..]].concat();
    send(&[&glued]);
    published("glued", &large);
    send(&[b"b.txt-5", b"hell"]);
    send(&[b"../x-5hello"]);
    send(&[&glued[..2_000_000]]);
    send(&[b"b.txt-5hello!"]);
    let mut broken = house.client();
    broken.say(b"c.txt-500000");
    broken.say(vec![b'x'; 400_000]);
    until("it has begun", || partials(house.home()) > 0);
    broken.0.shutdown(Shutdown::Both).unwrap();
    drop(broken);
    until("nothing is left", || partials(house.home()) == 0);
    send(&[b"d-1x"]);
    published("d", b"x");
    assert_eq!(
        uploads(house.home()),
        [
            "2024-01-05.bin",
            "a (2).txt",
            "a.txt",
            "d",
            "glued",
            "照-片.png"
        ]
    );
    let (summary, left) = house.drain();
    assert_eq!((summary.files, summary.stuck, left), (6, 0, vec![]));
}

#[test]
fn a_file_that_was_being_sent_when_the_server_ended_is_not_published() {
    let house = House::with(&["upload://127.0.0.1:0"], &[("drain_timeout", 400)]);
    let mut client = house.client();
    client.say(b"half-500000");
    client.say(vec![b'x'; 400_000]);
    until("it has begun", || partials(house.home()) > 0);
    let (summary, left) = house.drain();
    assert_eq!((summary.files, summary.cut_off, left), (0, 1, vec![]));
}

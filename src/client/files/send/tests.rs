//! Tests of sending against a server that breaks off where it hurts.

use super::*;
use crate::client::fake::PATIENCE;
use crate::client::files::digester::tests::digest;
use crate::client::files::shelf::{Cut, Shelf};
use crate::client::{Client, Terms};
use std::time::Duration;

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n % 251) as u8).collect()
}

fn sending(name: &str) -> Sending {
    Sending {
        post: FilePost::new(name),
        algorithm: Algorithm::Blake3,
        digest: None,
        resume: true,
    }
}

fn courier(address: &str, patience: Duration) -> Courier<'_> {
    let terms = Terms {
        patience,
        ..Terms::default()
    };
    Courier::new(|| Client::connect(address, PATIENCE), terms)
}

/// What the news said, in a word each, without what repeats itself.
fn words(news: &mut Vec<String>) -> impl FnMut(News<'_>) + '_ {
    |told| match told {
        News::Resumed(offset) => news.push(format!("resumed {offset}")),
        News::Broken { .. } => news.push("broken".to_owned()),
        News::StartedOver => news.push("over".to_owned()),
        News::Hashed(_) | News::Sent(_) | News::Kept { .. } => {}
    }
}

/// Sends `bytes` to `shelf`, whose connections are cut as said.
fn send(shelf: Shelf, bytes: &[u8], cuts: &[Cut]) -> (Result<Stored, Error>, Vec<String>, Shelf) {
    let (address, server) = shelf.serve(cuts);
    let mut courier = courier(&address, PATIENCE);
    let (mut source, mut news) = (bytes, Vec::new());
    let sent = courier.send(&sending("x"), &mut source, &mut words(&mut news));
    courier.leave();
    (sent, news, server.join().unwrap())
}

const SIZE: usize = 3 * 1024 * 1024 + 17;

#[test]
fn wherever_it_breaks_it_goes_on_from_there() {
    let bytes = content(SIZE);
    for cut in [
        Cut::Header,
        Cut::Body(0),
        Cut::Body(1),
        Cut::Body(PIECE - 1),
        Cut::Body(PIECE),
        Cut::Body(PIECE + 1),
        Cut::Body(SIZE - 1),
        Cut::Reply(false),
        Cut::Reply(true),
    ] {
        let (sent, news, shelf) = send(Shelf::default(), &bytes, &[cut, Cut::Never]);
        let stored = sent.unwrap_or_else(|error| panic!("{cut:?}: {error}"));
        assert_eq!(stored.size, SIZE as u64);
        assert_eq!(stored.duplicate, cut == Cut::Reply(true), "{cut:?}");
        assert!(shelf.files["x"].0 == bytes, "{cut:?}");
        let from = match cut {
            Cut::Body(from) => from,
            Cut::Reply(_) => SIZE,
            _ => 0,
        };
        let resumed = (from > 0).then(|| format!("resumed {from}"));
        let expected: Vec<_> = Some("broken".to_owned())
            .into_iter()
            .chain(resumed)
            .collect();
        assert_eq!(news, expected, "{cut:?}");
        let file = |offset| ("file".to_owned(), offset);
        let offset = || ("offset".to_owned(), 0);
        assert_eq!(
            shelf.asked,
            [offset(), file(0), offset(), file(from as u64)],
            "{cut:?}"
        );
    }
}

#[test]
fn it_breaks_again_and_again_and_still_arrives() {
    let bytes = content(SIZE);
    let cuts = [
        Cut::Body(1000),
        Cut::Accepted,
        Cut::Body(500_000),
        Cut::Header,
        Cut::Busy,
    ];
    let (sent, news, shelf) = send(Shelf::default(), &bytes, &cuts);
    sent.unwrap();
    assert!(shelf.files["x"].0 == bytes);
    let last = news.iter().rfind(|news| news.starts_with("resumed"));
    // The cut that follows the second resume does not lose what came before it.
    assert_eq!(last.unwrap(), "resumed 501000");
}

#[test]
fn what_an_earlier_program_left_is_gone_on_with() {
    let bytes = content(SIZE);
    let digest = digest(Algorithm::Blake3, &bytes).to_string();
    let key = ("x".to_owned(), SIZE as u64, digest);
    let shelf = |left: &[u8]| {
        let mut shelf = Shelf::default();
        shelf.partials.insert(key.clone(), left.to_vec());
        shelf
    };
    let (sent, news, shelf_after) = send(shelf(&bytes[..5]), &bytes, &[Cut::Never]);
    sent.unwrap();
    assert_eq!(news, ["resumed 5"]);
    assert!(shelf_after.files["x"].0 == bytes);

    // It is not what it should be: once more, from the first byte.
    let (sent, news, shelf_after) = send(shelf(b"wrong"), &bytes, &[Cut::Never]);
    sent.unwrap();
    assert_eq!(news, ["resumed 5", "over"]);
    assert!(shelf_after.files["x"].0 == bytes);
}

#[test]
fn a_short_file_is_sent_without_a_question_and_an_empty_one_too() {
    for bytes in [&b""[..], b"short"] {
        let (sent, news, shelf) = send(Shelf::default(), bytes, &[Cut::Never]);
        let stored = sent.unwrap();
        assert_eq!(stored.digest, Some(digest(Algorithm::Blake3, bytes)));
        assert!(news.is_empty());
        assert_eq!(shelf.asked, [("file".to_owned(), 0)]);
    }
}

#[test]
fn a_conflict_says_where_to_go_on() {
    // Short enough for the rest of a refused body to be sent: the connection is kept.
    const SIZE: usize = ASK_FROM as usize;
    let bytes = content(SIZE);
    let (address, server) = crate::client::fake::serve(|peer| {
        let (_, id) = peer.header("offset");
        peer.reply(&id, &crate::wire::Reply::new().with("offset", 7u64));
        let (header, id) = peer.header("file");
        assert_eq!(header.fields.number("offset"), Ok(Some(7)));
        let conflict = crate::wire::Refusal::new(Code::Conflict, "elsewhere");
        let right = SIZE as u64 - 2;
        peer.refuse(&id, &conflict.with("offset", right));
        peer.frame();
        let (header, id) = peer.header("file");
        assert_eq!(header.fields.number("offset"), Ok(Some(right)));
        let digest = header.fields.required_text("digest").unwrap().to_owned();
        assert_eq!(peer.frame().len(), 2);
        let stored = crate::wire::Reply::new()
            .with("name", "x (2)")
            .with("size", SIZE as u64)
            .with("digest", digest);
        peer.reply(&id, &stored);
    });
    let mut courier = courier(&address, PATIENCE);
    let sent = courier.send(&sending("x"), &mut bytes.as_slice(), &mut |_| ());
    assert_eq!(sent.unwrap().name, "x (2)");
    server.join().unwrap();
}

#[test]
fn endless_conflicts_and_foreign_digests_have_an_end() {
    let bytes = content(10);
    let (address, server) = crate::client::fake::serve(|peer| {
        let mut asked = 0;
        for _ in 0..=MOST_CONFLICTS {
            let (_, id) = peer.header("file");
            asked += 1;
            peer.frame();
            let conflict = crate::wire::Refusal::new(Code::Conflict, "no");
            peer.refuse(&id, &conflict.with("offset", 0u64));
        }
        asked
    });
    let mut courier_ = courier(&address, PATIENCE);
    let sent = courier_.send(&sending("x"), &mut bytes.as_slice(), &mut |_| ());
    assert!(matches!(sent, Err(Error::Refused(_))));
    assert_eq!(server.join().unwrap(), MOST_CONFLICTS + 1);

    let (address, server) = crate::client::fake::serve(|peer| {
        let (_, id) = peer.header("file");
        peer.frame();
        let stored = crate::wire::Reply::new()
            .with("name", "x")
            .with("size", 10u64)
            .with("digest", digest(Algorithm::Blake3, b"other").to_string());
        peer.reply(&id, &stored);
    });
    let mut courier = courier(&address, PATIENCE);
    let sent = courier.send(&sending("x"), &mut bytes.as_slice(), &mut |_| ());
    assert!(matches!(sent, Err(Error::Nonsense(_))));
    server.join().unwrap();
}

/// A file of which another program changes something while it is read.
struct Changing {
    bytes: Vec<u8>,
    told: u64,
    reads: usize,
    change_at: usize,
    notices: bool,
}

impl Source for Changing {
    fn size(&self) -> u64 {
        self.told
    }
    fn read_at(&mut self, piece: &mut [u8], offset: u64) -> io::Result<usize> {
        self.reads += 1;
        if self.reads == self.change_at {
            self.bytes.pop();
            self.bytes[0] ^= 1;
        }
        self.bytes.as_slice().read_at(piece, offset)
    }
    fn check(&mut self) -> io::Result<()> {
        match self.notices && self.reads >= self.change_at {
            true => Err(io::Error::other("the file changed while it was sent")),
            false => Ok(()),
        }
    }
}

#[test]
fn a_file_that_changes_is_never_published() {
    for change_at in 1..8 {
        for notices in [true, false] {
            let bytes = content(4 * PIECE);
            let mut source = Changing {
                told: bytes.len() as u64,
                bytes,
                reads: 0,
                change_at,
                notices,
            };
            // Before its digest is known nobody is connected to.
            let cuts: &[Cut] = if change_at <= 4 { &[] } else { &[Cut::Never] };
            let (address, server) = Shelf::default().serve(cuts);
            let mut courier = courier(&address, PATIENCE);
            let sent = courier.send(&sending("x"), &mut source, &mut |_| ());
            let error = sent.unwrap_err();
            assert!(matches!(error, Error::Unreadable(_)), "{error}");
            drop(courier);
            assert!(server.join().unwrap().files.is_empty());
        }
    }
}

#[test]
fn another_content_of_the_same_length_is_refused_by_its_digest() {
    let sending = Sending {
        digest: Some(digest(Algorithm::Sha256, b"what it was")),
        ..sending("x")
    };
    let (address, server) = Shelf::default().serve(&[Cut::Never]);
    let mut courier = courier(&address, PATIENCE);
    let sent = courier.send(&sending, &mut &b"what it is!"[..], &mut |_| ());
    match sent {
        Err(Error::Refused(refused)) => assert_eq!(refused.code, Some(Code::DigestMismatch)),
        other => panic!("{other:?}"),
    }
    courier.leave();
    assert!(server.join().unwrap().files.is_empty());
}

#[test]
fn patience_has_an_end_and_a_stop_is_heard() {
    let bytes = content(SIZE);
    let (address, server) = Shelf::default().serve(&[Cut::Body(1000)]);
    let mut hasty = courier(&address, Duration::ZERO);
    let sent = hasty.send(&sending("x"), &mut bytes.as_slice(), &mut |_| ());
    assert!(sent.unwrap_err().is_broken_off());
    let shelf = server.join().unwrap();

    let (address, server) = shelf.serve(&[Cut::Never]);
    let terms = Terms::default();
    let stop = terms.stop.clone();
    let mut courier = Courier::new(|| Client::connect(&address, PATIENCE), terms);
    let mut seen = 0;
    let sent = courier.send(&sending("x"), &mut bytes.as_slice(), &mut |news| {
        if let News::Sent(_) = news {
            seen += 1;
            stop.ask();
        }
    });
    assert!(matches!(sent, Err(Error::Stopped)), "{sent:?}");
    assert_eq!(seen, 1);
    drop(courier);
    let held: Vec<_> = server.join().unwrap().partials.into_values().collect();
    assert_eq!(held.len(), 1);
    assert!(bytes.starts_with(&held[0]) && held[0].len() > 1000);
}

#[test]
fn a_server_that_was_never_there_is_not_waited_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut courier = courier(&address, Duration::from_secs(3600));
    let sent = courier.send(&sending("x"), &mut &b"x"[..], &mut |_| ());
    assert!(matches!(sent, Err(Error::Connect { .. })));
}

#[test]
fn a_pace_holds_for_what_is_sent() {
    let bytes = content(30_000);
    let (address, server) = Shelf::default().serve(&[Cut::Never]);
    let terms = Terms {
        pace: Some(std::sync::Arc::new(Pace::new(100_000))),
        ..Terms::default()
    };
    let mut courier = Courier::new(|| Client::connect(&address, PATIENCE), terms);
    let begun = std::time::Instant::now();
    courier
        .send(&sending("x"), &mut bytes.as_slice(), &mut |_| ())
        .unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(200));
    courier.leave();
    assert!(server.join().unwrap().files["x"].0 == bytes);
}

//! Tests of fetching from a server that breaks off where it hurts.

use super::*;
use crate::client::fake::PATIENCE;
use crate::client::files::digester::tests::digest;
use crate::client::files::shelf::{Cut, Shelf};
use crate::client::{Pace, Stop};
use std::sync::Arc;
use std::time::Duration;

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n % 251) as u8).collect()
}

/// A landing in memory; one that can't take back is a pipe.
#[derive(Debug, Default)]
struct Memory {
    kept: Vec<u8>,
    is_pipe: bool,
    full_at: Option<usize>,
}

impl Landing for Memory {
    fn kept(&self) -> u64 {
        self.kept.len() as u64
    }
    fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        self.kept.extend_from_slice(piece);
        match self.full_at {
            Some(most) if self.kept.len() > most => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
    fn read_at(&mut self, piece: &mut [u8], offset: u64) -> io::Result<usize> {
        assert!(!self.is_pipe, "a pipe is not read back");
        let rest = &self.kept[offset as usize..];
        let bytes = rest.len().min(piece.len());
        piece[..bytes].copy_from_slice(&rest[..bytes]);
        Ok(bytes)
    }
    fn start_over(&mut self) -> io::Result<()> {
        if self.is_pipe && !self.kept.is_empty() {
            return Err(ErrorKind::NotSeekable.into());
        }
        self.kept.clear();
        Ok(())
    }
}

fn shelf(bytes: &[u8], known: Option<Algorithm>) -> Shelf {
    let known = known.map(|algorithm| digest(algorithm, bytes));
    let mut shelf = Shelf::default();
    shelf.files.insert("x".to_owned(), (bytes.to_vec(), known));
    shelf
}

/// Fetches `x` from `shelf`, whose connections are cut as said, onto what `landing` has.
fn fetch(
    shelf: Shelf,
    cuts: &[Cut],
    landing: &mut Memory,
) -> (Result<Fetched, Error>, Vec<String>, Shelf) {
    let (address, server) = shelf.serve(cuts);
    let terms = Terms {
        patience: PATIENCE,
        ..Terms::default()
    };
    let mut courier = Courier::new(|| Client::connect(&address, PATIENCE), terms);
    let mut told = Vec::new();
    let name = FileName::new("x").unwrap();
    let fetched = courier.fetch(&name, landing, &mut |news| match news {
        News::Resumed(offset) => told.push(format!("resumed {offset}")),
        News::Broken { .. } => told.push("broken".to_owned()),
        News::StartedOver => told.push("over".to_owned()),
        News::Hashed(_) | News::Sent(_) | News::Kept { .. } => {}
    });
    courier.leave();
    (fetched, told, server.join().unwrap())
}

const SIZE: usize = 2 * 1024 * 1024 + 17;

#[test]
fn wherever_it_breaks_it_goes_on_from_there() {
    let bytes = content(SIZE);
    for algorithm in Algorithm::ALL {
        for is_pipe in [false, true] {
            for cut in [
                Cut::Accepted,
                Cut::Header,
                Cut::Body(0),
                Cut::Body(1),
                Cut::Body(65_535),
                Cut::Body(65_536),
                Cut::Body(1_000_000),
                Cut::Body(SIZE - 1),
            ] {
                let mut landing = Memory {
                    is_pipe,
                    ..Memory::default()
                };
                let shelf = shelf(&bytes, Some(algorithm));
                let (fetched, told, shelf) = fetch(shelf, &[cut, Cut::Never], &mut landing);
                let fetched = fetched.unwrap_or_else(|error| panic!("{cut:?}: {error}"));
                assert_eq!(fetched.digest, Some(digest(algorithm, &bytes)));
                assert!(landing.kept == bytes, "{cut:?}");
                assert_eq!(told[0], "broken");
                if let Cut::Body(from) = cut
                    && from > 0
                {
                    assert_eq!(told[1], format!("resumed {from}"));
                    assert_eq!(shelf.asked[1], ("get".to_owned(), from as u64));
                }
            }
        }
    }
}

#[test]
fn short_and_empty_files_come_whole() {
    for bytes in [&b""[..], b"x"] {
        let mut landing = Memory::default();
        let shelf = shelf(bytes, Some(Algorithm::Blake3));
        let (fetched, told, _) = fetch(shelf, &[Cut::Never], &mut landing);
        assert_eq!(fetched.unwrap().size, bytes.len() as u64);
        assert_eq!((landing.kept, told), (bytes.to_vec(), vec![]));
    }
}

#[test]
fn what_an_earlier_program_kept_is_gone_on_with_if_it_is_the_same_file() {
    let bytes = content(SIZE);
    let whole = Some(Algorithm::Sha256);
    for (kept, known, told_) in [
        (&bytes[..7], whole, &["resumed 7"][..]),
        // All of it: only the check is left.
        (&bytes[..], whole, &["resumed 2097169"]),
        // Found out at the end.
        (b"another", whole, &["resumed 7", "over"]),
        // Nothing would tell whether it is the same.
        (&bytes[..7], None, &[]),
        // Longer than the file.
        (&[&bytes[..], b"x"].concat()[..], whole, &[]),
    ] {
        let mut landing = Memory {
            kept: kept.to_vec(),
            ..Memory::default()
        };
        let (fetched, told, _) = fetch(shelf(&bytes, known), &[Cut::Never], &mut landing);
        assert_eq!(fetched.unwrap().digest.is_some(), known.is_some());
        assert!(landing.kept == bytes);
        assert_eq!(told, told_);
    }
}

#[test]
fn without_a_digest_it_comes_unverified_and_a_break_starts_over() {
    let bytes = content(SIZE);
    let mut landing = Memory::default();
    let cuts = [Cut::Body(1000), Cut::Never];
    let (fetched, told, shelf_) = fetch(shelf(&bytes, None), &cuts, &mut landing);
    assert_eq!(fetched.unwrap().digest, None);
    assert!(landing.kept == bytes);
    assert_eq!(told, ["broken"]);
    assert!(shelf_.asked.iter().all(|(_, offset)| *offset == 0));
    // What went into a pipe can't be taken back.
    let mut landing = Memory {
        is_pipe: true,
        ..Memory::default()
    };
    let (fetched, ..) = fetch(shelf(&bytes, None), &cuts, &mut landing);
    assert!(matches!(fetched, Err(Error::Unwritable(_))));
}

#[test]
fn bytes_that_are_not_what_the_server_says_are_not_kept() {
    let mut lying = shelf(b"what it is", None);
    let told = digest(Algorithm::Blake3, b"what it says");
    lying.files.get_mut("x").unwrap().1 = Some(told);
    let mut landing = Memory::default();
    let (fetched, told, _) = fetch(lying, &[Cut::Never], &mut landing);
    assert!(matches!(fetched, Err(Error::Nonsense(_))));
    assert!(landing.kept.is_empty());
    assert_eq!(told, ["over", "over"]);
}

#[test]
fn a_full_disk_ends_it_and_a_missing_file_is_refused() {
    let bytes = content(SIZE);
    let mut landing = Memory {
        full_at: Some(100_000),
        ..Memory::default()
    };
    let known = Some(Algorithm::Blake3);
    let (fetched, ..) = fetch(shelf(&bytes, known), &[Cut::Never], &mut landing);
    assert!(matches!(fetched, Err(Error::Unwritable(_))));
    let (fetched, ..) = fetch(Shelf::default(), &[Cut::Never], &mut Memory::default());
    assert!(matches!(fetched, Err(Error::Refused(_))));
}

#[test]
fn a_conflict_starts_over() {
    let bytes = content(10);
    let old = digest(Algorithm::Blake3, b"old");
    let new = digest(Algorithm::Blake3, &bytes);
    let (address, server) = crate::client::fake::serve(move |peer| {
        let (_, id) = peer.header("list");
        let file = serde_json::json!([{"name": "x", "size": 9, "digest": old.to_string(),
            "owner": null, "time": "2026-01-02T03:04:05Z"}]);
        let page = crate::wire::Reply::new().with("more", false);
        peer.reply(&id, &page.with_body(file.to_string()));
        let (header, id) = peer.header("get");
        assert_eq!(header.fields.text("digest"), Ok(Some(&*old.to_string())));
        peer.refuse(&id, &crate::wire::Refusal::new(Code::Conflict, "another"));
        let (header, id) = peer.header("get");
        assert_eq!(header.fields.get("digest"), None);
        let offered = crate::wire::Reply::new()
            .with("size", 10u64)
            .with("digest", new.to_string());
        peer.reply(&id, &offered.with_body(content(10)));
    });
    let mut landing = Memory {
        kept: b"ol".to_vec(),
        ..Memory::default()
    };
    let mut courier = Courier::new(|| Client::connect(&address, PATIENCE), Terms::default());
    let name = FileName::new("x").unwrap();
    let fetched = courier.fetch(&name, &mut landing, &mut |_| ());
    assert_eq!(fetched.unwrap().digest, Some(new));
    assert_eq!(landing.kept, bytes);
    server.join().unwrap();
}

#[test]
fn a_stop_leaves_what_is_kept_and_a_pace_holds() {
    let bytes = content(SIZE);
    let (address, server) = shelf(&bytes, Some(Algorithm::Blake3)).serve(&[Cut::Never]);
    let stop = Stop::new();
    let terms = Terms {
        stop: stop.clone(),
        pace: Some(Arc::new(Pace::new(100_000))),
        ..Terms::default()
    };
    let begun = std::time::Instant::now();
    let mut courier = Courier::new(|| Client::connect(&address, PATIENCE), terms);
    let mut landing = Memory::default();
    let name = FileName::new("x").unwrap();
    let fetched = courier.fetch(&name, &mut landing, &mut |news| {
        if let News::Kept {
            bytes: 30_000..,
            size,
        } = news
        {
            assert_eq!(size, SIZE as u64);
            stop.ask();
        }
    });
    assert!(matches!(fetched, Err(Error::Stopped)));
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert!(bytes.starts_with(&landing.kept) && landing.kept.len() >= 30_000);
    drop(courier);
    server.join().unwrap();
}

//! Our client's files while connections break anywhere, with the server in this process.

use super::cutter::cutter;
use crate::follow::board::Board;
use crate::support::{PATIENCE, Served, partials};
use crate::trial::chance::Chance;
use crate::trial::content;
use gatepost::client::{Client, Courier, FilePost, Landing, News, Sending, Terms};
use gatepost::wire::{Algorithm, FileName};
use std::io;

/// Sizes about which something may be special: nothing, a byte, pieces, and many pieces.
const SIZES: [usize; 7] = [0, 1, 4_096, 262_143, 262_145, 1 << 20, (3 << 20) + 5];

fn courier(address: String) -> Courier<'static> {
    let connect = move || Client::connect(&address, PATIENCE);
    Courier::new(connect, Terms::default())
}

fn sending(name: &str, algorithm: Algorithm) -> Sending {
    Sending {
        post: FilePost::new(name),
        algorithm,
        digest: None,
        resume: true,
    }
}

#[test]
fn uploads_cut_anywhere_arrive_as_they_are() {
    let served = Served::start(|_| {});
    let seed = Chance::seed();
    let mut chance = Chance::new(seed);
    for (number, size) in SIZES.into_iter().cycle().take(28).enumerate() {
        // Twice anywhere, within the questions as well, and then not any more.
        let mut cuts: Vec<u64> = (0..2)
            .map(|_| chance.next() % (size as u64 + 400))
            .collect();
        let address = cutter(served.address(), move || cuts.pop());
        let (name, bytes) = (format!("{number}"), content::bytes(number as u64, size));
        let sending = sending(&name, Algorithm::ALL[number % 2]);
        let mut courier = courier(address);
        let stored = courier.send(&sending, &mut bytes.as_slice(), &mut |_| ());
        let stored = stored
            .unwrap_or_else(|error| panic!("{number}: {error}; {}", Chance::how_to_repeat(seed)));
        assert_eq!((stored.name.as_str(), stored.size), (&*name, size as u64));
        courier.leave();
        let path = served.home().join("uploads").join(&name);
        content::assert_file(&path, number as u64, size as u64);
    }
    assert_eq!(partials(served.home()), 0);
}

#[test]
fn an_upload_goes_on_with_what_is_safe() {
    const SIZE: usize = 8 << 20;
    let served = Served::start(|_| {});
    let mut cuts = vec![6 << 20];
    let address = cutter(served.address(), move || cuts.pop());
    let bytes = content::bytes(1, SIZE);
    let mut resumed = Vec::new();
    let mut courier = courier(address);
    courier
        .send(
            &sending("x", Algorithm::Blake3),
            &mut bytes.as_slice(),
            &mut |news| {
                if let News::Resumed(offset) = news {
                    resumed.push(offset);
                }
            },
        )
        .unwrap();
    courier.leave();
    content::assert_file(&served.home().join("uploads/x"), 1, SIZE as u64);
    let [offset] = resumed[..] else {
        panic!("{resumed:?}");
    };
    assert!((1 << 20..6 << 20).contains(&offset), "{offset}");
}

/// What is fetched, in memory.
struct Memory(Vec<u8>);

impl Landing for Memory {
    fn kept(&self) -> u64 {
        self.0.len() as u64
    }
    fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(piece);
        Ok(())
    }
    fn read_at(&mut self, _: &mut [u8], _: u64) -> io::Result<usize> {
        panic!("all of it was hashed as it came");
    }
    fn start_over(&mut self) -> io::Result<()> {
        assert!(self.0.is_empty(), "it was the same file");
        Ok(())
    }
}

#[test]
fn downloads_cut_anywhere_arrive_as_they_are() {
    let served = Served::start(|_| {});
    let mut sender = courier(served.address().to_string());
    for (number, size) in SIZES.into_iter().enumerate() {
        let bytes = content::bytes(number as u64, size);
        let sending = sending(&format!("{number}"), Algorithm::ALL[number % 2]);
        sender
            .send(&sending, &mut bytes.as_slice(), &mut |_| ())
            .unwrap();
    }
    sender.leave();
    let seed = Chance::seed();
    let mut chance = Chance::new(seed);
    for (number, size) in SIZES.into_iter().enumerate().cycle().take(28) {
        let cut =
            |chance: &mut Chance| usize::try_from(chance.next() % (size as u64 + 300)).unwrap();
        let mut cuts = vec![cut(&mut chance), cut(&mut chance)];
        let board = Board::new(move || cuts.pop());
        board.plug(Some(served.address()));
        let mut courier = courier(board.address());
        let mut landing = Memory(Vec::new());
        let name = FileName::new(format!("{number}")).unwrap();
        let fetched = courier.fetch(&name, &mut landing, &mut |_| ());
        let fetched = fetched
            .unwrap_or_else(|error| panic!("{number}: {error}; {}", Chance::how_to_repeat(seed)));
        assert_eq!(fetched.size, size as u64);
        assert!(fetched.digest.is_some());
        assert!(landing.0 == content::bytes(number as u64, size), "{number}");
        courier.leave();
    }
}

//! Many uploads at once, and one that crawls among them.

use super::{proven, sha256};
use crate::crowd::CROWDED;
use crate::support::{Peer, Served, partials};
use crate::trial::content;
use crate::trial::process::raise_open_files;

/// Bytes of each file.
const SIZE: usize = 24 << 10;

/// Open files that this process needs beside: other tests run meanwhile.
const OTHER_FILES: u64 = 2_048;

/// Uploads at once: far more than there are workers.
const COUNT: u64 = 2_000;

#[test]
fn uploads_at_once_are_all_published_beside_one_that_crawls() {
    let _alone = CROWDED.lock();
    // Two ends of each connection, and the file.
    raise_open_files(3 * COUNT + OTHER_FILES);
    let served = Served::start(|config| config.limits.workers = 64);
    let crawl = content::bytes(COUNT, 64);
    let mut crawling = served.peer();
    crawling.header(&proven(1, "crawls", &crawl));
    crawling.raw(&(crawl.len() as i32).to_le_bytes());

    let mut peers: Vec<Peer> = (0..COUNT).map(|_| served.peer()).collect();
    let bytes = |number: u64| content::bytes(number, SIZE);
    for (number, peer) in (0..).zip(&mut peers) {
        peer.header(&proven(number, &format!("file {number}"), &bytes(number)));
        peer.raw(&(SIZE as i32).to_le_bytes());
    }
    // All of them have begun before the first one ends.
    let parts = 4;
    for part in 0..parts {
        let range = part * SIZE / parts..(part + 1) * SIZE / parts;
        for (number, peer) in (0..).zip(&mut peers) {
            peer.raw(&bytes(number)[range.clone()]);
        }
        crawling.raw(&crawl[part..=part]);
    }
    for (number, peer) in (0..).zip(&mut peers) {
        let answer = peer.answer();
        assert_eq!(answer["name"], format!("file {number}"), "{answer}");
        assert_eq!(answer["digest"], sha256(&bytes(number)));
    }
    crawling.raw(&crawl[parts..]);
    assert_eq!(crawling.answer()["name"], "crawls");
    for number in 0..COUNT {
        let path = served.home().join(format!("uploads/file {number}"));
        content::assert_file(&path, number, SIZE as u64);
    }
    assert_eq!(partials(served.home()), 0);
    let (summary, _home) = served.drain();
    assert_eq!((summary.files, summary.cut_off), (COUNT + 1, 0));
}

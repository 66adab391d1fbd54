//! Large files while their senders and the server are killed at any moment: each is gone on with from
//! where it is safe, and arrives once and as it is.

use crate::support::{Daemon, PATIENCE, Peer, frame, partials, uploads};
use crate::trial::chance::{Chance, mix};
use crate::trial::content;
use parking_lot::{Condvar, Mutex};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// How many files are sent.
const UPLOADS: usize = 200;

/// So many at once.
const SENDERS: usize = 6;

/// The largest is smaller than this, and there are as many between 1 and 2 KiB as between 32 and 64
/// MiB.
const LARGEST: u64 = 64 << 20;

/// A body comes in frames of so many bytes.
const FRAME: usize = 250_000;

/// The server is killed each time so many bytes were sent, at most. And a client that is killed has
/// sent that much at most.
const KILL_EVERY: u64 = 48 << 20;

/// What all of them share.
#[derive(Default)]
struct Board {
    /// Where the server listens, and which server it is.
    server: Mutex<(usize, Option<SocketAddr>)>,
    is_new: Condvar,
    sent: AtomicU64,
    /// How many files are still to come.
    next: AtomicUsize,
    ended: AtomicUsize,
    /// How often one went on in the middle.
    resumed: AtomicUsize,
}

/// One file on its way.
struct Upload<'a> {
    board: &'a Board,
    chance: Chance,
    name: String,
    bytes: Vec<u8>,
    digest: String,
    /// How many bytes were said to be safe.
    told: usize,
}

/// Why a connection came to nothing.
#[derive(Debug)]
enum Broken {
    /// The server was killed.
    Server,
    /// The client was, with so many bytes sent to that server.
    Client(usize, usize),
}

/// The size of a file: nothing, or any magnitude.
fn size(seed: u64) -> usize {
    let magnitude = 1 + seed % u64::from(LARGEST.ilog2());
    let size = mix(seed) % (1 << magnitude);
    usize::try_from(if seed.is_multiple_of(20) { 0 } else { size }).unwrap()
}

impl Board {
    /// A connection to the server that is there, or that comes.
    #[track_caller]
    fn connect(&self) -> Peer {
        let deadline = Instant::now() + PATIENCE;
        let mut server = self.server.lock();
        loop {
            if let (_, Some(address)) = *server
                && let Ok(stream) = TcpStream::connect(address)
            {
                return Peer::on(stream);
            }
            let waited = self.is_new.wait_until(&mut server, deadline);
            assert!(!waited.timed_out(), "no server comes");
        }
    }

    /// Which server it is that is there, or that was.
    fn life(&self) -> usize {
        self.server.lock().0
    }

    fn announce(&self, address: Option<SocketAddr>) {
        let mut server = self.server.lock();
        *server = (server.0 + 1, address);
        self.is_new.notify_all();
    }
}

impl Upload<'_> {
    fn header(&self, msg_type: &str) -> Value {
        json!({
            "msg_type": msg_type, "id": msg_type, "file_name": self.name,
            "size": self.bytes.len(), "digest": self.digest,
        })
    }

    /// How much is safe; never less than it was.
    #[track_caller]
    fn offset(&mut self, peer: &mut Peer) -> Result<usize, Broken> {
        let answer = ask(peer, &self.header("offset"))?;
        let offset = answer["offset"].as_u64();
        let offset = offset.unwrap_or_else(|| panic!("{}: {answer}", self.name));
        let offset = usize::try_from(offset).unwrap();
        assert!(
            self.told <= offset && offset <= self.bytes.len(),
            "{} of {} bytes: {} were safe, and now {answer}",
            self.name,
            self.bytes.len(),
            self.told
        );
        self.told = offset;
        Ok(offset)
    }

    /// Sends it, whatever comes in between.
    #[track_caller]
    fn send(&mut self) {
        // Once on purpose; the server may be killed any number of times.
        let mut most = Some(self.chance.next() % (self.bytes.len() as u64 + 1).min(KILL_EVERY));
        loop {
            match self.converse(most) {
                Ok(()) => return,
                Err(Broken::Server) => {}
                Err(Broken::Client(sent, life)) => {
                    most = None;
                    self.settle(sent, life);
                }
            }
        }
    }

    /// Waits until all of the first `sent` bytes are safe, as what has arrived always gets, unless
    /// the server is killed.
    #[track_caller]
    fn settle(&mut self, sent: usize, life: usize) {
        let mut peer = self.board.connect();
        let deadline = Instant::now() + PATIENCE;
        while let Ok(offset) = self.offset(&mut peer)
            && offset < sent
            && self.board.life() == life
        {
            assert!(Instant::now() < deadline, "{offset} of {sent} are safe");
        }
    }

    /// One connection, until it ends; or its client, after `most` bytes.
    #[track_caller]
    fn converse(&mut self, most: Option<u64>) -> Result<(), Broken> {
        let life = self.board.life();
        let mut peer = self.board.connect();
        let offset = self.offset(&mut peer)?;
        let is_middle = 0 < offset && offset < self.bytes.len();
        self.board
            .resumed
            .fetch_add(usize::from(is_middle), Ordering::Relaxed);
        let mut header = self.header("file");
        if offset > 0 {
            header["offset"] = offset.into();
        }
        let gone = |_| Broken::Server;
        peer.try_raw(&frame(header.to_string().as_bytes()))
            .map_err(gone)?;
        let most = most.map(|most| usize::try_from(most).unwrap());
        let mut sent = offset;
        while sent < self.bytes.len() {
            let end = (sent + FRAME).min(self.bytes.len());
            let piece = frame(&self.bytes[sent..end]);
            if let Some(most) = most
                && end >= most
            {
                // Killed in the middle of a frame.
                let part = 4 + most.saturating_sub(sent);
                peer.try_raw(&piece[..part]).map_err(gone)?;
                return Err(Broken::Client(most.max(sent), life));
            }
            peer.try_raw(&piece).map_err(gone)?;
            self.board
                .sent
                .fetch_add((end - sent) as u64, Ordering::Relaxed);
            sent = end;
            if self.chance.below(16) == 0 {
                // Another connection asks, and what it is told holds from then on.
                self.offset(&mut self.board.connect())?;
            }
        }
        let answer = peer.try_next().map_err(gone)?.ok_or(Broken::Server)?;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        if answer["code"] == "conflict" {
            // What was sent before a kill was read after what came behind it.
            return Err(Broken::Server);
        }
        assert_eq!(answer["ok"], true, "{}: {answer}", self.name);
        assert_eq!(answer["ack"], "durable", "{answer}");
        assert_eq!(answer["name"], *self.name, "{answer}");
        assert_eq!(answer["digest"], *self.digest, "{answer}");
        Ok(())
    }
}

fn ask(peer: &mut Peer, header: &Value) -> Result<Value, Broken> {
    let header = frame(header.to_string().as_bytes());
    peer.try_raw(&header).map_err(|_| Broken::Server)?;
    match peer.try_next() {
        Ok(Some(answer)) => Ok(serde_json::from_slice(&answer).unwrap()),
        _ => Err(Broken::Server),
    }
}

/// Sends one file after the other, until there are none left.
fn send_files(board: &Board, seed: u64) {
    loop {
        let number = board.next.fetch_add(1, Ordering::Relaxed);
        if number >= UPLOADS {
            return;
        }
        let own = mix(seed ^ number as u64);
        let bytes = content::bytes(own, size(own));
        let digest = format!("blake3:{}", blake3::hash(&bytes));
        let mut upload = Upload {
            board,
            chance: Chance::new(own),
            name: format!("{number}"),
            bytes,
            digest,
            told: 0,
        };
        upload.send();
        board.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn files_arrive_whole_whoever_is_killed_on_their_way() {
    let seed = Chance::seed();
    println!("{}", Chance::how_to_repeat(seed));
    let mut chance = Chance::new(seed);
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let board = Board::default();
    let mut kills = 0;
    let start = || Daemon::start(home.path(), &["-q", "--print=false"]);
    let daemon = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| scope.spawn(|| send_files(&board, seed)))
            .collect();
        let mut daemon = start();
        board.announce(Some(daemon.address()));
        let mut until = 0;
        while senders.iter().any(|sender| !sender.is_finished()) {
            if board.sent.load(Ordering::Relaxed) < until {
                thread::yield_now();
                continue;
            }
            board.announce(None);
            daemon.signal(Signal::KILL);
            let (status, said) = daemon.wait();
            assert_eq!(status.code(), None, "it ended by itself: {said:#?}");
            kills += 1;
            daemon = start();
            board.announce(Some(daemon.address()));
            until = board.sent.load(Ordering::Relaxed) + 1 + chance.below(KILL_EVERY);
        }
        daemon
    });
    daemon.signal(Signal::TERM);
    let (status, said) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{said:#?}");

    let expected: BTreeSet<String> = (0..UPLOADS).map(|number| number.to_string()).collect();
    let found: BTreeSet<String> = uploads(home.path()).into_iter().collect();
    assert_eq!(found, expected);
    for number in 0..UPLOADS {
        let own = mix(seed ^ number as u64);
        let path = home.path().join("uploads").join(number.to_string());
        content::assert_file(&path, own, size(own) as u64);
    }
    let resumed = board.resumed.into_inner();
    println!("{kills} kills, {resumed} times one went on in the middle");
    assert!(kills > 3 && resumed > UPLOADS / 4);
    drop(start());
    assert_eq!(partials(home.path()), 0);
}

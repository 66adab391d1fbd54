//! The course's own server: takes the frames of a connection until `close`,
//! answers nothing, closes. One connection after another on one thread, and a
//! thread for each.

use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::report;
use crate::frames;

/// The frame that ends a conversation.
pub(crate) const CLOSE: &[u8] = b"close";

/// Before the number of whole conversations, in the server's last line.
pub(crate) const TAKEN: &str = "taken ";

/// Counts conversations, so that the runner can tell whether every message
/// that it sent was really taken.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    accepted: AtomicU64,
    ended: AtomicU64,
    whole: AtomicU64,
}

impl Tally {
    /// Conversations taken to their `close`, once those accepted have ended
    /// (or, a client being stuck, after a second).
    pub(crate) fn settled(&self) -> u64 {
        let until = Instant::now() + Duration::from_secs(1);
        while self.ended.load(Ordering::Acquire) < self.accepted.load(Ordering::Acquire)
            && Instant::now() < until
        {
            thread::sleep(Duration::from_millis(1));
        }
        self.whole.load(Ordering::Acquire)
    }
}

/// Takes one connection after another; returns only on an error.
pub(crate) fn one_by_one(listener: &TcpListener, tally: &Tally) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        tally.accepted.fetch_add(1, Ordering::AcqRel);
        take_and_count(stream, tally);
    }
}

/// Takes each connection on a thread of its own; returns only on an error.
pub(crate) fn on_threads(listener: &TcpListener, tally: &Arc<Tally>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        tally.accepted.fetch_add(1, Ordering::AcqRel);
        let tally = Arc::clone(tally);
        thread::Builder::new().spawn(move || take_and_count(stream, &tally))?;
    }
}

fn take_and_count(stream: TcpStream, tally: &Tally) {
    match take(stream) {
        Ok(true) => drop(tally.whole.fetch_add(1, Ordering::AcqRel)),
        Ok(false) => {}
        Err(error) => report(Err(error)),
    }
    tally.ended.fetch_add(1, Ordering::AcqRel);
}

/// Reads to `close`, and then closes; `false` where the client went without.
fn take(stream: TcpStream) -> io::Result<bool> {
    let mut stream = BufReader::new(stream);
    let mut payload = Vec::new();
    while frames::read(&mut stream, &mut payload)? {
        if payload == CLOSE {
            return Ok(true);
        }
    }
    Ok(false)
}

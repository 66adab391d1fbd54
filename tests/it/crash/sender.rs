//! A client that outlives its server: it remembers what was not answered, and sends it again. Now
//! and then it breaks its own connection, in the middle of a file.

use super::request::{Parcel, Request};
use crate::support::{Daemon, Peer, until};
use crate::trial::chance::{Chance, mix};
use serde_json::Value;
use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};

/// Requests that it leaves unanswered.
const WINDOW: usize = 8;

/// Of so many requests one is a file.
const FILE_EVERY: u64 = 6;

/// Of so many files that come in several pieces one is not sent to its end.
const BREAK_EVERY: u64 = 3;

/// One sender, over all its connections.
pub(crate) struct Sender {
    number: u64,
    chance: Chance,
    made: u64,
    /// What was sent and not answered, in its order.
    unanswered: VecDeque<Request>,
    /// Keys and seqs of acknowledged messages.
    pub(crate) messages: Vec<(String, u64)>,
    /// Acknowledged files: the names that they asked for, and those that they got.
    pub(crate) files: Vec<(String, String)>,
    /// How often it went on in the middle of a file.
    pub(crate) resumed: usize,
}

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The server is gone.
    Gone,
    /// It was broken on purpose.
    Broken,
}

/// The file that is called `name`, or by a name beside it.
#[track_caller]
pub(crate) fn parcel_of(senders: &[Sender], name: &str) -> Parcel {
    let stem = name.strip_suffix(".bin").unwrap_or(name);
    let asked = stem.split_once(" (").map_or(stem, |(asked, _)| asked);
    let numbers = asked
        .split_once('-')
        .map(|(number, place)| (number.parse(), place.parse()));
    let Some((Ok(number), Ok(place))) = numbers else {
        panic!("nobody sent {name:?}");
    };
    let sender = senders.iter().find(|sender| sender.number == number);
    assert!(
        sender.is_some_and(|sender| place < sender.made),
        "nobody sent {name:?}"
    );
    Parcel::of(number, place)
}

impl Sender {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self {
            number,
            chance: Chance::new(seed ^ mix(number + 1)),
            made: 0,
            unanswered: VecDeque::new(),
            messages: Vec::new(),
            files: Vec::new(),
            resumed: 0,
        }
    }

    /// Sends again what was not answered, and then more and more until the server is gone. Each
    /// receipt is told to `receipt`.
    pub(crate) fn send(&mut self, address: SocketAddr, receipt: impl Fn()) {
        while let Ok(stream) = TcpStream::connect(address) {
            if self.converse(Peer::on(stream), &receipt) == Some(End::Gone) {
                return;
            }
        }
    }

    /// One connection, until it ends.
    fn converse(&mut self, mut peer: Peer, receipt: &impl Fn()) -> Option<End> {
        if !self.ask_offsets(&mut peer) {
            return Some(End::Gone);
        }
        for place in 0..self.unanswered.len() {
            let request = self.unanswered[place].clone();
            if let Some(end) = self.put(&mut peer, &request) {
                return Some(end);
            }
        }
        loop {
            while self.unanswered.len() < WINDOW {
                let is_file = self.chance.below(FILE_EVERY) == 0;
                let request = Request::new(self.number, self.made, is_file);
                self.made += 1;
                self.unanswered.push_back(request.clone());
                if let Some(end) = self.put(&mut peer, &request) {
                    return Some(end);
                }
            }
            // A kill resets the connection or ends it; nothing else may.
            let Ok(Some(answer)) = peer.try_next() else {
                return Some(End::Gone);
            };
            if let Some(again) = self.note(&answer) {
                self.unanswered.push_back(again.clone());
                if let Some(end) = self.put(&mut peer, &again) {
                    return Some(end);
                }
            } else {
                receipt();
            }
        }
    }

    /// Sends one request, perhaps not to its end.
    fn put(&mut self, peer: &mut Peer, request: &Request) -> Option<End> {
        let pieces = request.pieces();
        let breaks = pieces.len() > 2 && self.chance.below(BREAK_EVERY) == 0;
        let whole = if breaks {
            1 + usize::try_from(self.chance.below(pieces.len() as u64 - 1)).unwrap()
        } else {
            pieces.len()
        };
        for piece in &pieces[..whole] {
            if peer.try_raw(piece).is_err() {
                return Some(End::Gone);
            }
        }
        breaks.then_some(End::Broken)
    }

    /// Finds out how much is safe of the files that were not answered. `false` if the server is
    /// gone.
    pub(crate) fn ask_offsets(&mut self, peer: &mut Peer) -> bool {
        for request in &mut self.unanswered {
            let Some(question) = request.question() else {
                continue;
            };
            let question = crate::support::frame(question.to_string().as_bytes());
            let (Ok(()), Ok(Some(answer))) = (peer.try_raw(&question), peer.try_next()) else {
                return false;
            };
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            let safe = answer["offset"].as_u64();
            let safe = safe.unwrap_or_else(|| panic!("{request:?}: {answer}"));
            if let Request::File { offset, parcel, .. } = request {
                assert!(safe <= parcel.size as u64, "{answer}");
                *offset = safe;
                self.resumed += usize::from(safe > 0 && safe < parcel.size as u64);
            }
        }
        true
    }

    /// Sends again what was not answered, and reads all the answers. One at a time: so what was
    /// kept already is acknowledged before anything else is.
    #[track_caller]
    pub(crate) fn finish(&mut self, mut peer: Peer) {
        assert!(self.ask_offsets(&mut peer), "the server is gone");
        while let Some(request) = self.unanswered.front() {
            peer.raw(&request.pieces().concat());
            let answer = peer.next();
            if let Some(again) = self.note(&answer) {
                self.unanswered.push_front(again);
            }
        }
    }

    /// Breaks off in the middle of a file, and asks until some of it is safe.
    #[track_caller]
    pub(crate) fn break_off(&mut self, daemon: &Daemon) {
        let request = loop {
            let request = Request::new(self.number, self.made, true);
            self.made += 1;
            if request.question().is_some() && request.pieces().len() > 2 {
                break request;
            }
        };
        let question = request.question().expect("it was chosen for it");
        let pieces = request.pieces();
        let (_, most) = pieces.split_last().expect("they are three at least");
        daemon.peer().raw(&most.concat());
        let mut peer = daemon.peer();
        until("something is safe", || {
            peer.ask(&question)["offset"].as_u64() > Some(0)
        });
        self.unanswered.push_back(request);
    }

    /// Notes the answer to the first request that has none. It may be one that says where to go
    /// on: what was broken off moments ago was not safe yet when that was asked.
    #[track_caller]
    fn note(&mut self, answer: &[u8]) -> Option<Request> {
        let answer: Value = serde_json::from_slice(answer).unwrap();
        let request = self.unanswered.pop_front();
        let mut request = request.expect("no answer without a request");
        assert_eq!(answer["id"], request.id(), "{request:?}: {answer}");
        if let (true, Request::File { offset, .. }) = (answer["code"] == "conflict", &mut request) {
            // Without an offset: what was sent before a break was read after what came behind it,
            // and took over. To start over would take back what is safe.
            *offset = answer["offset"].as_u64().unwrap_or(*offset);
            return Some(request);
        }
        assert_eq!(answer["ok"], true, "{request:?}: {answer}");
        assert_eq!(answer["ack"], "durable", "{request:?}: {answer}");
        match request {
            Request::Message { key, .. } => {
                self.messages.push((key, answer["seq"].as_u64().unwrap()));
            }
            Request::File { name, parcel, .. } => {
                assert_eq!(answer["size"], parcel.size, "{answer}");
                if parcel.is_posted() {
                    let seq = answer["seq"].as_u64();
                    self.messages.push((name.clone(), seq.unwrap()));
                }
                let found = answer["name"].as_str().unwrap().to_owned();
                self.files.push((name, found));
            }
        }
        None
    }
}

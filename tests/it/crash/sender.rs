//! A client that outlives its server: it remembers what was not answered, and sends it again.

use crate::support::{Peer, frame};
use crate::trial::chance::{Chance, mix};
use crate::trial::content;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Requests that it leaves unanswered.
const WINDOW: usize = 8;

/// Of so many requests one is a file.
const FILE_EVERY: u64 = 6;

/// Files have fewer bytes than this, and most of them far fewer.
const SIZE: u64 = 200_000;

/// One request, until it is answered.
#[derive(Debug)]
enum Request {
    Message {
        key: String,
        room: String,
    },
    File {
        name: String,
        seed: u64,
        size: usize,
    },
}

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
}

/// The text that goes with a key.
pub(crate) fn text_of(key: &str) -> String {
    let length = key.bytes().map(usize::from).sum::<usize>() % 300;
    format!("the text of {key}{}", "。".repeat(length))
}

/// The seed and the size of the file that `sender` named by its `place`.
fn parcel(number: u64, place: u64) -> (u64, usize) {
    let seed = mix(number << 32 | place);
    let most = if seed.is_multiple_of(4) { SIZE } else { 3_000 };
    (seed, usize::try_from(mix(seed) % most).unwrap())
}

/// The seed and the size of the file that is called `name`, or by a name beside it.
#[track_caller]
pub(crate) fn parcel_of(senders: &[Sender], name: &str) -> (u64, usize) {
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
    parcel(number, place)
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
        }
    }

    /// Sends again what was not answered, and then more and more until the server is gone. Each
    /// receipt is told to `receipt`.
    pub(crate) fn send(&mut self, mut peer: Peer, receipt: impl Fn()) {
        if peer.try_raw(&self.again()).is_err() {
            return;
        }
        loop {
            while self.unanswered.len() < WINDOW {
                let request = self.make();
                let bytes = request.bytes();
                self.unanswered.push_back(request);
                if peer.try_raw(&bytes).is_err() {
                    return;
                }
            }
            // A kill resets the connection or ends it; nothing else may.
            let Ok(Some(answer)) = peer.try_next() else {
                return;
            };
            self.note(&answer);
            receipt();
        }
    }

    /// Sends again what was not answered, and reads all the answers. One at a time: so what was
    /// kept already is acknowledged before anything else is.
    #[track_caller]
    pub(crate) fn finish(&mut self, mut peer: Peer) {
        while let Some(request) = self.unanswered.front() {
            peer.raw(&request.bytes());
            let answer = peer.next();
            self.note(&answer);
        }
    }

    /// The bytes of everything that was not answered.
    fn again(&self) -> Vec<u8> {
        self.unanswered.iter().flat_map(Request::bytes).collect()
    }

    fn make(&mut self) -> Request {
        let place = self.made;
        self.made += 1;
        if self.chance.below(FILE_EVERY) == 0 {
            let (seed, size) = parcel(self.number, place);
            let name = format!("{}-{place}.bin", self.number);
            Request::File { name, seed, size }
        } else {
            let key = format!("{}-{place}", self.number);
            let room = format!("room-{}", place % 3);
            Request::Message { key, room }
        }
    }

    /// Notes the answer to the first request that has none.
    #[track_caller]
    fn note(&mut self, answer: &[u8]) {
        let answer: Value = serde_json::from_slice(answer).unwrap();
        let request = self
            .unanswered
            .pop_front()
            .expect("no answer without a request");
        assert_eq!(answer["ok"], true, "{request:?}: {answer}");
        assert_eq!(answer["ack"], "durable", "{request:?}: {answer}");
        assert_eq!(answer["id"], request.id(), "{request:?}: {answer}");
        match request {
            Request::Message { key, .. } => {
                self.messages.push((key, answer["seq"].as_u64().unwrap()));
            }
            Request::File { name, size, .. } => {
                assert_eq!(answer["size"], size, "{answer}");
                self.files
                    .push((name, answer["name"].as_str().unwrap().to_owned()));
            }
        }
    }
}

impl Request {
    fn id(&self) -> &str {
        match self {
            Self::Message { key, .. } => key,
            Self::File { name, .. } => name,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let (header, body) = match self {
            Self::Message { key, room } => {
                let header = json!({"msg_type": "msg", "id": key, "key": key, "room": room});
                (header, text_of(key).into_bytes())
            }
            Self::File { name, seed, size } => {
                let header = json!({"msg_type": "file", "id": name, "file_name": name});
                (header, content::bytes(*seed, *size))
            }
        };
        [frame(header.to_string().as_bytes()), frame(&body)].concat()
    }
}

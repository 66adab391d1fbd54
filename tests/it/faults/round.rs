//! One client's work, the same each time but for its names: a login, messages, files of all forms, one
//! of which breaks off and is gone on with, and a removal. Whatever is refused is refused in
//! words, and what comes after it is answered.

use super::ledger::{Fate, Ledger, Parcel, ROOM};
use crate::support::{Daemon, Peer, proof};
use crate::trial::chance::mix;
use crate::trial::content;
use serde_json::{Value, json};

/// Who logs in, and with what.
pub(super) const USER: (&str, &str) = ("lisi", "123");

/// What may be said of a request while the disk fails.
const CODES: [&str; 3] = ["internal", "no_space", "conflict"];

/// How often one asks again where to go on.
const TRIES: usize = 20;

/// Messages of one round.
const MESSAGES: usize = 4;

/// How large the files are. The large one has its space set aside.
const SMALL: usize = 5_000;
const MIDDLE: usize = 300_000;
const LARGE: usize = 1_200_000;

/// A body comes in frames of so many bytes.
const FRAME: usize = 100_000;

/// One round.
pub(super) struct Round<'a> {
    daemon: &'a Daemon,
    ledger: &'a mut Ledger,
    /// What its names begin with.
    name: String,
    seed: u64,
    /// What was refused, and how.
    pub(super) refused: Vec<String>,
}

impl<'a> Round<'a> {
    pub(super) fn new(daemon: &'a Daemon, ledger: &'a mut Ledger, number: usize) -> Self {
        Self {
            daemon,
            ledger,
            name: format!("round-{number}"),
            seed: mix(number as u64),
            refused: Vec::new(),
        }
    }

    /// Does all of it. Returns what was refused.
    #[track_caller]
    pub(super) fn play(mut self) -> Vec<String> {
        let mut peer = self.log_in();
        for number in 0..MESSAGES {
            self.post(&mut peer, number);
        }
        self.send(&mut peer, "plain", SMALL, json!({}));
        self.post(&mut peer, MESSAGES);
        let key = format!("{}-posted", self.name);
        let posted = json!({"room": ROOM, "key": key});
        self.send(&mut peer, "posted", LARGE, posted);
        self.remove(&mut peer, "plain");
        peer.assert_in_step();
        self.break_off(peer);
        let mut peer = self.log_in();
        self.go_on(&mut peer);
        self.post(&mut peer, MESSAGES + 1);
        self.ledger.check_told(&mut peer);
        peer.assert_in_step();
        self.refused
    }

    /// Whoever has an account gets in, whatever the disk does.
    #[track_caller]
    fn log_in(&mut self) -> Peer {
        let mut peer = self.daemon.peer();
        let (user, password) = USER;
        let login = json!({
            "msg_type": "login", "id": 1, "username": user, "password": proof(password),
        });
        let answer = peer.ask(&login);
        // With a token only if that can be written.
        assert_eq!(answer["ok"], true, "a login: {answer}");
        peer
    }

    /// Whether it was acknowledged.
    #[track_caller]
    fn is_kept(&mut self, what: &str, answer: &Value) -> bool {
        if answer["ok"] == true {
            let ack = &answer["ack"];
            assert!(ack.is_null() || ack == "durable", "{what}: {answer}");
            return true;
        }
        let code = answer["code"].as_str().unwrap_or_default();
        assert!(CODES.contains(&code), "{what}: {answer}");
        // A conflict says where to go on.
        if code != "conflict" {
            self.refused.push(format!("{what}: {answer}"));
        }
        false
    }

    #[track_caller]
    fn post(&mut self, peer: &mut Peer, number: usize) {
        let text = format!("{}-{number}", self.name);
        let mut header = json!({"msg_type": "msg", "id": 1, "room": ROOM});
        if number.is_multiple_of(2) {
            header["key"] = text.as_str().into();
        }
        let answer = peer.ask_with(&header, text.as_bytes());
        let seq = self.is_kept(&text, &answer).then(|| answer["seq"].as_u64());
        self.ledger.messages.insert(text, seq.flatten());
    }

    /// The header of a file, which from now on may be there.
    fn file(&mut self, name: &str, size: usize) -> (String, Vec<u8>, Value) {
        let name = format!("{}-{name}", self.name);
        let bytes = content::bytes(self.seed, size);
        let digest = format!("blake3:{}", blake3::hash(&bytes));
        let header = json!({
            "msg_type": "file", "id": 1, "file_name": name, "size": size, "digest": digest,
        });
        let parcel = Parcel {
            seed: self.seed,
            size,
            fate: Fate::Unknown,
        };
        self.ledger.files.entry(name.clone()).or_insert(parcel);
        (name, bytes, header)
    }

    #[track_caller]
    fn send(&mut self, peer: &mut Peer, name: &str, size: usize, more: Value) {
        let (name, bytes, mut header) = self.file(name, size);
        for (field, value) in more.as_object().expect("it is one") {
            header[field] = value.clone();
        }
        self.put(peer, &name, &header, &bytes);
    }

    #[track_caller]
    fn put(&mut self, peer: &mut Peer, name: &str, header: &Value, bytes: &[u8]) {
        peer.header(header);
        bytes.chunks(FRAME).for_each(|piece| peer.frame(piece));
        let answer = peer.answer();
        if self.is_kept(name, &answer) {
            assert_eq!(answer["name"], *name, "{answer}");
            self.ledger.files.get_mut(name).expect("it was sent").fate = Fate::Kept;
        }
    }

    #[track_caller]
    fn remove(&mut self, peer: &mut Peer, name: &str) {
        let name = format!("{}-{name}", self.name);
        let answer = peer.ask(&json!({"msg_type": "remove", "id": 1, "file_name": name}));
        let parcel = self.ledger.files.get_mut(&name).expect("it was sent");
        match (answer["ok"] == true, answer["code"] == "not_found") {
            (true, _) => parcel.fate = Fate::Gone,
            (_, true) => assert_eq!(parcel.fate, Fate::Unknown, "{answer}"),
            _ => {
                // It may be gone already, or go with the next start.
                parcel.fate = Fate::Unknown;
                self.is_kept(&format!("the removal of {name}"), &answer);
            }
        }
    }

    /// Sends half of a file and is gone.
    #[track_caller]
    fn break_off(&mut self, mut peer: Peer) {
        let (_, bytes, header) = self.file("broken", MIDDLE);
        peer.header(&header);
        peer.frame(&bytes[..MIDDLE / 3]);
        peer.frame(&bytes[MIDDLE / 3..MIDDLE / 2]);
    }

    /// Goes on with it, from where the server says.
    #[track_caller]
    fn go_on(&mut self, peer: &mut Peer) {
        let (name, bytes, mut header) = self.file("broken", MIDDLE);
        let mut question = header.clone();
        question["msg_type"] = "offset".into();
        // What broke off moments ago may not be read yet, and then takes over.
        for _ in 0..TRIES {
            let before = self.refused.len();
            let answer = peer.ask(&question);
            if self.is_kept("an offset", &answer) {
                let offset = answer["offset"].as_u64().expect("it is told");
                let offset = usize::try_from(offset).unwrap();
                header["offset"] = offset.into();
                self.put(peer, &name, &header, &bytes[offset..]);
            }
            let is_kept = self.ledger.files[&name].fate == Fate::Kept;
            if is_kept || self.refused.len() > before {
                return;
            }
        }
        panic!("{name} comes to no end");
    }
}

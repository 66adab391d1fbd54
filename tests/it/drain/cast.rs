//! Who is there when the signal comes, what each is told, and what each may then claim.

use crate::support::{Daemon, Peer, frame};
use crate::trial::content;
use crate::trial::reading::Heard;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Clients of the course's kind that come and go before the others are there.
const COURSE: usize = 20;

/// Messages that a waiting client has sent at once.
const PIPELINED: usize = 200;

/// Bytes in a small file.
const SIZE: usize = 70_000;

/// Bytes that a file announces which never ends. So much is reserved on the disk.
const ENDLESS: usize = 64 << 20;

/// How many stay until the end, the chatters aside.
pub(super) const STAYING: usize = 14;

/// What must be true after the end.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Texts of messages, and what their receipts said.
    pub(super) messages: Vec<(String, Option<u64>)>,
    /// Names, seeds and sizes of files.
    pub(super) files: Vec<(String, u64, usize)>,
    pub(super) pings: usize,
    pub(super) refused: usize,
    pub(super) cut_off: usize,
    pub(super) connections: usize,
}

impl Claims {
    pub(super) fn add(&mut self, more: Self) {
        self.messages.extend(more.messages);
        self.files.extend(more.files);
        self.pings += more.pings;
        self.refused += more.refused;
        self.cut_off += more.cut_off;
        self.connections += more.connections;
    }

    /// Notes the receipt of `text`.
    #[track_caller]
    fn receipt(&mut self, text: &str, answer: &Value) {
        assert_eq!(
            (&answer["ok"], &answer["ack"]),
            (&json!(true), &json!("durable")),
            "{answer}"
        );
        self.messages
            .push((text.to_owned(), answer["seq"].as_u64()));
    }

    /// A new client.
    #[track_caller]
    fn connect(&mut self, daemon: &Daemon) -> Peer {
        self.connections += 1;
        daemon.peer()
    }

    /// A new client that was answered once, so that it is one that reads.
    #[track_caller]
    fn connect_and_ping(&mut self, daemon: &Daemon) -> Peer {
        let mut peer = self.connect(daemon);
        peer.assert_in_step();
        self.pings += 1;
        peer
    }

    /// What the course's client does: a message, a file, the word, and away, with nothing read.
    #[track_caller]
    fn come_and_go(&mut self, daemon: &Daemon, who: &str, says_close: bool) {
        let mut peer = self.connect(daemon);
        let seed = self.files.len() as u64;
        peer.request(&json!({"msg_type": "msg"}), who.as_bytes());
        let header = json!({"msg_type": "file", "file_name": who});
        peer.request(&header, &content::bytes(seed, SIZE));
        if says_close {
            peer.frame(b"close");
        }
        self.messages.push((who.to_owned(), None));
        self.files.push((who.to_owned(), seed, SIZE));
    }
}

/// Lets clients of the course's kind come and go.
#[track_caller]
pub(super) fn leave_before(daemon: &Daemon, claims: &mut Claims) {
    for number in 0..COURSE {
        claims.come_and_go(daemon, &format!("course {number}"), number % 2 == 0);
    }
}

/// Who stays until the end.
pub(super) struct Cast {
    /// Never said a word.
    stranger: Peer,
    /// Took part, but never asked for an answer.
    silent: Peer,
    /// Was answered, and idles.
    idle: Peer,
    /// Was answered, and is in the middle of a header.
    midway: Peer,
    /// Was refused, and idles.
    refused: Peer,
    /// Wait for many answers each.
    waiting: Vec<Peer>,
    /// Has many answers coming and never reads.
    deaf: Peer,
    /// Has sent half a file and will send the rest.
    finishing: Peer,
    /// Send a file without end: one wants an answer, the other none.
    sending: Vec<JoinHandle<Heard>>,
    /// Have sent half a body and do nothing more: a file with an id, one without, a message.
    stalled: Vec<Peer>,
}

impl Cast {
    /// Brings them in.
    #[track_caller]
    pub(super) fn enter(daemon: &Daemon, claims: &mut Claims) -> Self {
        let before = claims.connections;
        let stranger = claims.connect(daemon);
        let mut silent = claims.connect(daemon);
        silent.request(&json!({"msg_type": "msg"}), b"from one who is silent");
        claims
            .messages
            .push(("from one who is silent".to_owned(), None));
        let mut midway = claims.connect_and_ping(daemon);
        midway.raw(b"\x1a\x00\x00\x00{\"msg_");
        let mut refused = claims.connect(daemon);
        assert_eq!(
            refused.ask(&json!({"msg_type": "weather", "id": 1}))["code"],
            "unknown_type"
        );
        let header = json!({"msg_type": "file", "id": 2, "file_name": "../x"});
        assert_eq!(refused.ask_with(&header, b"x")["code"], "bad_name");
        claims.refused += 2;
        let finishing = half_a_file(claims, daemon, "finishing", Some(1), SIZE);
        let stalled = vec![
            half_a_file(claims, daemon, "stalled", Some(1), SIZE),
            half_a_file(claims, daemon, "stalled", None, SIZE),
            half_a_message(claims, daemon),
        ];
        let sending = [Some(1), None].map(|id| {
            let mut peer = half_a_file(claims, daemon, "endless", id, ENDLESS);
            thread::spawn(move || send_on(&mut peer))
        });
        claims.cut_off += 1 + stalled.len() + sending.len();
        let cast = Self {
            stranger,
            silent,
            idle: claims.connect_and_ping(daemon),
            midway,
            refused,
            waiting: vec![claims.connect(daemon), claims.connect(daemon)],
            deaf: claims.connect(daemon),
            finishing,
            sending: sending.into(),
            stalled,
        };
        assert_eq!(claims.connections - before, STAYING);
        cast
    }

    /// Lets those ask who ask for much at once. To be called right before the end.
    pub(super) fn ask_much(&mut self) {
        let many = self.waiting.iter_mut().chain([&mut self.deaf]);
        for (number, peer) in many.enumerate() {
            pipeline(peer, number);
        }
    }

    /// Reads what each is told. Those who do nothing are left as they are.
    #[track_caller]
    pub(super) fn see_the_end(mut self, claims: &mut Claims) -> Absent {
        // First, while there is time for it.
        let rest = content::bytes(SIZE as u64, SIZE).split_off(SIZE / 2);
        self.finishing.frame(&rest);
        told_nothing(&mut self.stranger);
        told_nothing(&mut self.silent);
        told_goodbye(&mut self.idle);
        told_goodbye(&mut self.refused);
        for (number, waiting) in self.waiting.iter_mut().enumerate() {
            hear_receipts(waiting, number, claims);
        }
        let heard = Heard::to_the_end(&mut self.finishing);
        assert_eq!(heard.answers.len(), 1, "{heard:?}");
        assert_eq!(heard.answers[0]["ok"], true, "{heard:?}");
        assert!(heard.going_away);
        claims
            .files
            .push(("finishing".to_owned(), SIZE as u64, SIZE));
        let mut sending = self
            .sending
            .into_iter()
            .map(|thread| thread.join().unwrap());
        assert_cut_off(&sending.next().unwrap(), Some(0));
        let unasked = sending.next().unwrap();
        assert!(
            unasked.answers.is_empty() && !unasked.going_away,
            "{unasked:?}"
        );
        Absent {
            deaf: self.deaf,
            stalled: self.stalled,
            midway: self.midway,
        }
    }
}

/// Those who did nothing at the end, and find what they were told when it is over.
pub(super) struct Absent {
    deaf: Peer,
    stalled: Vec<Peer>,
    midway: Peer,
}

impl Absent {
    #[track_caller]
    pub(super) fn see_after_the_end(mut self, claims: &mut Claims) {
        hear_receipts(&mut self.deaf, 2, claims);
        let mut stalled = self.stalled.iter_mut().map(Heard::to_the_end);
        assert_cut_off(&stalled.next().unwrap(), Some(0));
        let unasked = stalled.next().unwrap();
        assert!(
            unasked.answers.is_empty() && !unasked.going_away,
            "{unasked:?}"
        );
        assert_cut_off(&stalled.next().unwrap(), None);
        told_goodbye(&mut self.midway);
    }
}

/// Who connects while there are as many connections as may be.
pub(super) struct Waiting {
    talker: Peer,
    sender: Peer,
}

impl Waiting {
    #[track_caller]
    pub(super) fn connect(daemon: &Daemon, claims: &mut Claims) -> Self {
        let mut talker = claims.connect(daemon);
        talker.request(&json!({"msg_type": "msg", "id": 1}), b"from the backlog");
        let mut sender = claims.connect(daemon);
        let header = json!({"msg_type": "file", "id": 1, "file_name": "from the backlog"});
        sender.request(&header, &content::bytes(77, SIZE));
        for number in 0..5 {
            claims.come_and_go(daemon, &format!("late course {number}"), number % 2 == 0);
        }
        // Not waiting for anything to happen, but for it not to: it could be missed, never wrong.
        let stream = talker.stream();
        let patience = stream.read_timeout().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let early = stream.peek(&mut [0]).map_err(|error| error.kind());
        assert_eq!(early, Err(ErrorKind::WouldBlock), "it was accepted already");
        stream.set_read_timeout(patience).unwrap();
        Self { talker, sender }
    }

    #[track_caller]
    pub(super) fn see_the_end(mut self, claims: &mut Claims) {
        let heard = Heard::to_the_end(&mut self.talker);
        assert!(heard.answers.len() == 1 && heard.going_away, "{heard:?}");
        claims.receipt("from the backlog", &heard.answers[0]);
        let heard = Heard::to_the_end(&mut self.sender);
        assert!(heard.answers.len() == 1 && heard.going_away, "{heard:?}");
        assert_eq!(heard.answers[0]["name"], "from the backlog");
        claims.files.push(("from the backlog".to_owned(), 77, SIZE));
    }
}

/// A client with half of a file's bytes sent.
#[track_caller]
fn half_a_file(
    claims: &mut Claims,
    daemon: &Daemon,
    name: &str,
    id: Option<u64>,
    size: usize,
) -> Peer {
    let mut peer = claims.connect(daemon);
    peer.header(&json!({"msg_type": "file", "id": id, "file_name": name, "size": size}));
    peer.frame(&content::bytes(size as u64, size)[..size / 2]);
    peer
}

/// A client that has sent a message's header and a part of its body.
#[track_caller]
fn half_a_message(claims: &mut Claims, daemon: &Daemon) -> Peer {
    let mut peer = claims.connect(daemon);
    peer.header(&json!({"msg_type": "msg", "id": 1}));
    peer.raw(b"\x64\x00\x00\x00never to be finished");
    peer
}

/// Sends many messages at once.
#[track_caller]
fn pipeline(peer: &mut Peer, number: usize) {
    let request = |id| {
        let header = json!({"msg_type": "msg", "id": id}).to_string();
        let text = format!("waiting {number}, {id}");
        [frame(header.as_bytes()), frame(text.as_bytes())].concat()
    };
    peer.raw(&(0..PIPELINED).flat_map(request).collect::<Vec<u8>>());
}

/// Sends small pieces of a file until somebody says something.
fn send_on(peer: &mut Peer) -> Heard {
    let patience = peer.stream().read_timeout().unwrap();
    // Its pace: a piece each time that nothing is heard.
    let pace = Some(Duration::from_millis(5));
    peer.stream().set_read_timeout(pace).unwrap();
    for _ in 0.. {
        let is_quiet = peer
            .stream()
            .peek(&mut [0])
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        // Fails once the server has gone, which reading finds out.
        if !is_quiet || peer.try_raw(&frame(&[7; 4 << 10])).is_err() {
            break;
        }
    }
    peer.stream().set_read_timeout(patience).unwrap();
    Heard::to_the_end(peer)
}

#[track_caller]
fn hear_receipts(peer: &mut Peer, number: usize, claims: &mut Claims) {
    let heard = Heard::to_the_end(peer);
    assert_eq!(heard.answers.len(), PIPELINED, "{heard:?}");
    assert!(heard.going_away);
    for (id, answer) in heard.answers.iter().enumerate() {
        assert_eq!(answer["id"], id, "{answer}");
        claims.receipt(&format!("waiting {number}, {id}"), answer);
    }
}

#[track_caller]
fn assert_cut_off(heard: &Heard, offset: Option<u64>) {
    assert_eq!(heard.answers.len(), 1, "{heard:?}");
    let answer = &heard.answers[0];
    assert_eq!(
        (&answer["id"], &answer["ok"]),
        (&json!(1), &json!(false)),
        "{answer}"
    );
    assert_eq!(answer["code"], "going_away", "{answer}");
    assert!(answer["retry_after_ms"].as_u64() > Some(0), "{answer}");
    assert_eq!(answer["offset"].as_u64(), offset, "{answer}");
}

#[track_caller]
fn told_goodbye(peer: &mut Peer) {
    let heard = Heard::to_the_end(peer);
    assert!(heard.answers.is_empty() && heard.going_away, "{heard:?}");
}

#[track_caller]
fn told_nothing(peer: &mut Peer) {
    let heard = Heard::to_the_end(peer);
    assert!(heard.answers.is_empty() && !heard.going_away, "{heard:?}");
}

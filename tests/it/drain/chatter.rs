//! Clients that ask one thing after the other until they are told that the server goes away.

use super::cast::Claims;
use crate::support::{Daemon, PATIENCE, Peer, frame};
use crate::trial::content;
use crate::trial::reading::Heard;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// How many there are.
pub(super) const CHATTERS: usize = 8;

/// Answers that each has had before the end is let begin.
const BEFORE: u64 = 20;

/// Bytes in each of their files.
const SIZE: usize = 10_000;

/// All of them, each on a thread of its own.
pub(super) struct Chatters {
    threads: Vec<JoinHandle<Claims>>,
    under_way: Receiver<()>,
}

impl Chatters {
    pub(super) fn start(daemon: &Daemon) -> Self {
        let (sender, under_way) = channel();
        let address = daemon.address();
        let start = |number| {
            let sender = sender.clone();
            thread::spawn(move || chat(address, number as u64, &sender))
        };
        let threads = (0..CHATTERS).map(start).collect();
        Self { threads, under_way }
    }

    /// Waits until each has had some answers.
    #[track_caller]
    pub(super) fn wait_for_each(&self) {
        for _ in 0..CHATTERS {
            let arrived = self.under_way.recv_timeout(PATIENCE);
            arrived.expect("each gets so far");
        }
    }

    #[track_caller]
    pub(super) fn see_the_end(self, claims: &mut Claims) {
        for thread in self.threads {
            claims.add(thread.join().expect("nothing was wrong"));
        }
    }
}

fn chat(address: SocketAddr, number: u64, under_way: &Sender<()>) -> Claims {
    let mut peer = Peer::connect(address);
    let mut claims = Claims {
        connections: 1,
        ..Claims::default()
    };
    for round in 0.. {
        if round == BEFORE {
            under_way.send(()).unwrap();
        }
        let is_file = round % 4 == 0;
        let name = format!("chatter {number}, {round}");
        let seed = number << 32 | round;
        let (header, body) = if is_file {
            let header = json!({"msg_type": "file", "id": round, "file_name": name});
            (header, content::bytes(seed, SIZE))
        } else {
            let header = json!({"msg_type": "msg", "id": round, "room": "corner"});
            (header, name.clone().into_bytes())
        };
        let request = [frame(header.to_string().as_bytes()), frame(&body)].concat();
        // Refused only after the end, which is then found by reading.
        let _ = peer.try_raw(&request);
        let answer = peer
            .try_next()
            .expect("it is said that the server goes away");
        let answer: Value = serde_json::from_slice(&answer.expect("first it is said")).unwrap();
        if answer["msg_type"] == "going_away" {
            let heard = Heard::to_the_end(&mut peer);
            assert!(heard.answers.is_empty() && !heard.going_away, "{heard:?}");
            return claims;
        }
        assert_eq!(
            (&answer["id"], &answer["ok"]),
            (&json!(round), &json!(true)),
            "{answer}"
        );
        if is_file {
            claims.files.push((name, seed, SIZE));
        } else {
            claims.messages.push((name, answer["seq"].as_u64()));
        }
    }
    unreachable!("the rounds never end");
}

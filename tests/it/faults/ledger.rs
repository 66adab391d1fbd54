//! What was asked of the server and what it promised: all that was acknowledged is there once and
//! as it was sent, and nothing else is there but what was sent.

use crate::support::{Peer, uploads};
use crate::trial::{content, journal};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

/// The room that all is posted to.
pub(super) const ROOM: &str = "a";

/// What became of something that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was refused, or nothing was said: it may be there.
    Unknown,
    /// It was acknowledged: it is there.
    Kept,
    /// It was acknowledged, and so was that it is removed: it is gone.
    Gone,
}

/// A file that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parcel {
    pub(super) seed: u64,
    pub(super) size: usize,
    pub(super) fate: Fate,
}

/// All that was sent so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Texts, each of which is also its key, with what was said of them.
    pub(super) messages: BTreeMap<String, Option<u64>>,
    /// Files by their names.
    pub(super) files: BTreeMap<String, Parcel>,
}

impl Ledger {
    /// What a client is told of all this, on a server that writes or that doesn't.
    #[track_caller]
    pub(super) fn check_told(&self, peer: &mut Peer) {
        let kept = self.messages.values().flatten().max();
        let ask = json!({"msg_type": "history", "id": 1, "room": ROOM, "limit": 1});
        let answer = peer.ask(&ask);
        assert_eq!(answer["ok"], true, "{answer}");
        let page: Value = serde_json::from_slice(&peer.next()).unwrap();
        let last = page[0]["seq"].as_u64();
        assert!(last >= kept.copied(), "{kept:?} was kept, and now {page}");
    }

    /// What lies in `home`, in which nobody is at work.
    #[track_caller]
    pub(super) fn check_kept(&self, home: &Path) {
        let mut found = HashMap::new();
        for message in journal::read(home) {
            assert_eq!(message.room, ROOM, "{message:?}");
            let key = message.key.clone().unwrap_or_else(|| message.text.clone());
            if let Some(name) = &message.file {
                assert!(self.files.contains_key(name), "nobody sent {message:?}");
            } else {
                assert_eq!(key, message.text);
                assert!(self.messages.contains_key(&key), "nobody sent {message:?}");
            }
            let other = found.insert(key, message.seq);
            assert_eq!(other, None, "twice: {message:?}");
        }
        for (key, seq) in &self.messages {
            if let Some(seq) = seq {
                assert_eq!(found.get(key), Some(seq), "{key:?} is lost");
            }
        }
        self.check_files(home);
    }

    #[track_caller]
    fn check_files(&self, home: &Path) {
        let visible: HashSet<String> = uploads(home).into_iter().collect();
        for (name, parcel) in &self.files {
            match parcel.fate {
                Fate::Unknown => {}
                Fate::Kept => assert!(visible.contains(name), "{name:?} is lost"),
                Fate::Gone => assert!(!visible.contains(name), "{name:?} was removed"),
            }
        }
        for name in visible {
            let parcel = self.files.get(&name);
            let parcel = parcel.unwrap_or_else(|| panic!("nobody sent {name:?}"));
            let bytes = fs::read(home.join("uploads").join(&name)).unwrap();
            let is_whole = bytes == content::bytes(parcel.seed, parcel.size);
            assert!(is_whole, "{name:?} is not what was sent: {parcel:?}");
        }
    }
}

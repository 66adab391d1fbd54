//! What the peers were told until a moment, read from what the daemon sent.

use super::timeline::Timeline;
use crate::crash::request::OFFSET_OF;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// An answer, and when its last byte was sent.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) moment: usize,
    pub(super) fields: Value,
}

/// What was acknowledged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Messages by their keys, with their seqs; posted files are among them.
    pub(super) messages: BTreeMap<String, u64>,
    /// Files by the names that they asked for, with those that they got.
    pub(super) files: BTreeMap<String, String>,
    /// How many bytes of a file were said to be safe.
    pub(super) offsets: BTreeMap<String, u64>,
}

/// All answers, in their order.
#[track_caller]
pub(super) fn answers(timeline: &Timeline) -> Vec<Answer> {
    let mut streams: HashMap<usize, Vec<u8>> = HashMap::new();
    let mut answers = Vec::new();
    for said in &timeline.said {
        let stream = streams.entry(said.connection).or_default();
        stream.extend_from_slice(&said.bytes);
        while let Some(length) = stream.first_chunk() {
            let end = 4 + usize::try_from(i32::from_le_bytes(*length)).unwrap();
            if stream.len() < end {
                break;
            }
            let fields = serde_json::from_slice(&stream[4..end]).expect("no answer has a body");
            let moment = said.moment;
            answers.push(Answer { moment, fields });
            stream.drain(..end);
        }
    }
    answers
}

/// What was acknowledged by the answers until `moment`.
#[track_caller]
pub(super) fn told(answers: &[Answer], moment: usize) -> Told {
    let mut told = Told::default();
    for Answer { fields, .. } in answers.iter().filter(|answer| answer.moment <= moment) {
        let Some(id) = fields["id"].as_str() else {
            continue;
        };
        if let Some(offset) = fields["offset"].as_u64() {
            let name = id.strip_prefix(OFFSET_OF).unwrap_or(id);
            told.offsets.insert(name.to_owned(), offset);
            continue;
        }
        if fields["code"] == "conflict" {
            // It was sent again.
            continue;
        }
        assert_eq!(fields["ok"], true, "{fields}");
        if let Some(seq) = fields["seq"].as_u64() {
            let before = told.messages.insert(id.to_owned(), seq);
            assert!(before.is_none_or(|before| before == seq), "{fields}");
        }
        if let Some(name) = fields["name"].as_str() {
            told.files.insert(id.to_owned(), name.to_owned());
        }
    }
    told
}

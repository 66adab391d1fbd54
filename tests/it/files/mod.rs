//! Files over the wire, against the server in this process with its lasting store. `sending` is
//! what happens to those who hand files in, `getting` to those who want them. `library` is our client
//! while connections break, `program` the real one with the real server.

mod crowd;
mod cutter;
mod getting;
mod library;
mod program;
mod sending;

use crate::support::Peer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Read;

/// The digest of `bytes` as it is written on the wire.
fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The header of a file that can be resumed.
fn proven(id: u64, name: &str, bytes: &[u8]) -> Value {
    json!({
        "msg_type": "file", "id": id, "file_name": name, "size": bytes.len(), "digest": sha256(bytes),
    })
}

/// How much of a file is safe.
#[track_caller]
fn offset(peer: &mut Peer, name: &str, bytes: &[u8]) -> Value {
    let mut header = proven(0, name, bytes);
    header["msg_type"] = "offset".into();
    peer.ask(&header)
}

/// Asks for a file, and reads the header of the answer.
#[track_caller]
fn ask_for(peer: &mut Peer, name: &str) -> Value {
    peer.ask(&json!({"msg_type": "get", "id": name, "file_name": name}))
}

/// Reads the body that `answer` announced: frames whose sum is exactly that.
#[track_caller]
fn body(peer: &mut Peer, answer: &Value) -> Vec<u8> {
    let announced = answer["body"]
        .as_u64()
        .unwrap_or_else(|| panic!("{answer}"));
    let mut body = Vec::new();
    while (body.len() as u64) < announced {
        body.extend(peer.next());
    }
    assert_eq!(body.len() as u64, announced);
    body
}

/// Reads what still comes, to the end, however that looks. Returns how much it was.
fn count_rest(peer: &Peer) -> u64 {
    let (mut room, mut count) = (vec![0; 1 << 20], 0);
    loop {
        match peer.stream().read(&mut room) {
            Ok(0) | Err(_) => return count,
            Ok(read) => count += read as u64,
        }
    }
}

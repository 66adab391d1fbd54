//! A server that is started on what the disk holds after a loss: what was acknowledged is there
//! once, what is there is whole, and it goes on.

use super::disk::{Tree, write_tree};
use super::receipts::Told;
use crate::crash::sender::{Sender, parcel_of, text_of};
use crate::support::{Peer, Served, partials, uploads};
use crate::trial::{content, journal};
use rusqlite::Connection;
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The folder in the recorded one that the daemon was given.
pub(super) const HOME: &str = "home";

/// A key that no sender uses.
const NEW: &str = "0-new";

/// What is wrong with `tree`, after which `told` was acknowledged, if anything is.
pub(super) fn fault(tree: &Tree, told: &Told, senders: &[Sender]) -> Option<String> {
    // A server that does not start is a fault like any other.
    let checked = catch_unwind(AssertUnwindSafe(|| check(tree, told, senders)));
    match checked {
        Ok(checked) => checked.err(),
        Err(panic) => Some(match panic.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => "a panic".to_owned(),
        }),
    }
}

/// The home in `tree`, which is empty if nothing of it survived.
fn home_in(tree: &Tree) -> Tree {
    let prefix = format!("{HOME}/").into_bytes();
    let inside = tree.iter().filter_map(|(path, content)| {
        let path = path.strip_prefix(prefix.as_slice())?;
        Some((path.to_vec(), content.clone()))
    });
    inside.collect()
}

fn check(tree: &Tree, told: &Told, senders: &[Sender]) -> Result<(), String> {
    // In memory where that can be had: a thousand homes, each synced, are no test of a disk.
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() {
        memory
    } else {
        Path::new(env!("CARGO_TARGET_TMPDIR"))
    };
    let home = tempfile::tempdir_in(scratch).unwrap();
    write_tree(&home_in(tree), home.path());
    let served = Served::at(home, |_| {});
    goes_on(&mut served.peer(), told)?;
    let (_, home) = served.drain();
    check_database(home.path())?;
    check_messages(home.path(), told)?;
    check_files(home.path(), told, senders)
}

/// A resend is a duplicate, and what is new gets a seq that nobody was told.
fn goes_on(peer: &mut Peer, told: &Told) -> Result<(), String> {
    let post = |peer: &mut Peer, key: &str| {
        let header = json!({"msg_type": "msg", "id": key, "key": key, "room": room_of(key)});
        peer.ask_with(&header, text_of(key).as_bytes())
    };
    // The last ones are those that a loss takes first.
    for (key, seq) in told.messages.iter().rev().take(3) {
        let answer = post(peer, key);
        if answer["seq"] != *seq || answer["duplicate"] != true {
            return Err(format!("{key} was acknowledged as {seq}, and now {answer}"));
        }
    }
    if let Some((key, seq)) = told.messages.iter().next_back() {
        let found = search(peer, key);
        if !found.contains(&format!("\"seq\":{seq},")) {
            return Err(format!("{key} is {seq}, and a search finds {found}"));
        }
    }
    let answer = post(peer, NEW);
    match answer["seq"].as_u64() {
        Some(seq) if told.messages.values().all(|told| *told < seq) => Ok(()),
        _ => Err(format!("a new message: {answer}")),
    }
}

/// What a search for the text with `key` finds, as JSON.
fn search(peer: &mut Peer, key: &str) -> String {
    let text = text_of(key);
    let header = json!({"msg_type": "history", "id": 1, "room": room_of(key), "search": text});
    let answer = peer.ask(&header);
    let mut body = Vec::new();
    while answer["body"].as_u64() > Some(body.len() as u64) {
        body.extend(peer.next());
    }
    format!("{answer} {}", String::from_utf8_lossy(&body))
}

/// The room that a sender posts to under `key`.
fn room_of(key: &str) -> String {
    let place = key
        .split_once('-')
        .and_then(|(_, place)| place.parse().ok());
    format!("room-{}", place.unwrap_or(0u64) % 3)
}

/// SQLite's own opinion, of what nobody has asked for as well.
fn check_database(home: &Path) -> Result<(), String> {
    let check = |connection: Connection| {
        connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
    };
    match Connection::open(home.join("gatepost.db")).and_then(check) {
        Ok(found) if found == "ok" => Ok(()),
        other => Err(format!("gatepost.db: {other:?}")),
    }
}

fn check_messages(home: &Path, told: &Told) -> Result<(), String> {
    let mut found = HashMap::new();
    for message in journal::read(home) {
        let Some(key) = &message.key else {
            return Err(format!("without a key: {message:?}"));
        };
        if message.text != text_of(key) || message.room != room_of(key) {
            return Err(format!("half: {message:?}"));
        }
        if found.insert(key.clone(), message.seq).is_some() {
            return Err(format!("twice: {message:?}"));
        }
    }
    for (key, seq) in &told.messages {
        if found.get(key).is_none_or(|found| found != seq) {
            let found = found.get(key);
            return Err(format!("{key} was acknowledged as {seq}, found {found:?}"));
        }
    }
    Ok(())
}

fn check_files(home: &Path, told: &Told, senders: &[Sender]) -> Result<(), String> {
    let visible = uploads(home);
    for name in &visible {
        let (seed, size) = parcel_of(senders, name);
        let found = fs::read(home.join("uploads").join(name)).unwrap();
        if found != content::bytes(seed, size) {
            return Err(format!("{name:?} of {size} bytes is not whole"));
        }
    }
    for (asked, name) in &told.files {
        if !visible.contains(name) {
            return Err(format!("the file {name:?} is lost"));
        }
        if parcel_of(senders, asked) != parcel_of(senders, name) {
            return Err(format!("{asked:?} was acknowledged as {name:?}"));
        }
    }
    match partials(home) {
        0 => Ok(()),
        partials => Err(format!("{partials} partials are left")),
    }
}

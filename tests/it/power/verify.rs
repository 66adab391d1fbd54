//! A server that is started on what the disk holds after a loss: what was acknowledged is there
//! once, what is there is whole, and it goes on.

use super::disk::write_tree;
use super::receipts::Told;
use super::recorded::Trial;
use super::stamps;
use crate::crash::request::{Request, room_of, text_of};
use crate::crash::sender::{Sender, parcel_of};
use crate::support::{Peer, Served, uploads};
use crate::trial::journal;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The folder in the recorded one that the daemon was given.
pub(super) const HOME: &str = "home";

/// A key that no sender uses.
const NEW: &str = "999-999";

/// Of so many trials one finds other files than were recorded, though of the same names and with
/// the same bytes: as after a restored backup.
const RESTORED_EVERY: u64 = 5;

/// What is wrong with what is left in `trial`, if anything is.
pub(super) fn fault(trial: &Trial, senders: &[Sender]) -> Option<String> {
    // One that hangs up is a fault like any other.
    let checked = catch_unwind(AssertUnwindSafe(|| check(trial, senders)));
    match checked {
        Ok(checked) => checked.err(),
        Err(panic) => Some(match panic.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => "a panic".to_owned(),
        }),
    }
}

/// What is in the home, which is empty if nothing of it survived.
fn in_home<T: Clone>(all: &BTreeMap<Vec<u8>, T>) -> BTreeMap<Vec<u8>, T> {
    let prefix = format!("{HOME}/").into_bytes();
    let inside = all.iter().filter_map(|(path, content)| {
        let path = path.strip_prefix(prefix.as_slice())?;
        Some((path.to_vec(), content.clone()))
    });
    inside.collect()
}

fn check(trial: &Trial, senders: &[Sender]) -> Result<(), String> {
    // In memory where that can be had: a thousand homes, each synced, are no test of a disk.
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() {
        memory
    } else {
        Path::new(env!("CARGO_TARGET_TMPDIR"))
    };
    let home = tempfile::tempdir_in(scratch).unwrap();
    write_tree(&in_home(&trial.tree), home.path());
    stamps::link(home.path(), &in_home(&trial.stamps));
    let is_restored = trial.loss.seed % RESTORED_EVERY == 1;
    if !is_restored {
        stamps::correct(home.path(), &in_home(&trial.stamps));
    }

    let told = &trial.told;
    let served = Served::try_at(home, |_| {}).map_err(|error| format!("no start: {error:?}"))?;
    let mut peer = served.peer();
    if !is_restored {
        offsets_hold(&mut peer, told)?;
    }
    resends_are_known(&mut peer, told)?;
    goes_on(&mut peer, told)?;
    drop(peer);
    let (_, home) = served.drain();
    check_database(home.path())?;
    check_messages(home.path(), told, senders)?;
    check_files(home.path(), told, senders, is_restored)
}

/// What was said to be safe of a file still is.
fn offsets_hold(peer: &mut Peer, told: &Told) -> Result<(), String> {
    for (name, safe) in &told.offsets {
        let Some(question) = Request::with_id(name).question() else {
            continue;
        };
        let answer = peer.ask(&question);
        if answer["offset"].as_u64() < Some(*safe) {
            return Err(format!(
                "{safe} bytes of {name} were safe, and now {answer}"
            ));
        }
    }
    Ok(())
}

/// What is sent again is a duplicate of what was acknowledged.
fn resends_are_known(peer: &mut Peer, told: &Told) -> Result<(), String> {
    // The last ones are those that a loss takes first.
    let mut last: Vec<_> = told.messages.iter().collect();
    last.sort_by_key(|(_, seq)| **seq);
    for (id, seq) in last.into_iter().rev().take(3) {
        peer.raw(&Request::with_id(id).pieces().concat());
        let answer = peer.answer();
        if answer["seq"] != *seq || answer["duplicate"] != true {
            return Err(format!("{id} was acknowledged as {seq}, and now {answer}"));
        }
        let found = search(peer, id);
        if !found.iter().any(|message| message["seq"] == *seq) {
            return Err(format!("{id} is {seq}, and a search finds {found:?}"));
        }
    }
    Ok(())
}

/// What is new gets a seq that nobody was told.
fn goes_on(peer: &mut Peer, told: &Told) -> Result<(), String> {
    let header = json!({"msg_type": "msg", "id": NEW, "key": NEW, "room": room_of(NEW)});
    let answer = peer.ask_with(&header, text_of(NEW).as_bytes());
    match answer["seq"].as_u64() {
        Some(seq) if told.messages.values().all(|told| *told < seq) => Ok(()),
        _ => Err(format!("a new message: {answer}")),
    }
}

/// What a search for the text with the id finds; for a file, the newest of its room.
fn search(peer: &mut Peer, id: &str) -> Vec<Value> {
    let mut header = json!({"msg_type": "history", "id": 1, "room": room_of(id), "limit": 1_000});
    if !id.ends_with(".bin") {
        header["search"] = text_of(id).into();
    }
    let answer = peer.ask(&header);
    let mut body = Vec::new();
    while answer["body"].as_u64() > Some(body.len() as u64) {
        body.extend(peer.next());
    }
    serde_json::from_slice(&body).unwrap_or_default()
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

fn check_messages(home: &Path, told: &Told, senders: &[Sender]) -> Result<(), String> {
    let visible = uploads(home);
    let mut found = HashMap::new();
    for message in journal::read(home) {
        let Some(key) = &message.key else {
            return Err(format!("without a key: {message:?}"));
        };
        let is_whole = match &message.file {
            Some(name) => {
                let is_here = visible.contains(name);
                is_here && parcel_of(senders, name) == parcel_of(senders, key)
            }
            None => message.text == text_of(key),
        };
        if !is_whole || message.room != room_of(key) {
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

fn check_files(
    home: &Path,
    told: &Told,
    senders: &[Sender],
    is_restored: bool,
) -> Result<(), String> {
    let visible = uploads(home);
    for name in &visible {
        let parcel = parcel_of(senders, name);
        let found = fs::read(home.join("uploads").join(name)).unwrap();
        if found != parcel.bytes() {
            return Err(format!("{name:?} is not whole: {parcel:?}"));
        }
        if parcel.is_proven() && name.contains(" (") && !is_restored {
            return Err(format!("{name:?} is here twice"));
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
    Ok(())
}

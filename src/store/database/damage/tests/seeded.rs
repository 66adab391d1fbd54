//! Damage in places that nobody chose: bits flip, pages turn to zeros and ends are cut off, in a
//! store with messages and with records of files. What shares no page with it must be there after.

use super::{LOG, Told, all, open, path, post};
use crate::store::database::schema::NAME;
use crate::store::{Database, Messages, StoreError};
use crate::time::Random;
use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use tempfile::TempDir;

const PAGE: usize = 4_096;

/// In the log: its own header, then the header of each frame.
const LOG_HEADER: usize = 32;
const FRAME: usize = PAGE + 24;

/// How many messages there are, and records in each table.
const EACH: usize = 150;

/// Statements that make a record whose name is `?1`, and those that name all there are.
const RECORDS: [(&str, &str); 4] = [
    (
        "INSERT INTO file (name, asked, size, sha256, state, time, inode, mtime)
         VALUES (?1, ?1, 9, randomblob(32), 1, 7, 8, 9)",
        "SELECT name FROM file",
    ),
    (
        "INSERT INTO owner VALUES (?1, 'u', 1)",
        "SELECT file FROM owner",
    ),
    (
        "INSERT INTO partial VALUES (?1, 'u', ?1, 9, 'sha256', 5, 7)",
        "SELECT incoming FROM partial",
    ),
    (
        "INSERT INTO file_key VALUES ('u', 'a', ?1, ?1, 9, NULL, 1, 0, 7)",
        "SELECT name FROM file_key",
    ),
];

/// What is in each message, and in nothing else.
fn text(number: usize) -> String {
    let times = match number % 30 {
        0 => 1_500,
        small => small,
    };
    format!("<m{number}>").repeat(times)
}

/// What a record of each table is named.
fn name(table: usize, number: usize) -> String {
    format!("<{table}.{number}>{}", "x".repeat(number % 90))
}

/// Whether `marker` has its end in it, so that no other begins like it.
fn marker(content: &str) -> &str {
    content.split_inclusive('>').next().unwrap_or(content)
}

fn enter_records(database: &Database) {
    let (sender, done) = crossbeam_channel::bounded(1);
    database.write(
        |writing| {
            for (table, (insert, _)) in RECORDS.iter().enumerate() {
                for number in 0..EACH {
                    writing
                        .execute(insert, [name(table, number)])
                        .map_err(StoreError::from)?;
                }
            }
            Ok(())
        },
        move |result: Result<(), _>| sender.send(result.is_ok()).unwrap(),
    );
    assert_eq!(done.recv(), Ok(true));
}

/// A store as it is after a crash: half of it in the database, the rest in the log.
fn crashed() -> Told {
    let home = tempfile::tempdir().unwrap();
    let mut database = open(&home);
    for number in 0..EACH {
        post(&database, "", &text(number));
        if number == EACH / 2 {
            enter_records(&database);
            drop(database);
            database = open(&home);
        }
    }
    Told::crashed(&home, &database)
}

/// Everything that is in a store: messages, and names of records.
fn contents(database: &Database) -> BTreeSet<String> {
    let messages = all(database).into_iter().map(|message| message.text);
    let names = |connection: &rusqlite::Connection| {
        let mut names = Vec::new();
        for (_, select) in RECORDS {
            let mut select = connection.prepare(select)?;
            let found = select.query_map([], |row| row.get(0))?;
            names.extend(found.collect::<Result<Vec<String>, _>>()?);
        }
        Ok(names)
    };
    let names = database.read(names).unwrap();
    messages.map(|text| text.to_string()).chain(names).collect()
}

/// Does some damage to the file `file` in `home`. Returns what can be lost by it, the pages as they
/// were.
fn damage(home: &TempDir, file: &str, random: &Random) -> (String, Vec<u8>) {
    let path = path(home, file);
    let before = fs::read(&path).unwrap();
    let mut after = before.clone();
    let place = random.below(before.len());
    let around = page_around(file, place, before.len());
    let (what, lost) = match random.below(4) {
        0 | 1 => {
            after[place] ^= 1 << random.below(8);
            ("flip", around)
        }
        2 => {
            after[around.clone()].fill(0);
            ("zeros", around)
        }
        _ => {
            after.truncate(place);
            ("cut", around.start..before.len())
        }
    };
    fs::write(&path, after).unwrap();
    let lost = before[lost].to_vec();
    (format!("{what} at {place} in {file}"), lost)
}

fn page_around(file: &str, place: usize, length: usize) -> Range<usize> {
    let start = match file {
        NAME => place / PAGE * PAGE,
        _ if place < LOG_HEADER => 0,
        _ => (place - LOG_HEADER) / FRAME * FRAME + LOG_HEADER,
    };
    let bytes = match file {
        NAME => PAGE,
        _ if start == 0 => LOG_HEADER,
        _ => FRAME,
    };
    start..length.min(start + bytes)
}

#[test]
fn what_shares_no_page_with_damage_is_kept() {
    let told = crashed();
    let whole = told.copy();
    let everything = contents(&open(&whole));
    assert_eq!(everything.len(), EACH * (1 + RECORDS.len()));
    // What has only its log emptied by an orderly end.
    drop(open(&whole));
    let ended = Told {
        home: whole,
        id: told.id.clone(),
        messages: told.messages.clone(),
    };
    let last = told.messages.last().unwrap().seq;
    for seed in 0..100 {
        let random = Random::seeded(seed);
        let (store, file) = match seed % 3 {
            0 => (&told, LOG),
            1 => (&told, NAME),
            _ => (&ended, NAME),
        };
        let home = store.copy();
        let (what, lost) = damage(&home, file, &random);
        let what = format!("seed {seed}: {what}");
        let database = open(&home);
        let found = contents(&database);
        for content in everything.difference(&found) {
            let marker = marker(content).as_bytes();
            let is_hit = lost.windows(marker.len()).any(|bytes| bytes == marker);
            assert!(is_hit, "{what}: {content:.20} is lost");
            // A record has no checksum: another name is as good as the first.
            if content.starts_with("<m") {
                assert!(!database.notes().is_empty(), "{what}: nothing was said");
            }
        }
        if database.id() == store.id {
            assert!(post(&database, "", "next") > last, "{what}");
        } else {
            assert!(!database.notes().is_empty(), "{what}: a new id");
        }
        drop(database);
        let again = open(&home);
        assert!(again.notes().is_empty(), "{what}: {:?}", again.notes());
    }
}

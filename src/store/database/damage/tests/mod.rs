//! Databases that are damaged on purpose: what a start then says, keeps and sets aside.

mod seeded;

use crate::store::conformance::{Desk, message, pending};
use crate::store::database::schema::{DAMAGED, NAME, SALVAGED};
use crate::store::{Database, Messages, Query, Range, Retention, StoreError};
use crate::time::{Clock, Random};
use crate::wire::{Message, RoomName};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const LOG: &str = "gatepost.db-wal";
const INDEX: &str = "gatepost.db-shm";

/// The length of a page.
const PAGE: usize = 4_096;

fn open(home: &TempDir) -> Database {
    Database::open(home.path(), Clock::system(), &Random::system()).unwrap()
}

/// Posts in room `a` and returns the seq that was told.
fn post(database: &Database, key: &str, text: &str) -> u64 {
    let desk = Desk::new();
    database.post(message("a", "", key, text), Some(pending(&desk, 0)));
    desk.told().receipt.unwrap().seq
}

/// Every message in room `a`.
fn all(database: &Database) -> Vec<Message> {
    let query = Query {
        room: RoomName::new("a").unwrap(),
        range: Range::After(0),
        limit: usize::MAX,
        max_bytes: usize::MAX,
        search: None,
    };
    database.page(&query).unwrap().messages
}

fn path(home: &TempDir, name: &str) -> PathBuf {
    home.path().join(name)
}

/// A home, and what was told of the messages in it: the last has a key, some are longer than a page.
struct Told {
    home: TempDir,
    id: String,
    messages: Vec<Message>,
}

/// As it is after a clean end, or, with a log, after a crash.
fn told(count: usize, with_log: bool) -> Told {
    let home = tempfile::tempdir().unwrap();
    let mut database = open(&home);
    let texts = (1..count).map(|number| match number % 20 {
        0 => format!("{number} ").repeat(3_000),
        _ => format!("{number} ").repeat(number % 50),
    });
    for (number, text) in texts.enumerate() {
        post(&database, "", &text);
        if number == count / 2 {
            // So that not all of it is in the log.
            drop(database);
            database = open(&home);
        }
    }
    post(&database, "k", "last");
    let (id, messages) = (database.id().to_owned(), all(&database));
    assert_eq!(messages.len(), count);
    if !with_log {
        drop(database);
        return Told { home, id, messages };
    }
    Told::crashed(&home, &database)
}

impl Told {
    /// What is left of `home` if its `database` crashes now.
    fn crashed(home: &TempDir, database: &Database) -> Self {
        let crashed = tempfile::tempdir().unwrap();
        for name in [NAME, LOG, INDEX] {
            fs::copy(path(home, name), path(&crashed, name)).unwrap();
        }
        Self {
            home: crashed,
            id: database.id().to_owned(),
            messages: all(database),
        }
    }

    /// The same home once more.
    fn copy(&self) -> TempDir {
        let home = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.home.path()).unwrap().map(Result::unwrap) {
            fs::copy(entry.path(), home.path().join(entry.file_name())).unwrap();
        }
        home
    }

    /// Starts in `home`, which is damaged at `place`. Returns how many messages were lost, after it
    /// made sure that this was said and that nothing is wrong but missing.
    #[track_caller]
    fn start(&self, home: &TempDir, place: &str) -> usize {
        let before = fs::read(path(home, NAME)).unwrap();
        let database = open(home);
        let found = all(&database);
        let lost = self.messages.len() - found.len();
        let mut told = self.messages.iter();
        for message in &found {
            assert!(told.any(|told| told == message), "{place}: {message:?}");
        }
        if lost > 0 {
            assert!(!database.notes().is_empty(), "{place}: {lost} are lost");
        }
        let is_aside = path(home, "gatepost.db.damaged-1").exists();
        assert_eq!(is_aside, !database.notes().is_empty(), "{place}");
        if is_aside {
            let aside = fs::read(path(home, "gatepost.db.damaged-1")).unwrap();
            assert!(aside == before, "{place}: what is set aside was changed");
        }
        if database.id() == self.id {
            let last = self.messages.last().unwrap();
            let is_lost = found.last().is_none_or(|message| message.seq != last.seq);
            let resent = post(&database, "k", "last");
            assert!(
                resent > last.seq || !is_lost && resent == last.seq,
                "{place}: {resent}"
            );
            assert!(post(&database, "", "next") > last.seq, "{place}");
        }
        drop(database);
        // Whatever it was, it is over.
        let again = open(home);
        assert!(again.notes().is_empty(), "{place}: {:?}", again.notes());
        lost
    }
}

fn flip(home: &TempDir, name: &str, byte: usize, bit: u8) {
    let mut bytes = fs::read(path(home, name)).unwrap();
    bytes[byte] ^= 1 << bit;
    fs::write(path(home, name), bytes).unwrap();
}

#[test]
fn a_flipped_bit_costs_one_message_at_most() {
    let told = told(150, false);
    let length = fs::metadata(path(&told.home, NAME)).unwrap().len() as usize;
    let headers = (0..100).chain(
        (4_096..length)
            .step_by(4_096)
            .flat_map(|page| [page, page + 4]),
    );
    let elsewhere = (100..length).step_by(3_001);
    let mut losses = 0;
    for (number, byte) in headers.chain(elsewhere).enumerate() {
        let home = told.copy();
        flip(&home, NAME, byte, (number % 8) as u8);
        let lost = told.start(&home, &format!("byte {byte} of {length}"));
        assert!(lost <= 1, "byte {byte}: {lost}");
        losses += lost;
    }
    assert!(losses > 0, "not one hit a text");
}

#[test]
fn a_flipped_bit_in_the_log_costs_one_message_at_most() {
    let told = told(60, true);
    let length = fs::metadata(path(&told.home, LOG)).unwrap().len() as usize;
    let headers = (0..32).step_by(4).chain((32..length).step_by(4_120 * 7));
    for (number, byte) in headers.chain((32..length).step_by(30_011)).enumerate() {
        let home = told.copy();
        flip(&home, LOG, byte, (number % 8) as u8);
        let lost = told.start(&home, &format!("byte {byte} of {length}"));
        assert!(lost <= 1, "byte {byte}: {lost}");
    }
}

#[test]
fn what_is_cut_off_is_lost_and_nothing_else() {
    let told = told(100, false);
    let bytes = fs::read(path(&told.home, NAME)).unwrap();
    let mut last = 0;
    for length in [
        bytes.len() - 1,
        bytes.len() - 4_097,
        bytes.len() / 2,
        5_000,
        100,
        1,
    ] {
        let home = told.copy();
        fs::write(path(&home, NAME), &bytes[..length]).unwrap();
        let lost = told.start(&home, &format!("{length} bytes of {}", bytes.len()));
        assert!(lost >= last, "{length} bytes: {lost}");
        last = lost;
    }
    assert_eq!(last, told.messages.len());
}

#[test]
fn a_log_that_is_cut_off_or_gone_is_noticed_and_no_seq_is_told_twice() {
    let told = told(60, true);
    let log = fs::read(path(&told.home, LOG)).unwrap();
    for length in [log.len() - 1, log.len() / 2, 33, 32, 1, 0] {
        let home = told.copy();
        fs::write(path(&home, LOG), &log[..length]).unwrap();
        let lost = told.start(&home, &format!("{length} bytes"));
        assert!(lost > 0, "{length}");
    }
    let home = told.copy();
    fs::remove_file(path(&home, LOG)).unwrap();
    assert!(told.start(&home, "no log") > 0);
    // Without its index nobody can know; then the numbers leap.
    let home = told.copy();
    fs::write(path(&home, LOG), &log[..log.len() / 2]).unwrap();
    fs::remove_file(path(&home, INDEX)).unwrap();
    let database = open(&home);
    assert!(database.notes().is_empty());
    assert!(post(&database, "", "") > 60);
}

#[test]
fn a_crash_alone_is_no_damage() {
    let told = told(60, true);
    let home = told.copy();
    let database = open(&home);
    assert_eq!(
        (database.notes().len(), all(&database)),
        (0, told.messages.clone())
    );
    // Nothing is missing, so the count goes on without a gap.
    assert_eq!(post(&database, "", ""), 61);
}

#[test]
fn a_database_that_is_gone_is_made_of_its_log() {
    let told = told(60, true);
    for content in [None, Some("")] {
        let home = told.copy();
        fs::remove_file(path(&home, NAME)).unwrap();
        if let Some(content) = content {
            fs::write(path(&home, NAME), content).unwrap();
        }
        let database = open(&home);
        assert!(!database.notes().is_empty());
        assert!(path(&home, "gatepost.db.damaged-1-wal").exists());
        let found = all(&database);
        assert!(found.len() >= 20, "{}", found.len());
        assert!(found.iter().all(|message| told.messages.contains(message)));
    }
}

#[test]
fn a_file_of_another_program_is_set_aside() {
    for content in ["no database at all", &"x".repeat(9_999)] {
        let home = tempfile::tempdir().unwrap();
        fs::write(path(&home, NAME), content).unwrap();
        let database = open(&home);
        assert!(!database.notes().is_empty());
        assert_eq!(post(&database, "", ""), 1);
        let aside = path(&home, "gatepost.db.damaged-1");
        assert_eq!(fs::read_to_string(aside).unwrap(), content);
    }
}

#[test]
fn a_message_that_rots_meanwhile_is_left_out_and_the_next_start_sees_to_it() {
    let told = told(30, false);
    let database = open(&told.home);
    let (sender, done) = crossbeam_channel::bounded(1);
    database.write(
        |writing| {
            let rot = "UPDATE message SET text = 'rotten' WHERE seq = 7";
            writing.execute(rot, []).map_err(StoreError::from)
        },
        move |result| sender.send(result.unwrap()).unwrap(),
    );
    assert_eq!(done.recv(), Ok(1));
    assert!(!path(&told.home, DAMAGED).exists());
    let found = all(&database);
    assert_eq!(found.len(), 29);
    assert!(found.iter().all(|message| message.seq != 7));
    assert!(path(&told.home, DAMAGED).exists());
    assert_eq!(post(&database, "", ""), 31);
    drop(database);
    let database = open(&told.home);
    assert!(!database.notes().is_empty());
    assert!(!path(&told.home, DAMAGED).exists());
    assert_eq!(all(&database).len(), 30);
}

#[test]
fn a_salvage_that_was_interrupted_is_finished_or_begun_again() {
    let told = told(30, true);
    // Begun: what there is of the new one is of no use.
    let home = told.copy();
    fs::write(path(&home, SALVAGED), "half").unwrap();
    let database = open(&home);
    assert_eq!((database.notes().len(), all(&database).len()), (0, 30));
    assert!(!path(&home, SALVAGED).exists());
    drop(database);
    // Nearly done: the old one has its new name, its log not yet.
    let home = told.copy();
    let whole = told.copy();
    drop(open(&whole));
    fs::rename(path(&home, NAME), path(&home, "gatepost.db.damaged-1")).unwrap();
    fs::copy(path(&whole, NAME), path(&home, SALVAGED)).unwrap();
    let database = open(&home);
    assert_eq!((database.notes().len(), all(&database).len()), (0, 30));
    assert!(path(&home, "gatepost.db.damaged-1-wal").exists());
    assert!(!path(&home, SALVAGED).exists());
}

#[test]
fn what_was_let_go_may_come_back_but_takes_nobodys_place() {
    let home = tempfile::tempdir().unwrap();
    let text = "x".repeat(500);
    let keys: Vec<_> = (0..50).map(|number| format!("k{number}")).collect();
    let database = open(&home);
    for key in &keys {
        post(&database, key, &text);
    }
    drop(database);
    let old = fs::read(path(&home, NAME)).unwrap();
    let retention = Retention::new(Duration::ZERO, 1);
    let (clock, random) = (Clock::system(), Random::system());
    let database = Database::keeping(home.path(), clock, &random, retention).unwrap();
    database.prune();
    assert_eq!(all(&database).len(), 1);
    drop(database);
    let database = open(&home);
    let seqs: Vec<_> = keys.iter().map(|key| post(&database, key, &text)).collect();
    assert_eq!((seqs[0], seqs[48], seqs[49]), (51, 99, 50));
    let root = |name: &str| {
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        let root = |db: &rusqlite::Connection| db.query_row(sql, [name], |row| row.get(0));
        let root: u32 = database.read(root).unwrap();
        (root as usize - 1) * PAGE..root as usize * PAGE
    };
    // No tree leads to the messages, and before all of them lies a page of what was let go.
    let (table, index) = (root("message"), root("message_key"));
    drop(database);
    let mut file = fs::read(path(&home, NAME)).unwrap();
    let mut leaves = old.chunks_exact(PAGE).filter(|page| page[0] == 0x0d);
    let holds = |page: &&[u8]| page.windows(4).any(|bytes| bytes == b"k20x");
    file[index].copy_from_slice(leaves.find(holds).unwrap());
    file[table].fill(0);
    fs::write(path(&home, NAME), file).unwrap();
    let database = open(&home);
    assert!(!database.notes().is_empty());
    for (key, seq) in keys.iter().zip(seqs) {
        assert_eq!(post(&database, key, &text), seq, "{key}");
    }
}

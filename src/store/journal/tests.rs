//! The journal in a real folder: what is kept across starts, and what a start puts right.

use super::*;
use crate::store::conformance::{
    Desk, Kept, MessagesUnderTest, message, messages_conform, pending,
};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

/// A journal in a home of its own, which goes with it.
struct Home {
    journal: Arc<Journal>,
    home: TempDir,
}

impl MessagesUnderTest for Home {
    fn open(clock: Clock) -> Self {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::open(home.path(), clock, &Random::system()).unwrap();
        let journal = Arc::new(journal);
        Self { journal, home }
    }

    fn store(&self) -> Arc<dyn Messages> {
        self.journal.clone()
    }

    fn kept(&self) -> Vec<Kept> {
        kept(&self.home)
    }
}

messages_conform!(Home);

/// Every message in the file, read without any of our own code.
fn kept(home: &TempDir) -> Vec<Kept> {
    let file = fs::read_to_string(home.path().join(disk::NAME)).unwrap();
    let message = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        Kept {
            seq: line["seq"].as_u64().unwrap(),
            prev: line["prev"].as_u64().unwrap(),
            room: line["room"].as_str().unwrap().to_owned(),
            from: line["from"].as_str().map(str::to_owned),
            text: line["text"].as_str().unwrap().to_owned(),
        }
    };
    file.lines().skip(1).map(message).collect()
}

fn open(home: &TempDir) -> Journal {
    Journal::open(home.path(), Clock::system(), &Random::system()).unwrap()
}

/// Posts one message in room `a` and returns what is told of it: seq, prev and duplicate.
fn post(journal: &Journal, key: &str) -> (u64, u64, bool) {
    let desk = Desk::new();
    journal.post(message("a", "", key, "text"), Some(pending(&desk, 0)));
    let receipt = desk.told().receipt.unwrap();
    (receipt.seq, receipt.prev, receipt.duplicate)
}

/// A home whose file holds the messages 1 and 2, then `tail`.
fn home_with_tail(tail: &[u8]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let journal = open(&home);
    assert_eq!((post(&journal, "k").0, post(&journal, "").0), (1, 2));
    drop(journal);
    let path = home.path().join(disk::NAME);
    fs::write(&path, [&fs::read(&path).unwrap(), tail].concat()).unwrap();
    home
}

/// Every file in `home` but the log itself.
fn beside_the_log(home: &TempDir) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(home.path()).unwrap().map(Result::unwrap);
    let others = entries.filter(|entry| entry.file_name() != disk::NAME);
    let content = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    };
    others.map(content).collect()
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let home = home_with_tail(b"");
    let first = open(&home);
    let id = first.id().to_owned();
    assert!(first.notes().is_empty());
    assert_eq!(post(&first, "k"), (1, 0, true));
    assert_eq!(post(&first, ""), (3, 2, false));
    drop(first);
    let second = open(&home);
    assert_eq!(second.id(), id);
    assert_eq!(post(&second, "k"), (1, 0, true));
    assert_eq!(post(&second, ""), (4, 3, false));
    assert_ne!(open(&tempfile::tempdir().unwrap()).id(), id);
    assert!(beside_the_log(&home).is_empty());
}

#[test]
fn a_torn_tail_is_moved_aside_whole() {
    for tail in [&b"{\"seq\":3,\"prev\""[..], b"\0\0\0\0", b"junk\n\xff\n"] {
        let home = home_with_tail(tail);
        for torn in 1..=2 {
            let journal = open(&home);
            let [note] = journal.notes() else {
                panic!("{:?}", journal.notes())
            };
            let aside = format!("messages.log.torn-{torn}");
            assert!(
                note.starts_with(&format!("{} bytes from byte ", tail.len())),
                "{note}"
            );
            assert!(note.ends_with(&format!("moved to {aside}")), "{note}");
            assert_eq!(beside_the_log(&home)[&aside], tail);
            assert_eq!(post(&journal, "").0, 2 + torn);
            drop(journal);
            let path = home.path().join(disk::NAME);
            fs::write(&path, [&fs::read(&path).unwrap(), tail].concat()).unwrap();
        }
    }
}

#[test]
fn a_tail_that_cannot_be_moved_stays_and_is_skipped() {
    let home = home_with_tail(b"");
    let opened = opening::open(home.path(), &Random::system()).unwrap();
    // As a start leaves it when there is no space for a copy.
    let path = home.path().join(disk::NAME);
    fs::write(
        &path,
        [&fs::read(&path).unwrap(), &b"{\"seq\":3,"[..]].concat(),
    )
    .unwrap();
    let end = fs::metadata(&path).unwrap().len();
    let writer = Writer::new(opened.disk, opened.ledger, Clock::system(), end, true);
    let journal = Journal::start(opened.id, Vec::new(), writer).unwrap();
    assert_eq!(post(&journal, ""), (3, 2, false));
    assert_eq!(post(&journal, ""), (4, 3, false));
    drop(journal);
    let journal = open(&home);
    let [note] = journal.notes() else {
        panic!("{:?}", journal.notes())
    };
    assert!(note.starts_with("lines 4 to 4"), "{note}");
    assert_eq!(post(&journal, ""), (5, 4, false));
}

#[test]
fn a_file_that_is_not_ours_is_set_aside_and_a_new_one_begun() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(disk::NAME);
    fs::write(&path, "\0\0\0\0").unwrap();
    let journal = open(&home);
    assert_eq!(journal.notes().len(), 1);
    assert_eq!(post(&journal, ""), (1, 0, false));
    assert_eq!(beside_the_log(&home)["messages.log.torn-1"], b"\0\0\0\0");
    drop(journal);

    fs::write(&path, "").unwrap();
    fs::write(home.path().join("messages.log.new"), "cut off").unwrap();
    assert!(open(&home).notes().is_empty());
    assert_eq!(beside_the_log(&home).len(), 1);

    fs::write(&path, "{\"gatepost\":2,\"store\":\"x\"}\n").unwrap();
    let newer = Journal::open(home.path(), Clock::system(), &Random::system()).map(drop);
    let error = newer.unwrap_err().to_string();
    assert!(error.contains("format 2"), "{error}");
}

#[test]
fn what_is_in_a_users_own_room_is_not_for_everybody_on_the_machine() {
    use std::os::unix::fs::PermissionsExt;
    let home = home_with_tail(b"torn");
    drop(open(&home));
    for name in [disk::NAME, "messages.log.torn-1"] {
        let metadata = fs::metadata(home.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o077, 0, "{name}");
    }
}

#[test]
fn a_full_disk_is_gone_through_with_a_new_handle_on_the_same_file() {
    let home = home_with_tail(b"");
    let path = home.path().join(disk::NAME);
    let mut opened = opening::open(home.path(), &Random::system()).unwrap();
    opened.disk.append(opened.good, b"half a li").unwrap();
    opened.disk.reopen().unwrap();
    opened.disk.truncate(opened.good).unwrap();
    opened.disk.sync().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), opened.good);
    // A file that lost what was durable is never made longer again.
    fs::write(&path, "").unwrap();
    assert!(opened.disk.truncate(opened.good).is_err());
    fs::remove_file(&path).unwrap();
    assert!(opened.disk.reopen().is_err());
}

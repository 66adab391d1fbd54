//! The database in a real folder: what is kept across starts, and what other stores write in it.

use super::*;
use crate::store::conformance::{
    Desk, Kept, MessagesUnderTest, message, messages_conform, pending, search_conforms,
};
use rusqlite::OpenFlags;
use std::fs;
use tempfile::TempDir;

/// A database in a home of its own, which goes with it.
struct Home {
    database: Arc<Database>,
    home: TempDir,
}

impl MessagesUnderTest for Home {
    fn open(clock: Clock) -> Self {
        Self::keeping(clock, Retention::default())
    }

    fn keeping(clock: Clock, retention: Retention) -> Self {
        let home = tempfile::tempdir().unwrap();
        let random = Random::system();
        let database = Database::keeping(home.path(), clock, &random, retention).unwrap();
        let database = Arc::new(database);
        Self { database, home }
    }

    fn prune(&self) {
        self.database.prune();
    }

    fn store(&self) -> Arc<dyn Messages> {
        self.database.clone()
    }

    fn kept(&self) -> Vec<Kept> {
        kept(&self.home)
    }
}

messages_conform!(Home);
search_conforms!(Home);

/// Every message in the file, read without any of our own code.
fn kept(home: &TempDir) -> Vec<Kept> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(home.path().join(schema::NAME), flags).unwrap();
    let sql = "SELECT seq, prev, room, sender, text FROM message ORDER BY seq";
    let mut statement = connection.prepare(sql).unwrap();
    let kept = |row: &rusqlite::Row<'_>| {
        Ok(Kept {
            seq: row.get::<_, i64>(0)?.try_into().unwrap(),
            prev: row.get::<_, i64>(1)?.try_into().unwrap(),
            room: row.get(2)?,
            from: row.get(3)?,
            text: row.get(4)?,
        })
    };
    let kept = statement.query_map([], kept).unwrap();
    kept.map(Result::unwrap).collect()
}

fn open(home: &TempDir) -> Database {
    Database::open(home.path(), Clock::system(), &Random::system()).unwrap()
}

/// Posts one message in room `a` and returns what is told of it: seq, prev and duplicate.
fn post(database: &Database, key: &str) -> (u64, u64, bool) {
    let desk = Desk::new();
    database.post(message("a", "", key, "text"), Some(pending(&desk, 0)));
    let receipt = desk.told().receipt.unwrap();
    (receipt.seq, receipt.prev, receipt.duplicate)
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let home = tempfile::tempdir().unwrap();
    let first = open(&home);
    let id = first.id().to_owned();
    assert_eq!(post(&first, "k"), (1, 0, false));
    assert_eq!(post(&first, ""), (2, 1, false));
    drop(first);
    let second = open(&home);
    assert_eq!(second.id(), id);
    assert_eq!(post(&second, "k"), (1, 0, true));
    assert_eq!(post(&second, ""), (3, 2, false));
    assert!(second.notes().is_empty());
    assert_ne!(open(&tempfile::tempdir().unwrap()).id(), id);
}

#[test]
fn what_is_in_a_users_own_room_is_not_for_everybody_on_the_machine() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let database = open(&home);
    post(&database, "");
    for name in [
        "gatepost.db",
        "gatepost.db-wal",
        "gatepost.db-shm",
        "gatepost-index.db",
        "gatepost-index.db-wal",
        "gatepost-index.db-shm",
    ] {
        let metadata = fs::metadata(home.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o077, 0, "{name}");
    }
}

/// Makes `change` and returns what is told of it.
fn write<T: Send + 'static>(
    database: &Database,
    change: impl FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    database.write(change, move |result| {
        assert!(sender.send(result).is_ok());
    });
    receiver.recv().unwrap()
}

fn numbers(database: &Database) -> Vec<i64> {
    let read = |connection: &Connection| {
        let mut statement = connection.prepare("SELECT n FROM other ORDER BY n")?;
        let numbers = statement.query_map([], |row| row.get(0))?;
        numbers.collect()
    };
    database.read(read).unwrap()
}

#[test]
fn another_stores_change_and_its_message_are_one_commit() {
    let home = tempfile::tempdir().unwrap();
    let database = open(&home);
    let insert = |number: i64| {
        move |writing: &mut Writing<'_>| {
            writing.execute("INSERT INTO other VALUES (?1)", [number])?;
            writing.post(message("a", "", "", &number.to_string()))
        }
    };
    write(&database, |writing| {
        Ok(writing.execute_batch("CREATE TABLE other (n)")?)
    })
    .unwrap();
    assert_eq!(write(&database, insert(1)).unwrap().seq, 1);
    // One that fails takes its own message back, and nobody else's.
    let desk = Desk::new();
    database.post(message("a", "", "", "2"), Some(pending(&desk, 0)));
    let failed = write(&database, move |writing| {
        insert(3)(writing)?;
        Err::<(), _>(StoreError::NoSpace)
    });
    assert!(matches!(failed, Err(StoreError::NoSpace)), "{failed:?}");
    assert_eq!(desk.told().receipt.unwrap().seq, 2);
    let receipt = write(&database, insert(4)).unwrap();
    assert_eq!((receipt.seq, receipt.prev), (4, 2));
    assert_eq!(numbers(&database), [1, 4]);
    let texts: Vec<_> = kept(&home).into_iter().map(|kept| kept.text).collect();
    assert_eq!(texts, ["1", "2", "4"]);
    database.close();
    let refused = write(&database, insert(5));
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    assert_eq!(numbers(&database), [1, 4]);
}

/// A database that keeps texts of so many bytes together.
fn keeping(home: &TempDir, bytes: u64) -> Database {
    let retention = Retention::new(std::time::Duration::ZERO, bytes);
    Database::keeping(home.path(), Clock::system(), &Random::system(), retention).unwrap()
}

#[test]
fn a_restart_goes_on_behind_what_was_let_go_and_takes_it_for_no_damage() {
    let home = tempfile::tempdir().unwrap();
    let database = keeping(&home, 1);
    let long = "x".repeat(1 << 19);
    // More than are let go in one commit, by their number and by their bytes.
    for number in 1..=3_000 {
        let text = if number % 500 == 0 { &long } else { "x" };
        let key = format!("k{number}");
        database.post(message(["a", "b"][number % 2], "", &key, text), None);
    }
    assert_eq!(post(&database, ""), (3_001, 3_000, false));
    database.prune();
    let seqs = |home| -> Vec<_> { kept(home).into_iter().map(|kept| kept.seq).collect() };
    assert_eq!(seqs(&home), [2_999, 3_001]);
    drop(database);
    // All there is is looked at, small as it is now.
    let database = open(&home);
    assert!(database.notes().is_empty(), "{:?}", database.notes());
    assert_eq!(post(&database, "k2"), (3_002, 3_001, false));
    drop(database);
    // What was let go is counted anew.
    let database = keeping(&home, 1 << 20);
    database.prune();
    assert_eq!(seqs(&home), [2_999, 3_001, 3_002]);
}

#[test]
fn what_got_free_is_used_again() {
    let home = tempfile::tempdir().unwrap();
    let database = keeping(&home, 1 << 20);
    let pages = || -> i64 {
        let count = |db: &Connection| db.pragma_query_value(None, "page_count", |row| row.get(0));
        database.read(count).unwrap()
    };
    let fill = || {
        for _ in 0..2 << 10 {
            database.post(message("a", "", "", &"x".repeat(1 << 10)), None);
        }
        post(&database, "");
        database.prune();
    };
    fill();
    let before = pages();
    (0..4).for_each(|_| fill());
    assert!(pages() < before * 2, "{} pages, {before} before", pages());
}

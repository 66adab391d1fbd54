//! The whole index against a search that reads every text.

use super::*;
use docs::DOCS;
use parking_lot::Mutex;
use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::FileExt;

/// A store: the seq, room and text of each message.
#[derive(Debug, Clone, Default)]
struct Store(Arc<Mutex<Vec<(u64, String, String)>>>);

impl Texts for Store {
    fn last(&mut self) -> Result<u64, StoreError> {
        Ok(self.0.lock().last().map_or(0, |message| message.0))
    }

    fn after(
        &mut self,
        seq: u64,
        take: &mut dyn FnMut(u64, &str, &str) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let messages = self.0.lock();
        let begin = messages.partition_point(|message| message.0 <= seq);
        for (seq, room, text) in &messages[begin..] {
            if take(*seq, room, text).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Store {
    fn post(&self, seq: u64, room: &str, text: &str) {
        let message = (seq, room.to_owned(), text.to_owned());
        self.0.lock().push(message);
    }

    /// What is found by reading every text.
    fn read_all(&self, room: &str, needle: &str, range: Range) -> Vec<u64> {
        let needle = needle.to_ascii_lowercase();
        let messages = self.0.lock();
        let found = messages.iter().filter(|(seq, of, text)| {
            let in_range = match range {
                Range::Newest => true,
                Range::Before(before) => *seq < before,
                Range::After(after) => *seq > after,
            };
            of == room && in_range && text.to_ascii_lowercase().contains(&needle)
        });
        let mut seqs: Vec<u64> = found.map(|message| message.0).collect();
        if !matches!(range, Range::After(_)) {
            seqs.reverse();
        }
        seqs
    }

    /// What is found along the walk, and how many texts were read outside of the blocks.
    fn search(&self, index: &Index, room: &str, needle: &str, range: Range) -> (Vec<u64>, usize) {
        let (mut found, mut read) = (Vec::new(), 0);
        let needle = needle.to_ascii_lowercase();
        let messages = self.0.lock();
        let holds = |(_, of, what): &&(u64, String, String)| {
            of == room && what.to_ascii_lowercase().contains(&needle)
        };
        for stretch in index.walk(room, &needle, range) {
            match stretch {
                Stretch::Candidates(seqs) => {
                    let at = |seq: &u64| messages.binary_search_by_key(seq, |message| message.0);
                    let there = seqs.iter().filter_map(|seq| messages.get(at(seq).ok()?));
                    found.extend(there.filter(holds).map(|message| message.0));
                }
                Stretch::Unindexed { after, before } => {
                    let inside = messages
                        .iter()
                        .filter(|(seq, ..)| after < *seq && *seq < before);
                    read += inside.clone().count();
                    let mut seqs: Vec<u64> =
                        inside.filter(holds).map(|message| message.0).collect();
                    if !matches!(range, Range::After(_)) {
                        seqs.reverse();
                    }
                    found.extend(seqs);
                }
            }
        }
        (found, read)
    }

    fn index(&self, home: &Path) -> Index {
        let index = Index::open(home, "a store", Box::new(self.clone())).unwrap();
        index.shared.settle();
        index
    }

    fn check(&self, index: &Index, needle: &str) {
        let last = self.clone().last().unwrap();
        for range in [
            Range::Newest,
            Range::Before(last),
            Range::Before(last / 2),
            Range::After(0),
            Range::After(last / 2),
        ] {
            let found = self.search(index, "a", needle, range).0;
            assert_eq!(
                found,
                self.read_all("a", needle, range),
                "{needle:?} {range:?}"
            );
        }
    }

    /// Three blocks and some messages more, in two rooms.
    fn filled() -> Self {
        let store = Self::default();
        for seq in 1..=DOCS * 3 + 100 {
            let text = match seq % 5_000 {
                7 => "我叫马冬梅你好".to_owned(),
                8 => "Say \"Hello\" * OR NOT 🙂\0".to_owned(),
                _ => format!("{seq} 马梅"),
            };
            store.post(seq, if seq % 3 == 0 { "b" } else { "a" }, &text);
        }
        store
    }
}

const NEEDLES: [&str; 14] = [
    "你好",
    "马",
    "马冬梅",
    "冬梅好",
    "🙂",
    "hello",
    "HELLO\" *",
    "*",
    "or not",
    "1",
    "12",
    "123",
    "\0",
    "的",
];

#[test]
fn what_is_in_blocks_is_found_by_them() {
    let (home, store) = (tempfile::tempdir().unwrap(), Store::filled());
    let index = store.index(home.path());
    for needle in NEEDLES {
        store.check(&index, needle);
        let (_, read) = store.search(&index, "a", needle, Range::Newest);
        assert_eq!(read, 100, "outside of the blocks, for {needle:?}");
    }
}

#[test]
fn blocks_follow_the_commits_and_outlast_a_restart() {
    let (home, store) = (tempfile::tempdir().unwrap(), Store::default());
    let index = store.index(home.path());
    for seq in 1..=DOCS {
        store.post(seq, "a", "你好");
        index.committed(1, 6);
    }
    index.shared.settle();
    let unread = |index: &Index| store.search(index, "a", "好", Range::Newest).1;
    assert_eq!(unread(&index), 0);
    // Their bytes make a block, few as they are.
    for seq in DOCS + 1..=DOCS + 3 {
        store.post(seq, "a", &"x".repeat(1 << 19));
        index.committed(1, 1 << 19);
    }
    index.shared.settle();
    assert!(unread(&index) < 3, "{} of 3", unread(&index));
    drop(index);
    let index = Index::open(home.path(), "a store", Box::new(Store::default())).unwrap();
    assert_eq!(
        unread(&index),
        store.0.lock().len(),
        "a store that lost its messages"
    );
}

#[test]
fn blocks_of_what_is_no_longer_kept_go_and_the_rest_is_found() {
    let (home, store) = (tempfile::tempdir().unwrap(), Store::filled());
    let index = store.index(home.path());
    let file = || Connection::open(home.path().join(file::NAME)).unwrap();
    let count = |of: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {of}");
        file().query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let chunks = count("chunk");
    // The seventh, which holds more of what is looked for than others, is the last of its room.
    let let_go = 2 * DOCS + 5;
    (store.0.lock()).retain(|(seq, ..)| *seq == 7 || *seq > let_go);
    index.forget(let_go);
    index.shared.settle();
    assert_eq!(count("block"), 1);
    assert!(
        count("chunk") < chunks / 2,
        "{} of {chunks}",
        count("chunk")
    );
    for needle in NEEDLES {
        store.check(&index, needle);
        let (_, read) = store.search(&index, "a", needle, Range::Newest);
        assert_eq!(read, 101, "outside of the blocks, for {needle:?}");
    }
    // The last block stays, for what comes after it.
    index.forget(u64::MAX >> 1);
    index.shared.settle();
    assert_eq!(count("block"), 1);
    drop(index);
    let index = store.index(home.path());
    store.check(&index, "你好");
    let (_, read) = store.search(&index, "a", "你好", Range::Newest);
    assert_eq!(read, 101, "after a restart");
}

#[test]
fn an_index_of_another_store_is_made_anew() {
    let (home, store) = (tempfile::tempdir().unwrap(), Store::filled());
    drop(store.index(home.path()));
    for message in store.0.lock().iter_mut() {
        message.2 = format!("other {}", message.0);
    }
    let index = Index::open(home.path(), "another", Box::new(store.clone())).unwrap();
    index.shared.settle();
    store.check(&index, "other 1");
}

#[test]
fn an_index_that_cannot_be_made_costs_only_time() {
    let (home, store) = (tempfile::tempdir().unwrap(), Store::filled());
    fs::create_dir(home.path().join(file::NAME)).unwrap();
    let index = store.index(home.path());
    store.check(&index, "你好");
    assert_eq!(
        store.search(&index, "a", "你好", Range::Newest).1 as u64,
        DOCS * 3 + 100
    );
}

#[test]
fn damage_that_a_search_meets_is_mended() {
    let (home, store) = (tempfile::tempdir().unwrap(), Store::filled());
    let index = store.index(home.path());
    for damage in [
        "UPDATE chunk SET bytes = substr(bytes, 1, 9)",
        "DELETE FROM chunk WHERE number % 2",
        "DELETE FROM block WHERE last = (SELECT min(last) FROM block)",
    ] {
        let shell = Connection::open(home.path().join(file::NAME)).unwrap();
        assert!(shell.execute(damage, []).unwrap() > 0);
        for needle in NEEDLES {
            store.check(&index, needle);
        }
        index.shared.settle();
        let (_, read) = store.search(&index, "a", "你好", Range::Newest);
        assert_eq!(read, 100, "after {damage:?}");
    }
    // A disk that is bad for good is left alone.
    let shell = Connection::open(home.path().join(file::NAME)).unwrap();
    shell.execute("DELETE FROM chunk", []).unwrap();
    store.check(&index, "你好");
    index.shared.settle();
    store.check(&index, "你好");
    assert!(store.search(&index, "a", "你好", Range::Newest).1 > 100);
}

#[test]
fn a_block_that_was_not_wanted_ends_with_the_thread() {
    let (home, store) = (tempfile::tempdir().unwrap(), Store::filled());
    let index = store.index(home.path());
    let walk = index.walk("a", "马", Range::Newest);
    index.close();
    index.close();
    // A search under way ends as it began; a later one reads.
    assert!(walk.count() > 1);
    store.check(&index, "马");
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[马冬梅你好]{0,8}",
        "[abAB \"*]{0,8}",
        "[aé你ü🙂\u{0}]{0,6}",
        "[ßẞİıſК]{0,4}"
    ]
}

fn range() -> impl Strategy<Value = Range> {
    let seq = 0..200_000u64;
    prop_oneof![
        Just(Range::Newest),
        seq.clone().prop_map(Range::Before),
        seq.prop_map(Range::After)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_search_finds_what_reading_finds(
        // Seqs that were never used end a block, so that few messages make many blocks.
        messages in vec((prop_oneof![9 => 1..3u64, 1 => DOCS - 2..DOCS + 9], "[ab]", text()), 0..200),
        searches in vec((prop_oneof!["[马冬梅你好abé🙂ß]", "[你好]{2,3}", "[abAB]{2,4}", text()], range()), 1..20),
    ) {
        let (home, store) = (tempfile::tempdir().unwrap(), Store::default());
        let mut last = 0;
        for (step, room, text) in messages {
            last += step;
            store.post(last, &room, &text);
        }
        let index = store.index(home.path());
        for (needle, range) in searches {
            // A needle is never empty.
            let needle = if needle.is_empty() { "a".to_owned() } else { needle };
            let found = store.search(&index, "a", &needle, range).0;
            prop_assert_eq!(found, store.read_all("a", &needle, range), "{:?} {:?}", needle, range);
        }
    }

    #[test]
    fn no_flipped_bit_or_cut_tail_hides_a_message(
        flips in vec((any::<prop::sample::Index>(), 0..8u32), 1..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let (home, store) = (tempfile::tempdir().unwrap(), Store::default());
        for block in 0..8 {
            for seq in 1..40 {
                store.post(block * DOCS * 2 + seq, "a", &format!("我叫马冬梅你好 {seq} {block}"));
            }
        }
        drop(store.index(home.path()));
        let path = home.path().join(file::NAME);
        let file = fs::File::options().read(true).write(true).open(path).unwrap();
        let length = file.metadata().unwrap().len() as usize;
        for (at, bit) in flips {
            let (at, mut byte) = (at.index(length) as u64, [0]);
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 1 << bit], at).unwrap();
        }
        if let Some(cut) = cut {
            file.set_len(cut.index(length) as u64).unwrap();
        }
        drop(file);
        let index = Index::open(home.path(), "a store", Box::new(store.clone())).unwrap();
        for _ in 0..2 {
            for needle in ["好", "梅你", "3 7", "马冬梅你好 11", "无"] {
                store.check(&index, needle);
            }
            index.shared.settle();
        }
    }
}

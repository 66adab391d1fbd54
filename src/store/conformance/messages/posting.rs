//! What is posted: places in the count, keys, receipts, the end, and who is told.

use super::{MessagesUnderTest, charged, message, open, post};
use crate::budget::Budget;
use crate::store::conformance::{Desk, Told, pending};
use crate::store::{Kept, Receipt, Witness};
use crate::time::Clock;
use crate::wire::Code;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

pub(crate) fn seqs_rise_and_prev_stays_in_the_room<E: MessagesUnderTest>() {
    let now = UNIX_EPOCH + Duration::from_micros(1_234_567);
    let engine = E::open(Clock::from_fn(move || now));
    let (store, desk) = (engine.store(), Desk::new());
    for (slot, room) in ["a", "b", "a", "b", "b"].into_iter().enumerate() {
        store.post(message(room, "", "", ""), Some(pending(&desk, slot as u64)));
    }
    for (slot, prev) in [0, 0, 1, 2, 4].into_iter().enumerate() {
        let slot = slot as u64;
        let receipt = Ok(Receipt {
            seq: slot + 1,
            prev,
            time: UNIX_EPOCH + Duration::from_millis(1_234),
            duplicate: false,
        });
        assert_eq!(desk.told(), Told { slot, receipt });
    }
}

pub(crate) fn a_key_is_used_once<E: MessagesUnderTest>() {
    let (engine, store) = open::<E>();
    let desk = Desk::new();
    // At once, so that both may be in one batch, and again later.
    store.post(message("a", "", "k", "first"), Some(pending(&desk, 0)));
    store.post(message("a", "", "k", "second"), Some(pending(&desk, 1)));
    let first = desk.told().receipt.unwrap();
    let again = Receipt {
        duplicate: true,
        ..first.clone()
    };
    assert!(!first.duplicate);
    assert_eq!(desk.told().receipt, Ok(again.clone()));
    assert_eq!(post(&store, message("a", "", "k", "third")), Ok(again));
    let next = post(&store, message("a", "", "l", "fourth")).unwrap();
    assert_eq!((next.seq, next.prev), (2, 1));
    let texts: Vec<_> = engine.kept().into_iter().map(|kept| kept.text).collect();
    assert_eq!(texts, ["first", "fourth"]);
}

pub(crate) fn a_key_belongs_to_its_user_and_room<E: MessagesUnderTest>() {
    let (_engine, store) = open::<E>();
    let seq = |room, user| post(&store, message(room, user, "k", "")).unwrap().seq;
    let first = [("a", ""), ("b", ""), ("a", "李四"), ("a", "张三")].map(|(r, u)| seq(r, u));
    assert_eq!(first, [1, 2, 3, 4]);
    let again = [("a", "张三"), ("a", "李四"), ("b", ""), ("a", "")].map(|(r, u)| seq(r, u));
    assert_eq!(again, [4, 3, 2, 1]);
}

pub(crate) fn what_is_told_is_kept<E: MessagesUnderTest>() {
    let (engine, store) = open::<E>();
    let texts = ["", "你好\n\"\\\0\u{7f}", &"x".repeat(3 << 20)];
    for text in texts {
        post(&store, message("@李四", "张三", "", text)).unwrap();
    }
    let kept = engine.kept();
    assert_eq!(kept.len(), texts.len());
    for ((kept, text), seq) in kept.iter().zip(texts).zip(1..) {
        assert!(kept.text == text, "message {seq}");
        assert_eq!((kept.seq, kept.prev), (seq, seq - 1));
        assert_eq!((&*kept.room, kept.from.as_deref()), ("@李四", Some("张三")));
    }
}

pub(crate) fn many_posters_lose_nothing<E: MessagesUnderTest>() {
    const POSTERS: u64 = 8;
    const POSTS: u64 = 200;
    let (engine, store) = open::<E>();
    std::thread::scope(|scope| {
        for poster in 0..POSTERS {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                let (desk, room) = (Desk::new(), format!("room-{poster}"));
                for slot in 0..POSTS {
                    let post = message(&room, "", "", &slot.to_string());
                    store.post(post, Some(pending(&desk, slot)));
                }
                let mut prev = 0;
                for slot in 0..POSTS {
                    let told = desk.told();
                    let receipt = told.receipt.unwrap();
                    assert_eq!((told.slot, receipt.prev), (slot, prev));
                    prev = receipt.seq;
                }
            });
        }
    });
    let kept = engine.kept();
    let seqs: Vec<_> = kept.iter().map(|kept| kept.seq).collect();
    assert_eq!(seqs, (1..=POSTERS * POSTS).collect::<Vec<_>>());
    for poster in 0..POSTERS {
        let room = format!("room-{poster}");
        let texts = kept.iter().filter(|kept| kept.room == room);
        let texts: Vec<u64> = texts.map(|kept| kept.text.parse().unwrap()).collect();
        assert_eq!(texts, (0..POSTS).collect::<Vec<_>>());
    }
}

pub(crate) fn after_the_close_posts_are_refused<E: MessagesUnderTest>() {
    let (engine, store) = open::<E>();
    let desk = Desk::new();
    for slot in 0..100 {
        store.post(message("a", "", "", ""), Some(pending(&desk, slot)));
    }
    // Waited for, and nobody waits for it: both are kept.
    store.post(message("a", "", "", "last"), None);
    store.close();
    store.close();
    for slot in 0..100 {
        let told = desk.told();
        assert_eq!((told.slot, told.receipt.unwrap().seq), (slot, slot + 1));
    }
    assert_eq!(post(&store, message("a", "", "", "")), Err(Code::GoingAway));
    let kept = engine.kept();
    assert_eq!((kept.len(), &*kept[100].text), (101, "last"));
}

pub(crate) fn a_charge_is_held_until_the_message_is_kept<E: MessagesUnderTest>() {
    let (_engine, store) = open::<E>();
    let budget = Budget::new(100);
    let mut charge = budget.charge();
    charge.grow(60);
    store.post(charged("a", "", "", "x", charge), None);
    store.close();
    assert_eq!(budget.used(), 0);
}

/// A witness that remembers seqs and texts.
#[derive(Default)]
struct Memory(Mutex<Vec<(u64, String)>>);

impl Witness for Memory {
    fn kept(&self, batch: Vec<Kept>) {
        assert!(!batch.is_empty());
        let told = |kept: Kept| (kept.message.seq, kept.message.text);
        self.0.lock().extend(batch.into_iter().map(told));
    }
}

pub(crate) fn the_witness_is_told_of_each_message_once<E: MessagesUnderTest>() {
    let (_engine, store) = open::<E>();
    let (first, second) = (Arc::<Memory>::default(), Arc::<Memory>::default());
    store.observe(first.clone());
    store.observe(second.clone());
    for (key, text) in [("k", "a"), ("k", "b"), ("", "c")] {
        store.post(message("a", "", key, text), None);
    }
    post(&store, message("b", "", "", "d")).unwrap();
    store.close();
    let expected = [(1, "a"), (2, "c"), (3, "d")];
    assert_eq!(
        *first.0.lock(),
        expected.map(|(seq, text)| (seq, text.to_owned()))
    );
    assert!(second.0.lock().is_empty());
}

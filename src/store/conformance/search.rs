//! What a search in every store of messages must find.

use super::{Desk, MessagesUnderTest, message, pending};
use crate::store::{Messages, Page, Query, Range};
use crate::time::Clock;
use crate::wire::RoomName;
use std::sync::Arc;

/// Runs the suite for one engine.
macro_rules! search_conforms {
    ($engine:ty) => {
        $crate::store::conformance::search_conforms!(
            $engine: any_script_is_found, no_needle_is_a_query, case_is_put_aside_for_ascii_alone,
            a_page_of_a_search_has_its_bounds, a_search_finds_what_reading_finds,
            what_is_committed_is_found_at_once
        );
    };
    ($engine:ty: $($check:ident),+) => {
        $(#[test]
        fn $check() {
            $crate::store::conformance::checks::search::$check::<$engine>();
        })+
    };
}
pub(crate) use search_conforms;

/// Posts `texts` in the room `a`, in their order.
fn post_all<'a>(store: &Arc<dyn Messages>, texts: impl IntoIterator<Item = &'a str>) {
    let desk = Desk::new();
    let mut posted = 0;
    for text in texts {
        store.post(message("a", "", "", text), Some(pending(&desk, posted)));
        posted += 1;
    }
    for _ in 0..posted {
        desk.told().receipt.unwrap();
    }
}

fn page(store: &Arc<dyn Messages>, needle: &str, range: Range, limit: usize) -> Page {
    let query = Query {
        room: RoomName::new("a").unwrap(),
        range,
        limit,
        max_bytes: 1 << 20,
        search: Some(needle.to_owned()),
    };
    store.page(&query).unwrap()
}

fn seqs(page: &Page) -> Vec<u64> {
    page.messages.iter().map(|message| message.seq).collect()
}

/// Posts `texts` and searches for each of the needles, which are to be found in those with the
/// seqs beside them.
fn check<E: MessagesUnderTest>(texts: &[&str], needles: &[(&str, &[u64])]) {
    let engine = E::open(Clock::system());
    let store = engine.store();
    post_all(&store, texts.iter().copied());
    for (needle, expected) in needles {
        for range in [Range::Newest, Range::After(0), Range::Before(100)] {
            let page = page(&store, needle, range, 100);
            assert_eq!(seqs(&page), *expected, "{needle:?}, {range:?}");
            assert!(!page.more);
        }
    }
}

pub(crate) mod checks {
    use super::*;

    pub(crate) fn any_script_is_found<E: MessagesUnderTest>() {
        let texts = [
            "我叫马冬梅你好",
            "你 好",
            "",
            "Привет, мир",
            "🙂👍🏽 ok",
            "مرحبا",
        ];
        check::<E>(
            &texts,
            &[
                ("你好", &[1]),
                ("好", &[1, 2]),
                ("我叫马冬梅你好", &[1]),
                ("我叫马冬梅你好吗", &[]),
                ("好你", &[]),
                ("вет, м", &[4]),
                ("🙂", &[5]),
                ("👍", &[5]),
                ("👍🏽 O", &[5]),
                ("🏻", &[]),
                ("حبا", &[6]),
                (" ", &[2, 4, 5]),
                (&"好".repeat(5_000), &[]),
            ],
        );
    }

    pub(crate) fn no_needle_is_a_query<E: MessagesUnderTest>() {
        let texts = [
            r#"she said "hello" * 100%"#,
            "this OR that AND NOT those",
            "a\0b",
            "room:a NEAR(this that, 2)",
            "^it's -- a _test_; \\",
        ];
        check::<E>(
            &texts,
            &[
                ("\"", &[1]),
                ("\"hello\"", &[1]),
                ("\"said hello\"", &[]),
                ("*", &[1]),
                ("hel*", &[]),
                ("%", &[1]),
                ("h%o", &[]),
                ("_", &[5]),
                ("t_is", &[]),
                ("this OR", &[2]),
                ("this OR nothing", &[]),
                ("\0", &[3]),
                ("a\0", &[3]),
                ("\0a", &[]),
                ("room:", &[4]),
                ("NEAR(this", &[4]),
                ("it's --", &[5]),
                ("'", &[5]),
                ("\\", &[5]),
                ("^it", &[5]),
            ],
        );
    }

    pub(crate) fn case_is_put_aside_for_ascii_alone<E: MessagesUnderTest>() {
        let texts = [
            "Hello World",
            "HELLO ÉCOLE",
            // A long s, an I with a dot, the sign for kelvin.
            "école, \u{17f}traße, \u{130}stanbul, \u{212a}",
        ];
        check::<E>(
            &texts,
            &[
                ("hello", &[1, 2]),
                ("O W", &[1]),
                ("o e", &[]),
                ("É", &[2]),
                ("éCOLE", &[3]),
                ("cole", &[2, 3]),
                ("str", &[]),
                ("\u{17f}TRA", &[3]),
                ("ss", &[]),
                ("i", &[]),
                ("k", &[]),
                ("H", &[1, 2]),
            ],
        );
    }

    pub(crate) fn a_page_of_a_search_has_its_bounds<E: MessagesUnderTest>() {
        let engine = E::open(Clock::system());
        let store = engine.store();
        let found = "好".repeat(100);
        let texts = (1..=60).map(|seq| if seq % 3 == 0 { &*found } else { "nothing" });
        post_all(&store, texts);
        for (range, limit, expected, more) in [
            (Range::Newest, 2, &[57, 60][..], true),
            (Range::Before(9), 2, &[3, 6], false),
            (Range::Before(10), 2, &[6, 9], true),
            (Range::Before(3), 2, &[], false),
            (Range::Before(0), 2, &[], false),
            (Range::After(0), 3, &[3, 6, 9], true),
            (Range::After(54), 3, &[57, 60], false),
            (Range::After(54), 2, &[57, 60], false),
            (Range::After(54), 1, &[57], true),
            (Range::After(60), 1, &[], false),
            (Range::After(u64::MAX), 1, &[], false),
            (Range::Before(u64::MAX), 1, &[60], true),
        ] {
            let page = page(&store, "好好", range, limit);
            assert_eq!(
                (&*seqs(&page), page.more),
                (expected, more),
                "{range:?}, {limit}"
            );
        }
        let query = Query {
            room: RoomName::new("a").unwrap(),
            range: Range::Newest,
            limit: 100,
            max_bytes: 700,
            search: Some("好".to_owned()),
        };
        let page = store.page(&query).unwrap();
        assert_eq!((seqs(&page), page.more), (vec![57, 60], true));
        let room = RoomName::new("b").unwrap();
        assert_eq!(
            store.page(&Query { room, ..query }).unwrap(),
            Page::default()
        );
    }

    pub(crate) fn a_search_finds_what_reading_finds<E: MessagesUnderTest>() {
        const MESSAGES: usize = 5_000;
        let engine = E::open(Clock::system());
        let store = engine.store();
        let mut number = 0u64;
        let mut below = |bound: u64| {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (number >> 33) % bound
        };
        let alphabet: Vec<char> = "马冬梅你好abAB é\"*🙂".chars().collect();
        let mut text = |length: u64| -> String {
            let one = |_| alphabet[below(alphabet.len() as u64) as usize];
            (0..length).map(one).collect()
        };
        let texts: Vec<String> = (0..MESSAGES as u64).map(|seq| text(seq % 9)).collect();
        let needles: Vec<String> = (0..60).map(|needle| text(1 + needle % 4)).collect();
        post_all(&store, texts.iter().map(String::as_str));
        for (at, needle) in (1u64..).zip(&needles) {
            let folded = needle.to_ascii_lowercase();
            let found: Vec<u64> = (1..)
                .zip(&texts)
                .filter(|(_, text)| text.to_ascii_lowercase().contains(&folded))
                .map(|(seq, _)| seq)
                .collect();
            let bound = at * 80;
            let (before, after): (Vec<u64>, Vec<u64>) = found.iter().partition(|seq| **seq < bound);
            let limit = 1 + (at as usize % 40);
            let newest = |seqs: &[u64]| seqs[seqs.len().saturating_sub(limit)..].to_vec();
            let oldest = |seqs: &[u64]| seqs[..limit.min(seqs.len())].to_vec();
            for (range, expected, total) in [
                (Range::Newest, newest(&found), found.len()),
                (Range::Before(bound), newest(&before), before.len()),
                (Range::After(bound - 1), oldest(&after), after.len()),
            ] {
                let page = page(&store, needle, range, limit);
                assert_eq!(seqs(&page), expected, "{needle:?}, {range:?}, {limit}");
                assert_eq!(page.more, total > limit, "{needle:?}, {range:?}, {limit}");
            }
        }
    }

    pub(crate) fn what_is_committed_is_found_at_once<E: MessagesUnderTest>() {
        let engine = E::open(Clock::system());
        let store = engine.store();
        // An index is made meanwhile, wherever it may be.
        for round in 1..=100 {
            let needle = format!("<{round}>");
            let noise = std::iter::repeat_n("马冬梅", 99);
            post_all(&store, noise.chain([&*needle]));
            for range in [Range::Newest, Range::After(0)] {
                assert_eq!(seqs(&page(&store, &needle, range, 9)), [round * 100]);
                assert_eq!(seqs(&page(&store, "<1>", range, 9)), [100]);
            }
        }
    }
}

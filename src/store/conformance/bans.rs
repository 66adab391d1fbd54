//! What every store of bans must do.

use crate::store::{Ban, Bans, Remembered, Source, WhichBans};
use crate::wire::UserName;
use std::net::IpAddr;
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An engine that is empty, and what keeps it alive.
pub(crate) trait BansUnderTest {
    fn with(run: impl FnOnce(&dyn Bans));
}

impl<T: Bans + Default> BansUnderTest for T {
    fn with(run: impl FnOnce(&dyn Bans)) {
        run(&Self::default());
    }
}

/// Runs the suite for one engine.
macro_rules! bans_conform {
    ($engine:ty) => {
        $crate::store::conformance::bans_conform!(
            $engine: the_newest_ban_of_a_source_counts, who_logs_in_is_known_and_not_banned,
            what_is_lifted_is_told_until_it_is_forgotten, what_is_old_is_forgotten
        );
    };
    ($engine:ty: $($check:ident),+) => {
        $(#[test]
        fn $check() {
            $crate::store::conformance::checks::bans::$check::<$engine>();
        })+
    };
}
pub(crate) use bans_conform;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn source(text: &str) -> Source {
    text.parse().unwrap()
}

/// A ban of `source`, for so many seconds after so many.
pub(crate) fn ban(text: &str, wait: u64, since: u64) -> Ban {
    Ban {
        source: source(text),
        wait: Duration::from_secs(wait),
        since: at(since),
    }
}

pub(crate) fn lift(store: &dyn Bans, which: WhichBans) -> u64 {
    let (done, told) = channel();
    store.lift(which, Box::new(move |result| done.send(result).unwrap()));
    told.recv().unwrap().unwrap()
}

/// What is remembered once all that was told is written.
pub(crate) fn remembered(store: &dyn Bans) -> Remembered {
    let nowhere = IpAddr::from([203, 0, 113, 255]);
    assert_eq!(lift(store, WhichBans::Address(nowhere)), 0);
    store.remembered().unwrap()
}

pub(crate) fn the_newest_ban_of_a_source_counts<E: BansUnderTest>() {
    E::with(|store| {
        assert_eq!(remembered(store), Remembered::default());
        store.ban(ban("192.0.2.1", 60, 1));
        store.ban(ban("192.0.2.1 李四", 60, 2));
        store.ban(ban("192.0.2.1", 120, 3));
        let expected = [ban("192.0.2.1", 120, 3), ban("192.0.2.1 李四", 60, 2)];
        assert_eq!(remembered(store).bans, expected);
    });
}

pub(crate) fn who_logs_in_is_known_and_not_banned<E: BansUnderTest>() {
    E::with(|store| {
        store.ban(ban("192.0.2.1 a", 60, 1));
        store.ban(ban("192.0.2.1", 60, 1));
        store.know(source("192.0.2.1 a"), at(2));
        store.know(source("2001:db8:: a"), at(2));
        store.know(source("192.0.2.1 a"), at(3));
        let expected = Remembered {
            bans: vec![ban("192.0.2.1", 60, 1)],
            known: vec![
                (source("192.0.2.1 a"), at(3)),
                (source("2001:db8:: a"), at(2)),
            ],
            lifted: Vec::new(),
        };
        assert_eq!(remembered(store), expected);
    });
}

pub(crate) fn what_is_lifted_is_told_until_it_is_forgotten<E: BansUnderTest>() {
    E::with(|store| {
        for text in ["192.0.2.1", "192.0.2.1 a", "192.0.2.2 a", "192.0.2.2 b"] {
            store.ban(ban(text, 60, 1));
        }
        let user = WhichBans::User(UserName::new("a").unwrap());
        assert_eq!(lift(store, user.clone()), 2);
        assert_eq!(lift(store, user), 0);
        let lifted = ["192.0.2.1 a", "192.0.2.2 a"].map(source);
        assert_eq!(store.lifted().unwrap(), lifted);
        assert_eq!(remembered(store).lifted, lifted);
        // Banned again, it is.
        store.ban(ban("192.0.2.2 a", 60, 9));
        store.forget_lifted(lifted.to_vec());
        let left = remembered(store);
        assert_eq!(left.lifted, []);
        assert_eq!(left.bans.len(), 3);
        assert_eq!(lift(store, WhichBans::Address([192, 0, 2, 2].into())), 2);
        assert_eq!(lift(store, WhichBans::All), 1);
        assert_eq!(remembered(store).bans, []);
    });
}

pub(crate) fn what_is_old_is_forgotten<E: BansUnderTest>() {
    E::with(|store| {
        for since in [1, 2, 3] {
            store.ban(ban(&format!("192.0.2.{since}"), 60, since));
            store.know(source(&format!("192.0.2.{since} a")), at(since));
        }
        store.forget_before(at(3), at(2));
        let left = remembered(store);
        assert_eq!(left.bans, [ban("192.0.2.3", 60, 3)]);
        let known = [2, 3].map(|since| (source(&format!("192.0.2.{since} a")), at(since)));
        assert_eq!(left.known, known);
    });
}

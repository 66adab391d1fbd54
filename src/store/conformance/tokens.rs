//! What every store of tokens must do.

use crate::session::SecretMark;
use crate::store::{IssuedToken, StoreError, Tokens, WhichTokens};
use crate::wire::{TokenHash, UserName};
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An engine that is empty, and what keeps it alive.
pub(crate) trait TokensUnderTest {
    fn with(run: impl FnOnce(&dyn Tokens));
}

impl<T: Tokens + Default> TokensUnderTest for T {
    fn with(run: impl FnOnce(&dyn Tokens)) {
        run(&Self::default());
    }
}

/// Runs the suite for one engine.
macro_rules! tokens_conform {
    ($engine:ty) => {
        $crate::store::conformance::tokens_conform!(
            $engine: what_is_issued_is_found_until_it_is_revoked, a_use_is_noted,
            the_longest_unused_goes_first, what_has_expired_goes, revoking_means_what_it_says
        );
    };
    ($engine:ty: $($check:ident),+) => {
        $(#[test]
        fn $check() {
            $crate::store::conformance::checks::tokens::$check::<$engine>();
        })+
    };
}
pub(crate) use tokens_conform;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn hash(number: u8) -> TokenHash {
    TokenHash([number; 32])
}

/// A token of `user`, issued after so many seconds and good for an hour.
pub(crate) fn token(number: u8, user: &str, issued: u64) -> IssuedToken {
    IssuedToken {
        hash: hash(number),
        user: UserName::new(user).unwrap(),
        mark: SecretMark([number; 32]),
        issued: at(issued),
        expires: at(issued + 3_600),
        used: at(issued),
    }
}

pub(crate) fn issue(store: &dyn Tokens, token: IssuedToken, most: usize) {
    let (done, told) = channel();
    store.issue(
        token,
        most,
        Box::new(move |result| done.send(result).unwrap()),
    );
    told.recv().unwrap().unwrap();
}

pub(crate) fn revoke(store: &dyn Tokens, which: WhichTokens) -> Result<u64, StoreError> {
    let (done, told) = channel();
    store.revoke(which, Box::new(move |result| done.send(result).unwrap()));
    told.recv().unwrap()
}

fn listed(store: &dyn Tokens, which: &WhichTokens) -> Vec<u8> {
    let tokens = store.list(which).unwrap();
    tokens.iter().map(|token| token.hash.0[0]).collect()
}

pub(crate) fn what_is_issued_is_found_until_it_is_revoked<E: TokensUnderTest>() {
    E::with(|store| {
        assert_eq!(store.find(&hash(1)).unwrap(), None);
        let first = token(1, "李四", 5);
        issue(store, first.clone(), 9);
        assert_eq!(store.find(&hash(1)).unwrap(), Some(first));
        assert_eq!(store.find(&hash(2)).unwrap(), None);
        assert_eq!(revoke(store, WhichTokens::One(hash(1))).unwrap(), 1);
        assert_eq!(store.find(&hash(1)).unwrap(), None);
        assert_eq!(revoke(store, WhichTokens::One(hash(1))).unwrap(), 0);
    });
}

pub(crate) fn a_use_is_noted<E: TokensUnderTest>() {
    E::with(|store| {
        issue(store, token(1, "a", 0), 9);
        store.touch(&hash(1), at(70));
        store.touch(&hash(2), at(80));
        // Made after the two.
        issue(store, token(3, "a", 90), 9);
        let found = store.find(&hash(1)).unwrap().unwrap();
        assert_eq!((found.used, found.issued), (at(70), at(0)));
        assert_eq!(store.find(&hash(2)).unwrap(), None);
    });
}

pub(crate) fn the_longest_unused_goes_first<E: TokensUnderTest>() {
    E::with(|store| {
        for (number, user) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
            issue(store, token(number, user, number.into()), 3);
        }
        store.touch(&hash(1), at(50));
        issue(store, token(5, "a", 60), 3);
        assert_eq!(listed(store, &WhichTokens::All), [1, 4, 5, 3]);
        issue(store, token(6, "a", 61), 1);
        assert_eq!(listed(store, &WhichTokens::All), [6, 3]);
    });
}

pub(crate) fn what_has_expired_goes<E: TokensUnderTest>() {
    E::with(|store| {
        issue(store, token(1, "a", 0), 9);
        issue(store, token(2, "a", 1), 9);
        issue(store, token(3, "b", 3_600), 9);
        assert_eq!(listed(store, &WhichTokens::All), [2, 3]);
    });
}

pub(crate) fn revoking_means_what_it_says<E: TokensUnderTest>() {
    E::with(|store| {
        for (number, user) in [(1, "a"), (2, "b"), (3, "a"), (4, "c")] {
            issue(store, token(number, user, number.into()), 9);
        }
        let a = WhichTokens::Of(UserName::new("a").unwrap());
        assert_eq!(listed(store, &a), [1, 3]);
        assert_eq!(listed(store, &WhichTokens::One(hash(4))), [4]);
        assert_eq!(revoke(store, a.clone()).unwrap(), 2);
        assert_eq!(revoke(store, a).unwrap(), 0);
        assert_eq!(listed(store, &WhichTokens::All), [2, 4]);
        assert_eq!(revoke(store, WhichTokens::All).unwrap(), 2);
        assert_eq!(listed(store, &WhichTokens::All), [0; 0]);
    });
}

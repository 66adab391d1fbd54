//! Tokens under a clock of their own.

use super::*;
use crate::gate::{hash_proof, proof};
use crate::session::Role;
use crate::store::{Done, MemoryTokens, MemoryUsers, Tokens, WhichTokens};
use crate::time::{Clock, Random};
use crate::wire::UserName;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

const DAY: u64 = 24 * 3_600;

fn account(secret: Secret) -> Account {
    Account {
        name: UserName::new("lisi").unwrap(),
        secret,
        role: Role::User,
    }
}

fn hashed(password: &str, seed: u64) -> Secret {
    hash_proof(&proof("salt", password), &Random::seeded(seed)).unwrap()
}

/// A gate with one account, under a clock that is set in seconds.
struct House {
    gate: Gate,
    users: Arc<MemoryUsers>,
    tokens: Arc<MemoryTokens>,
    now: Arc<AtomicU64>,
}

fn house(secret: Secret) -> House {
    let users = Arc::new(MemoryUsers::new([account(secret)]));
    let tokens = Arc::new(MemoryTokens::default());
    let now = Arc::new(AtomicU64::new(1_000_000));
    let seconds = Arc::clone(&now);
    let clock = Clock::from_fn(move || {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::Relaxed))
    });
    let gate = Gate::with(users.clone(), clock, Random::seeded(3)).with_tokens(tokens.clone());
    House {
        gate,
        users,
        tokens,
        now,
    }
}

fn issue(gate: &Gate, account: &Account) -> Option<Issued> {
    let (done, told) = channel();
    let hash = gate.issue(account, move |issued| done.send(issued).unwrap());
    let issued = told.recv().unwrap();
    if let Some(issued) = &issued {
        assert_eq!(hash, Some(issued.token.hash()));
    }
    issued
}

#[test]
fn a_token_opens_for_thirty_days_and_costs_no_hash() {
    let house = house(hashed("a", 1));
    let lisi = account(hashed("a", 1));
    let issued = issue(&house.gate, &lisi).unwrap();
    assert_eq!(issued.lifetime, Duration::from_secs(30 * DAY));
    let opened = house.gate.open(&issued.token).unwrap();
    assert_eq!((opened.account, opened.left), (lisi, issued.lifetime));
    house.now.fetch_add(30 * DAY - 1, Ordering::Relaxed);
    let left = house.gate.open(&issued.token).unwrap().left;
    assert_eq!(left, Duration::from_secs(1));
    house.now.fetch_add(1, Ordering::Relaxed);
    assert_eq!(house.gate.open(&issued.token), Err(Denied::Wrong));
    let unknown = Token::new([9; 32]);
    assert_eq!(house.gate.open(&unknown), Err(Denied::Wrong));
    assert_eq!(house.gate.hashes(), 0);
}

#[test]
fn two_tokens_are_never_the_same() {
    let house = house(hashed("a", 1));
    let lisi = account(hashed("a", 1));
    let one = issue(&house.gate, &lisi).unwrap();
    assert_ne!(issue(&house.gate, &lisi).unwrap(), one);
}

#[test]
fn a_token_ends_with_the_account_and_with_its_secret() {
    let house = house(hashed("a", 1));
    let token = issue(&house.gate, &account(hashed("a", 1))).unwrap().token;
    // The same password once more is another secret: somebody set it anew.
    for secret in [hashed("b", 1), hashed("a", 2)] {
        house.users.insert(account(secret));
        assert_eq!(house.gate.open(&token), Err(Denied::Wrong));
    }
    house.users.insert(account(hashed("a", 1)));
    assert!(house.gate.open(&token).is_ok());
    house.users.remove("lisi");
    assert_eq!(house.gate.open(&token), Err(Denied::Wrong));
}

#[test]
fn an_account_that_comes_back_does_not_bring_its_tokens_along() {
    let secret = || hashed("a", 1);
    let house = house(secret());
    let comes_back = |look: &dyn Fn(&Token)| {
        let token = issue(&house.gate, &account(secret())).unwrap().token;
        house.gate.review_tokens();
        assert!(house.gate.open(&token).is_ok());
        house.users.remove("lisi");
        look(&token);
        house.users.insert(account(secret()));
        house.gate.review_tokens();
        assert_eq!(house.gate.open(&token), Err(Denied::Wrong));
    };
    // Seen while it is away, by the look or by a login, or only afterwards.
    comes_back(&|_| house.gate.review_tokens());
    comes_back(&|token| assert_eq!(house.gate.open(token), Err(Denied::Wrong)));
    comes_back(&|_| {});
    assert_eq!(house.tokens.list(&WhichTokens::All).unwrap(), []);
}

#[test]
fn tokens_of_an_account_that_went_before_the_start_end() {
    let before = house(hashed("a", 1));
    issue(&before.gate, &account(hashed("a", 1))).unwrap();
    let start = |users: MemoryUsers| {
        let gate = Gate::new(Arc::new(users)).with_tokens(before.tokens.clone());
        gate.review_tokens();
        before.tokens.list(&WhichTokens::All).unwrap().len()
    };
    assert_eq!(start(MemoryUsers::new([account(hashed("a", 1))])), 1);
    assert_eq!(start(MemoryUsers::default()), 0);
}

#[test]
fn tokens_that_cannot_be_ended_are_ended_by_the_next_look() {
    let lisi = || account(hashed("a", 1));
    let users = Arc::new(MemoryUsers::new([lisi()]));
    let gate = Gate::new(users.clone()).with_tokens(Arc::new(Broken));
    users.remove("lisi");
    gate.review_tokens();
    users.insert(lisi());
    let tokens = Arc::new(MemoryTokens::default());
    let gate = gate.with_tokens(tokens.clone());
    issue(&gate, &lisi()).unwrap();
    gate.review_tokens();
    assert_eq!(tokens.list(&WhichTokens::All).unwrap(), []);
}

#[test]
fn a_login_in_the_course_s_form_gets_a_token_that_outlives_the_change() {
    let house = house(Secret::Md5(proof("salt", "a")));
    let admitted = house.gate.admit("lisi", &proof("salt", "a")).unwrap();
    let token = issue(&house.gate, &admitted).unwrap().token;
    assert!(house.gate.admit("lisi", &proof("salt", "a")).is_some());
    assert!(house.gate.open(&token).is_ok());
}

#[test]
fn there_is_no_token_under_the_course_s_form() {
    let secret = Secret::Md5(proof("salt", "a"));
    let house = house(secret.clone());
    assert_eq!(issue(&house.gate, &account(secret)), None);
    assert_eq!(house.tokens.list(&WhichTokens::All).unwrap(), []);
}

#[test]
fn a_use_is_noted_by_the_hour() {
    let house = house(hashed("a", 1));
    let token = issue(&house.gate, &account(hashed("a", 1))).unwrap().token;
    let used = || house.tokens.find(&token.hash()).unwrap().unwrap().used;
    let first = used();
    house.now.fetch_add(3_599, Ordering::Relaxed);
    house.gate.open(&token).unwrap();
    assert_eq!(used(), first);
    house.now.fetch_add(1, Ordering::Relaxed);
    house.gate.open(&token).unwrap();
    assert_eq!(used(), first + Duration::from_secs(3_600));
}

#[test]
fn a_revoked_token_opens_nothing_and_an_unknown_one_is_no_fault() {
    let house = house(hashed("a", 1));
    let token = issue(&house.gate, &account(hashed("a", 1))).unwrap().token;
    for _ in 0..2 {
        let (done, told) = channel();
        let tell = move |revoked: Result<(), StoreError>| done.send(revoked.is_ok()).unwrap();
        house.gate.revoke(token.hash(), tell);
        assert!(told.recv().unwrap());
        assert_eq!(house.gate.open(&token), Err(Denied::Wrong));
    }
}

/// Tokens on a disk that is full and can't be read.
struct Broken;

impl Tokens for Broken {
    fn issue(&self, _: IssuedToken, _: usize, done: Done<()>) {
        done(Err(StoreError::NoSpace));
    }
    fn find(&self, _: &TokenHash) -> Result<Option<IssuedToken>, StoreError> {
        Err(StoreError::Fenced)
    }
    fn touch(&self, _: &TokenHash, _: SystemTime) {}
    fn list(&self, _: &WhichTokens) -> Result<Vec<IssuedToken>, StoreError> {
        Err(StoreError::Fenced)
    }
    fn revoke(&self, _: WhichTokens, done: Done<u64>) {
        done(Err(StoreError::Fenced));
    }
}

#[test]
fn a_store_that_fails_gives_no_token_and_takes_none_away() {
    let users = Arc::new(MemoryUsers::new([account(hashed("a", 1))]));
    let gate = Gate::new(users).with_tokens(Arc::new(Broken));
    assert_eq!(issue(&gate, &account(hashed("a", 1))), None);
    assert_eq!(gate.open(&Token::new([1; 32])), Err(Denied::Unchecked));
}

//! Tokens at the gate: handed out to who showed a password, and what they open.
//!
//! A token is good for as long as its account has the secret that it was issued under, and that is
//! always an Argon2id string: a login turns the course's form into one before it issues anything,
//! so no such change can end a token later. Where that can't be done, there is no token; a
//! fingerprint of the course's form, which is quick to guess from, is never written down.

use super::{Denied, Gate};
use crate::store::{Account, IssuedToken, Secret, StoreError};
use crate::wire::{Token, TokenHash};
use std::time::{Duration, SystemTime};

/// How much later than last noted a token must be used for that to be noted.
const NOTED_EVERY: Duration = Duration::from_secs(3_600);

/// A token that was just issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The token. Nobody else has it, and it can't be had again.
    pub token: Token,
    /// How long it lasts.
    pub lifetime: Duration,
}

/// What a token opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The account.
    pub account: Account,
    /// How long the token lasts from now on.
    pub left: Duration,
}

impl Gate {
    /// Issues a token to who logged in as `account`. `done` gets it once it can be used, or `None`
    /// if there is none, and may be called on another thread. Returns which one it is to be.
    pub fn issue(
        &self,
        account: &Account,
        done: impl FnOnce(Option<Issued>) + Send + 'static,
    ) -> Option<TokenHash> {
        if !matches!(account.secret, Secret::Argon2(_)) {
            done(None);
            return None;
        }
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        let (token, now) = (Token::new(bytes), self.clock.now());
        let lifetime = self.token_lifetime;
        let hash = token.hash();
        let record = IssuedToken {
            hash,
            user: account.name.clone(),
            mark: account.secret.mark(),
            issued: now,
            expires: now + lifetime,
            used: now,
        };
        let kept = move |kept: Result<(), StoreError>| match kept {
            Ok(()) => done(Some(Issued { token, lifetime })),
            Err(error) => {
                // What is wrong with the store it has said itself, and logins may be many.
                tracing::debug!(%error, "a login gets no token");
                done(None);
            }
        };
        self.tokens.issue(record, self.max_tokens, Box::new(kept));
        Some(hash)
    }

    /// What `token` opens. Computes no password hash and counts for no wait: nobody guesses 256
    /// bits. May block.
    ///
    /// # Errors
    ///
    /// [`Denied::Wrong`] or [`Denied::Unchecked`].
    pub fn open(&self, token: &Token) -> Result<Opened, Denied> {
        let hash = token.hash();
        let found = self.tokens.find(&hash).map_err(|error| {
            tracing::error!(%error, "tokens can't be read");
            Denied::Unchecked
        })?;
        let now = self.clock.now();
        let opened = found.and_then(|found| {
            let left = found.expires.duration_since(now).ok();
            let left = left.filter(|left| !left.is_zero())?;
            let account = self.users.find(found.user.as_str())?;
            if account.secret.mark() != found.mark {
                return None;
            }
            if is_stale(found.used, now) {
                self.tokens.touch(&hash, now);
            }
            Some(Opened { account, left })
        });
        opened.ok_or_else(|| {
            tracing::debug!(id = hash.id(), "a token that opens nothing");
            Denied::Wrong
        })
    }

    /// Ends a token, if there is one with this hash; `done` is told once that is durable, perhaps
    /// on another thread. May block.
    pub fn revoke(
        &self,
        hash: TokenHash,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        // Looked for first: anybody may ask, and only what is there costs a sync.
        match self.tokens.find(&hash) {
            Ok(None) => done(Ok(())),
            Ok(Some(_)) => {
                let done =
                    Box::new(move |revoked: Result<u64, StoreError>| done(revoked.map(drop)));
                self.tokens
                    .revoke(crate::store::WhichTokens::One(hash), done);
            }
            Err(error) => done(Err(error)),
        }
    }
}

/// Whether a use now is to be noted, if the last one was noted for `used`.
fn is_stale(used: SystemTime, now: SystemTime) -> bool {
    now.duration_since(used).is_ok_and(|age| age >= NOTED_EVERY)
}

#[cfg(test)]
mod tests {
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
}

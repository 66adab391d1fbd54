//! Who is let in: proofs, their Argon2id form, tokens, the answer that tells nothing, and the wait
//! of those who guess.
//!
//! What a login means for a connection is left to [`crate::handler`]; how many run at once to the
//! server; where accounts, tokens and bans are kept to [`crate::store`].

mod hash;
mod throttle;
mod tokens;

pub use crate::wire::proof;
pub use hash::{HashError, hash_proof};
pub use tokens::{Issued, Opened};

use crate::config::Limits;
use crate::session::{Role, SecretMark};
use crate::store::{Account, Bans, MemoryBans, MemoryTokens, Secret, Tokens, Users};
use crate::time::{Clock, Random};
use crate::wire::UserName;
use hash::Hasher;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use throttle::{FORGIVEN_AFTER, KNOWN_FOR, Throttle};

/// Characters of a name that are logged of a login that failed.
const LOGGED_NAME: usize = 64;

/// Checks logins against a store of accounts.
pub struct Gate {
    users: Arc<dyn Users>,
    tokens: Arc<dyn Tokens>,
    bans: Arc<dyn Bans>,
    clock: Clock,
    random: Random,
    hasher: Hasher,
    throttle: Throttle,
    dummy: Secret,
    token_lifetime: Duration,
    max_tokens: usize,
    /// Which secret of the course's form became which Argon2id form since the start: they are the
    /// same password.
    upgrades: Mutex<HashMap<UserName, (SecretMark, SecretMark)>>,
}

/// Why a login was turned down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Wrong user, wrong password or a token that is good for nothing; which of them is not told.
    Wrong,
    /// Too many failures; nothing was checked. Worth another try after so long.
    Wait(Duration),
    /// It could not be checked; the log says why.
    Unchecked,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong => f.write_str("wrong user or wrong password"),
            Self::Wait(wait) => write!(
                f,
                "too many failed logins; try again in {} s",
                wait.as_millis().div_ceil(1_000)
            ),
            Self::Unchecked => f.write_str("the login can't be checked"),
        }
    }
}

impl std::error::Error for Denied {}

impl Gate {
    /// A gate before `users`.
    #[must_use]
    pub fn new(users: Arc<dyn Users>) -> Self {
        Self::with(users, Clock::system(), Random::system())
    }

    /// A gate before `users` that takes time and randomness from elsewhere. Tokens and bans are
    /// kept in memory, and the limits are the defaults.
    #[must_use]
    pub fn with(users: Arc<dyn Users>, clock: Clock, random: Random) -> Self {
        let limits = Limits::default();
        Self {
            users,
            tokens: Arc::new(MemoryTokens::default()),
            bans: Arc::new(MemoryBans::default()),
            dummy: Hasher::dummy(&random),
            clock,
            random,
            hasher: Hasher::default(),
            throttle: Throttle::new(&limits),
            token_lifetime: limits.token_lifetime,
            max_tokens: limits.max_tokens_per_user,
            upgrades: Mutex::default(),
        }
    }

    /// This gate, held to `limits`.
    #[must_use]
    pub fn with_limits(mut self, limits: &Limits) -> Self {
        self.throttle = Throttle::new(limits);
        self.token_lifetime = limits.token_lifetime;
        self.max_tokens = limits.max_tokens_per_user;
        self
    }

    /// This gate, keeping tokens in `tokens`.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<dyn Tokens>) -> Self {
        self.tokens = tokens;
        self
    }

    /// This gate, keeping bans in `bans`: those that it holds are in force. Blocks. Comes after the
    /// limits.
    #[must_use]
    pub fn with_bans(mut self, bans: Arc<dyn Bans>) -> Self {
        match bans.remembered() {
            Ok(remembered) => {
                bans.forget_lifted(remembered.lifted.clone());
                self.throttle.remember(remembered);
            }
            Err(error) => tracing::error!(%error, "who failed to log in before is not known"),
        }
        let longest = KNOWN_FOR.max(self.throttle.longest_wait() + FORGIVEN_AFTER);
        if let Some(before) = self.clock.now().checked_sub(longest) {
            bans.forget_before(before);
        }
        self.bans = bans;
        self
    }

    /// The account that `username` and `proof` open, unless somebody at `peer` failed too often of
    /// late. Computes a password hash.
    ///
    /// # Errors
    ///
    /// [`Denied::Wrong`], which counts as a failure, or [`Denied::Wait`], which does not.
    pub fn login(&self, peer: IpAddr, username: &str, proof: &str) -> Result<Account, Denied> {
        let attempt = self
            .throttle
            .check(peer, username, self.clock.now())
            .map_err(Denied::Wait)?;
        match self.admit(username, proof) {
            Some(account) => {
                if let Some((source, since)) = self.throttle.succeeded(attempt, self.clock.now()) {
                    self.bans.know(source, since);
                }
                Ok(account)
            }
            None => {
                // The form of this line is promised: see docs/operating.md.
                let (address, user) = (peer.to_canonical(), shortened(username));
                tracing::warn!(%address, user, "login failed");
                for ban in self.throttle.failed(attempt, self.clock.now()) {
                    self.bans.ban(ban);
                }
                Err(Denied::Wrong)
            }
        }
    }

    /// Takes note of bans that an operator has lifted. May block.
    pub fn review_bans(&self) {
        if !self.throttle.is_in_force() {
            return;
        }
        match self.bans.lifted() {
            Ok(lifted) if !lifted.is_empty() => {
                self.throttle.lift(&lifted);
                self.bans.forget_lifted(lifted);
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "which bans were lifted can't be read"),
        }
    }

    /// The account that `username` and `proof` open, if they do. Whatever the answer, one password
    /// hash is computed: a wrong user, a wrong password and a secret in either form take the same
    /// time, unless `users.txt` holds an Argon2id string that somebody made with other parameters.
    /// A secret in the course's form is replaced by its Argon2id form.
    #[must_use]
    pub fn admit(&self, username: &str, proof: &str) -> Option<Account> {
        let Some(account) = self.users.find(username) else {
            self.opens(self.dummy.as_str(), proof, username);
            return None;
        };
        match &account.secret {
            Secret::Argon2(secret) => self.opens(secret, proof, username).then_some(account),
            Secret::Md5(secret) => {
                if secret.as_bytes().ct_eq(proof.as_bytes()).into() {
                    self.upgrade(account, proof)
                } else {
                    self.opens(self.dummy.as_str(), proof, username);
                    None
                }
            }
        }
    }

    /// What `user`, who logged in under the secret with this `mark`, may do now; `None` if the
    /// account is gone or has another password. May block.
    #[must_use]
    pub fn standing(&self, user: &UserName, mark: SecretMark) -> Option<Role> {
        let account = self.users.find(user.as_str())?;
        let now = account.secret.mark();
        let is_same = now == mark || self.upgrades.lock().get(user) == Some(&(mark, now));
        is_same.then_some(account.role)
    }

    /// A number that changes when the accounts do. May block.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.users.revision()
    }

    /// How many password hashes were computed, whoever asked for them.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.hasher.computed()
    }

    fn opens(&self, secret: &str, proof: &str, username: &str) -> bool {
        self.hasher.matches(proof, secret).unwrap_or_else(|error| {
            let user = shortened(username);
            tracing::error!(user, %error, "a login could not be checked");
            false
        })
    }

    /// Replaces the secret of `account`, whose proof was right. That it can't be replaced never
    /// fails the login.
    fn upgrade(&self, account: Account, proof: &str) -> Option<Account> {
        let user = &account.name;
        let secret = match self.hasher.hash(proof, &self.random) {
            Ok(secret) => secret,
            Err(error) => {
                tracing::error!(%user, %error, "the account stays in the course's form");
                return Some(account);
            }
        };
        if let Err(error) = self.users.replace_secret(&account, &secret) {
            tracing::warn!(%user, %error, "the account stays in the course's form");
            return Some(account);
        }
        // Another login may have been first, or an operator: the store is asked what counts now.
        let now = self.users.find(user.as_str())?;
        if now.secret == secret {
            let marks = (account.secret.mark(), secret.mark());
            self.upgrades.lock().insert(account.name, marks);
            return Some(now);
        }
        let is_open = match &now.secret {
            Secret::Argon2(other) => self.opens(other, proof, user.as_str()),
            same => *same == account.secret,
        };
        is_open.then_some(now)
    }
}

/// As much of a name that somebody tried as a log should hold.
fn shortened(name: &str) -> &str {
    let end = name.char_indices().nth(LOGGED_NAME);
    end.map_or(name, |(end, _)| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MemoryUsers, StoreError};
    use std::net::Ipv4Addr;
    use std::time::SystemTime;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn account(name: &str, secret: Secret) -> Account {
        Account {
            name: UserName::new(name).unwrap(),
            secret,
            role: Role::User,
        }
    }

    fn gate(users: impl Users + 'static) -> Gate {
        let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH);
        Gate::with(Arc::new(users), clock, Random::seeded(7))
    }

    fn right() -> String {
        proof("salt", "password")
    }

    /// One account in each form.
    fn both_forms() -> MemoryUsers {
        let hashed = hash_proof(&right(), &Random::seeded(1)).unwrap();
        MemoryUsers::new([account("new", hashed), account("old", Secret::Md5(right()))])
    }

    #[test]
    fn the_right_proof_opens_either_form() {
        let gate = gate(both_forms());
        for name in ["new", "old", "old"] {
            let admitted = gate.login(HOME, name, &right()).unwrap();
            assert_eq!(admitted.name.as_str(), name);
            assert_eq!(admitted.secret.form(), "argon2id");
        }
    }

    #[test]
    fn whatever_is_wrong_costs_one_hash_and_tells_the_same() {
        let gate = gate(both_forms());
        let wrong = proof("salt", "passwort");
        let upper = right().to_uppercase();
        for (name, proof) in [
            ("new", wrong.as_str()),
            ("old", wrong.as_str()),
            ("nobody", wrong.as_str()),
            ("nobody", &right()),
            ("new", ""),
            ("old", &upper),
            ("", ""),
        ] {
            let before = gate.hashes();
            assert_eq!(gate.login(HOME, name, proof), Err(Denied::Wrong), "{name}");
            assert_eq!(gate.hashes(), before + 1, "{name}");
        }
        // As does the login that replaces the course's form.
        let before = gate.hashes();
        assert!(gate.login(HOME, "old", &right()).is_ok());
        assert_eq!(gate.hashes(), before + 1);
    }

    #[test]
    fn after_five_failures_even_the_right_proof_waits_and_costs_nothing() {
        let gate = gate(both_forms());
        for _ in 0..5 {
            assert_eq!(gate.login(HOME, "new", "x"), Err(Denied::Wrong));
        }
        let hashes = gate.hashes();
        let wait = Denied::Wait(Duration::from_secs(60));
        assert_eq!(gate.login(HOME, "new", &right()), Err(wait));
        assert_eq!(gate.hashes(), hashes);
        let elsewhere = IpAddr::from([192, 0, 2, 1]);
        assert!(gate.login(elsewhere, "new", &right()).is_ok());
    }

    /// Accounts on a disk that is full.
    struct Full(MemoryUsers);

    impl Users for Full {
        fn find(&self, name: &str) -> Option<Account> {
            self.0.find(name)
        }
        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
        fn revision(&self) -> u64 {
            self.0.revision()
        }
        fn replace_secret(&self, _: &Account, _: &Secret) -> Result<(), StoreError> {
            Err(StoreError::NoSpace)
        }
    }

    #[test]
    fn a_failed_replacement_fails_no_login() {
        let gate = gate(Full(both_forms()));
        let admitted = gate.login(HOME, "old", &right()).unwrap();
        assert_eq!(admitted.secret, Secret::Md5(right()));
    }

    #[test]
    fn a_damaged_secret_opens_to_nothing() {
        let damaged = Secret::Argon2("$argon2id$damaged".to_owned());
        let gate = gate(MemoryUsers::new([account("a", damaged)]));
        assert_eq!(gate.login(HOME, "a", ""), Err(Denied::Wrong));
    }

    #[test]
    fn a_live_login_ends_with_its_account_or_its_password() {
        let users = Arc::new(MemoryUsers::new([account("old", Secret::Md5(right()))]));
        let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH);
        let gate = Gate::with(users.clone(), clock, Random::seeded(7));
        let old = UserName::new("old").unwrap();
        let standing = |secret: &Secret| gate.standing(&old, secret.mark());
        let before = Secret::Md5(right());
        assert_eq!(standing(&before), Some(Role::User));
        let revision = gate.revision();
        let after = gate.login(HOME, "old", &right()).unwrap().secret;
        // The same password in another form.
        assert_ne!(gate.revision(), revision);
        assert_eq!(standing(&before), Some(Role::User));
        assert_eq!(standing(&after), Some(Role::User));
        let admin = Account {
            role: Role::Admin,
            ..account("old", after.clone())
        };
        users.insert(admin);
        assert_eq!(standing(&after), Some(Role::Admin));
        users.insert(account("old", Secret::Md5(proof("salt", "other"))));
        assert_eq!(standing(&before), None);
        assert_eq!(standing(&after), None);
        users.remove("old");
        assert_eq!(standing(&after), None);
    }

    /// Accounts of which one gets another password just when it is to be upgraded.
    struct Overtaken(MemoryUsers, &'static str);

    impl Users for Overtaken {
        fn find(&self, name: &str) -> Option<Account> {
            self.0.find(name)
        }
        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
        fn revision(&self) -> u64 {
            self.0.revision()
        }
        fn replace_secret(&self, account: &Account, _: &Secret) -> Result<(), StoreError> {
            let secret = hash_proof(&proof("salt", self.1), &Random::seeded(9)).unwrap();
            self.0.insert(Account {
                secret,
                ..account.clone()
            });
            Ok(())
        }
    }

    #[test]
    fn a_password_that_was_changed_meanwhile_counts() {
        let same = gate(Overtaken(both_forms(), "password"));
        assert!(same.admit("old", &right()).is_some());
        let other = gate(Overtaken(both_forms(), "other"));
        assert_eq!(other.admit("old", &right()), None);
    }

    #[test]
    fn bans_outlive_the_gate_until_they_are_lifted() {
        let bans = Arc::new(MemoryBans::default());
        let fresh = || gate(both_forms()).with_bans(bans.clone());
        let first = fresh();
        for _ in 0..5 {
            assert_eq!(first.login(HOME, "new", "x"), Err(Denied::Wrong));
        }
        let (wait, second) = (Denied::Wait(Duration::from_secs(60)), fresh());
        assert_eq!(second.login(HOME, "new", &right()), Err(wait));
        let done = Box::new(|lifted: Result<u64, StoreError>| assert_eq!(lifted.unwrap(), 1));
        bans.lift(crate::store::WhichBans::All, done);
        assert_eq!(second.login(HOME, "new", &right()), Err(wait));
        second.review_bans();
        assert!(second.login(HOME, "new", &right()).is_ok());
        assert_eq!(bans.lifted().unwrap(), []);
        // Who logged in is known after a restart.
        assert_eq!(bans.remembered().unwrap().known.len(), 1);
    }

    #[test]
    fn a_name_is_logged_up_to_a_length() {
        assert_eq!(shortened("李四"), "李四");
        assert_eq!(shortened(&"李".repeat(65)), "李".repeat(64));
    }
}

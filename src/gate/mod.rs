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
use std::time::{Duration, SystemTime};
use subtle::ConstantTimeEq;
use throttle::{FORGIVEN_AFTER, KNOWN_FOR, Throttle};
use tokens::Gone;

/// Characters of a name that are logged of a login that failed.
const LOGGED_NAME: usize = 64;

/// How often old bans are forgotten.
const TIDIED_EVERY: Duration = Duration::from_secs(3_600);

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
    /// Which secret of the course's form became which Argon2id form since the start, or may just be
    /// becoming it: they are the same password.
    upgrades: Mutex<HashMap<UserName, Vec<Upgrade>>>,
    /// Whose tokens are to be ended, since their accounts went.
    gone: Gone,
    /// When old bans were last forgotten.
    tidied: Mutex<SystemTime>,
}

/// The marks of one password's secret in the course's form and in its Argon2id form.
type Upgrade = (SecretMark, SecretMark);

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
            gone: Gone::default(),
            tidied: Mutex::new(SystemTime::UNIX_EPOCH),
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
                self.throttle.remember(remembered, self.clock.now());
            }
            Err(error) => tracing::error!(%error, "who failed to log in before is not known"),
        }
        self.bans = bans;
        self.forget_old_bans();
        self
    }

    /// Has the store forget what does not matter any more, once in a while.
    fn forget_old_bans(&self) {
        let now = self.clock.now();
        let mut tidied = self.tidied.lock();
        let age = now.duration_since(*tidied).unwrap_or_default();
        if age < TIDIED_EVERY {
            return;
        }
        *tidied = now;
        drop(tidied);
        let before = |age: Duration| now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let banned = before(self.throttle.longest_wait() + FORGIVEN_AFTER);
        self.bans.forget_before(banned, before(KNOWN_FOR));
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
                // The form of this line is promised: see docs/fail2ban.md.
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
        self.forget_old_bans();
        if !self.throttle.is_in_force(self.clock.now()) {
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
        let became = |upgrades: &Vec<Upgrade>| upgrades.contains(&(mark, now));
        let is_same = now == mark || self.upgrades.lock().get(user).is_some_and(became);
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
        // Noted first: whoever looks at the accounts the moment after must know it is no other
        // password.
        let marks = (account.secret.mark(), secret.mark());
        self.note_upgrade(user, marks);
        if let Err(error) = self.users.replace_secret(&account, &secret) {
            self.forget_upgrade(user, marks);
            tracing::warn!(%user, %error, "the account stays in the course's form");
            return Some(account);
        }
        // Another login may have been first, or an operator: the store is asked what counts now.
        let now = self.users.find(user.as_str())?;
        if now.secret == secret {
            return Some(now);
        }
        let is_open = match &now.secret {
            Secret::Argon2(other) => self.opens(other, proof, user.as_str()),
            same => *same == account.secret,
        };
        is_open.then_some(now)
    }

    fn note_upgrade(&self, user: &UserName, marks: Upgrade) {
        let mut upgrades = self.upgrades.lock();
        let of_user = upgrades.entry(user.clone()).or_default();
        // Those of other passwords are past. Of this one there may be more: logins at the same time
        // each make a form, and the first counts.
        of_user.retain(|(before, _)| *before == marks.0);
        of_user.push(marks);
    }

    fn forget_upgrade(&self, user: &UserName, marks: Upgrade) {
        let mut upgrades = self.upgrades.lock();
        if let Some(of_user) = upgrades.get_mut(user) {
            of_user.retain(|noted| *noted != marks);
            if of_user.is_empty() {
                upgrades.remove(user);
            }
        }
    }
}

/// As much of a name that somebody tried as a log should hold.
fn shortened(name: &str) -> &str {
    let end = name.char_indices().nth(LOGGED_NAME);
    end.map_or(name, |(end, _)| &name[..end])
}

#[cfg(test)]
mod tests;

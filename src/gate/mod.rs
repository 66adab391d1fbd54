//! Who is let in: proofs, their Argon2id form, the answer that tells nothing, and the wait of those
//! who guess.
//!
//! What a login means for a connection is left to [`crate::handler`]; how many run at once to the
//! server; where accounts are kept to [`crate::store`].

mod hash;
mod throttle;

pub use crate::wire::proof;
pub use hash::{HashError, hash_proof};

use crate::store::{Account, Secret, Users};
use crate::time::{Clock, Random};
use hash::Hasher;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use throttle::Throttle;

/// Checks logins against a store of accounts.
pub struct Gate {
    users: Arc<dyn Users>,
    clock: Clock,
    random: Random,
    hasher: Hasher,
    throttle: Throttle,
    dummy: Secret,
}

/// Why a login was turned down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Wrong user or wrong password; which of the two is not told.
    Wrong,
    /// Too many failures; nothing was checked. Worth another try after so long.
    Wait(Duration),
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

    /// A gate before `users` that takes time and randomness from elsewhere.
    #[must_use]
    pub fn with(users: Arc<dyn Users>, clock: Clock, random: Random) -> Self {
        Self {
            users,
            dummy: Hasher::dummy(&random),
            clock,
            random,
            hasher: Hasher::default(),
            throttle: Throttle::new(),
        }
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
                self.throttle.succeeded(attempt, self.clock.now());
                Ok(account)
            }
            None => {
                self.throttle.failed(attempt, self.clock.now());
                Err(Denied::Wrong)
            }
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
                    Some(self.upgrade(account, proof))
                } else {
                    self.opens(self.dummy.as_str(), proof, username);
                    None
                }
            }
        }
    }

    /// How many password hashes were computed, whoever asked for them.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.hasher.computed()
    }

    fn opens(&self, secret: &str, proof: &str, username: &str) -> bool {
        self.hasher.matches(proof, secret).unwrap_or_else(|error| {
            tracing::error!(user = ?username, %error, "a login could not be checked");
            false
        })
    }

    /// Replaces the secret of `account`, whose proof was right. Never fails the login.
    fn upgrade(&self, account: Account, proof: &str) -> Account {
        let user = &account.name;
        let secret = match self.hasher.hash(proof, &self.random) {
            Ok(secret) => secret,
            Err(error) => {
                tracing::error!(%user, %error, "the account stays in the course's form");
                return account;
            }
        };
        match self.users.replace_secret(&account, &secret) {
            // Another login may have been first, so the store is asked what counts now.
            Ok(()) => self.users.find(user.as_str()).unwrap_or(account),
            Err(error) => {
                tracing::warn!(%user, %error, "the account stays in the course's form");
                account
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Role;
    use crate::store::{MemoryUsers, StoreError};
    use crate::wire::UserName;
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
}

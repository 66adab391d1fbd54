//! The gate over accounts in memory. Tokens and the throttle are tested beside their code.

use super::*;
use crate::store::{MemoryUsers, StoreError};
use std::net::Ipv4Addr;

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
    fn take_gone(&self) -> Vec<UserName> {
        self.0.take_gone()
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
    assert!(gate.upgrades.lock().is_empty(), "nothing became of it");
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

/// Accounts that are looked at the moment a secret has been replaced.
struct Watched {
    users: MemoryUsers,
    look: Mutex<Box<dyn FnMut() + Send>>,
}

impl Users for Watched {
    fn find(&self, name: &str) -> Option<Account> {
        self.users.find(name)
    }
    fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
    fn revision(&self) -> u64 {
        self.users.revision()
    }
    fn take_gone(&self) -> Vec<UserName> {
        self.users.take_gone()
    }
    fn replace_secret(&self, account: &Account, secret: &Secret) -> Result<(), StoreError> {
        self.users.replace_secret(account, secret)?;
        self.look.lock()();
        Ok(())
    }
}

#[test]
fn a_look_while_the_secret_changes_its_form_ends_no_live_login() {
    let users = Arc::new(Watched {
        users: both_forms(),
        look: Mutex::new(Box::new(|| {})),
    });
    let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH);
    let gate = Arc::new(Gate::with(users.clone(), clock, Random::seeded(7)));
    let (old, mark) = (UserName::new("old").unwrap(), Secret::Md5(right()).mark());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (watching, looks) = (Arc::downgrade(&gate), Arc::clone(&seen));
    *users.look.lock() = Box::new(move || {
        let gate = watching.upgrade().unwrap();
        let name = UserName::new("old").unwrap();
        looks.lock().push(gate.standing(&name, mark));
    });
    assert!(gate.login(HOME, "old", &right()).is_ok());
    assert_eq!(*seen.lock(), [Some(Role::User)]);
    assert_eq!(gate.standing(&old, mark), Some(Role::User));
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
    fn take_gone(&self) -> Vec<UserName> {
        self.0.take_gone()
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

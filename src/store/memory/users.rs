//! Accounts in memory, gone with the process: for tests and simulations.

use crate::store::{Account, Secret, StoreError, Users};
use crate::wire::UserName;
use parking_lot::RwLock;
use std::collections::{HashMap, HashSet};

/// A store of accounts that touches no disk.
#[derive(Debug, Default)]
pub struct MemoryUsers(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    accounts: HashMap<UserName, Account>,
    revision: u64,
    gone: HashSet<UserName>,
}

impl MemoryUsers {
    /// A store that holds `accounts`; of two with one name the last counts.
    #[must_use]
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Self {
        let by_name = |account: Account| (account.name.clone(), account);
        Self(RwLock::new(State {
            accounts: accounts.into_iter().map(by_name).collect(),
            ..State::default()
        }))
    }

    /// Adds `account`, in place of one with the same name.
    pub fn insert(&self, account: Account) {
        let mut state = self.0.write();
        state.accounts.insert(account.name.clone(), account);
        state.revision += 1;
    }

    /// Removes the account called `name`, if there is one.
    pub fn remove(&self, name: &str) {
        let mut state = self.0.write();
        let gone = state.accounts.remove(name);
        state.gone.extend(gone.map(|account| account.name));
        state.revision += 1;
    }
}

impl Users for MemoryUsers {
    fn find(&self, name: &str) -> Option<Account> {
        self.0.read().accounts.get(name).cloned()
    }

    fn is_empty(&self) -> bool {
        self.0.read().accounts.is_empty()
    }

    fn revision(&self) -> u64 {
        self.0.read().revision
    }

    fn take_gone(&self) -> Vec<UserName> {
        self.0.write().gone.drain().collect()
    }

    fn replace_secret(&self, account: &Account, secret: &Secret) -> Result<(), StoreError> {
        let mut state = self.0.write();
        if let Some(present) = state.accounts.get_mut(account.name.as_str())
            && present.secret == account.secret
        {
            present.secret = secret.clone();
            state.revision += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::users::conformance;

    #[test]
    fn it_keeps_accounts_as_every_engine_does() {
        conformance::check(|accounts| MemoryUsers::new(accounts.to_vec()));
    }

    #[test]
    fn accounts_come_and_go() {
        let users = MemoryUsers::default();
        let account = conformance::account("a", conformance::md5('1'), crate::session::Role::User);
        users.insert(account.clone());
        assert_eq!(users.find("a"), Some(account));
        assert_eq!(users.take_gone(), []);
        users.remove("a");
        assert!(users.is_empty());
        users.insert(conformance::account(
            "a",
            conformance::md5('1'),
            crate::session::Role::User,
        ));
        let gone = users.take_gone();
        assert_eq!(gone, [UserName::new("a").unwrap()], "though it is back");
        assert_eq!(users.take_gone(), []);
    }
}

//! Accounts: what a store of them promises. The engines are `users_file` (`users.txt`) and `memory`.

use super::StoreError;
use crate::session::Role;
use crate::wire::UserName;
use std::fmt;

/// What proves that somebody is who they say.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The course's form: the MD5 proof itself, 32 lower-case hex digits. Password-equivalent.
    Md5(String),
    /// An Argon2id string (PHC format) of the MD5 proof.
    Argon2(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5(_) => "Md5(…)",
            Self::Argon2(_) => "Argon2(…)",
        })
    }
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: UserName,
    /// Its secret.
    pub secret: Secret,
    /// What it may do; never [`Role::Guest`].
    pub role: Role,
}

/// A store of accounts.
pub trait Users: Send + Sync {
    /// The account called `name`. May read the disk.
    fn find(&self, name: &str) -> Option<Account>;

    /// Whether there is no account at all.
    fn is_empty(&self) -> bool;

    /// Replaces `account`'s secret by `secret`, if it is still what `account` says. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the old secret then stays.
    fn replace_secret(&self, account: &Account, secret: &Secret) -> Result<(), StoreError>;
}

//! Accounts: what a store of them promises. The engines are `users_file` (`users.txt`) and
//! `memory_users`.

use super::StoreError;
use crate::session::{Role, SecretMark};
use crate::wire::UserName;
use sha2::{Digest, Sha256};
use std::fmt;

/// What proves that somebody is who they say.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The course's form: the MD5 proof itself, 32 lower-case hex digits. Password-equivalent.
    Md5(String),
    /// An Argon2id string (PHC format) of the MD5 proof.
    Argon2(String),
}

impl Secret {
    /// The secret as it stands in `users.txt`. Never to be shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Md5(text) | Self::Argon2(text) => text,
        }
    }

    /// A fingerprint by which it is known again. Of an Argon2id string, which has a random salt, it
    /// tells nothing; of the course's form it is only ever held in memory.
    #[must_use]
    pub fn mark(&self) -> SecretMark {
        SecretMark(Sha256::digest(self.as_str()).into())
    }

    /// Which form it has, as an operator reads it: `md5` or `argon2id`.
    #[must_use]
    pub const fn form(&self) -> &'static str {
        match self {
            Self::Md5(_) => "md5",
            Self::Argon2(_) => "argon2id",
        }
    }
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

    /// A number that changes when what [`find`](Self::find) says does. May read the disk.
    fn revision(&self) -> u64;

    /// The names of the accounts that went since the last call, those among them that are back
    /// again. An account that [`find`](Self::find) has seen all the time did not go. May read the
    /// disk.
    fn take_gone(&self) -> Vec<UserName>;

    /// Replaces `account`'s secret by `secret`, if it is still what `account` says. Blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the old secret then stays.
    fn replace_secret(&self, account: &Account, secret: &Secret) -> Result<(), StoreError>;
}

/// What every engine must do alike.
#[cfg(test)]
pub(super) mod conformance {
    use super::*;

    pub(in crate::store) const PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
        QUFBQUFBQUFBQUFBQUFBQQ$QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI";

    pub(in crate::store) fn account(name: &str, secret: Secret, role: Role) -> Account {
        Account {
            name: UserName::new(name).unwrap(),
            secret,
            role,
        }
    }

    pub(in crate::store) fn md5(digit: char) -> Secret {
        Secret::Md5(digit.to_string().repeat(32))
    }

    /// Runs the suite over an engine that `make` fills with the accounts given.
    pub(in crate::store) fn check<U: Users>(make: impl Fn(&[Account]) -> U) {
        assert!(make(&[]).is_empty());
        assert_eq!(make(&[]).find("zhangsan"), None);

        let zhangsan = account("zhangsan", md5('a'), Role::User);
        let lisi = account("李四", Secret::Argon2(PHC.to_owned()), Role::Admin);
        let users = make(&[zhangsan.clone(), lisi.clone()]);
        assert!(!users.is_empty());
        assert_eq!(users.find("zhangsan"), Some(zhangsan.clone()));
        assert_eq!(users.find("李四"), Some(lisi.clone()));
        for absent in ["Zhangsan", "zhangsan ", "", "#", "zhangsan|", "\0"] {
            assert_eq!(users.find(absent), None, "{absent:?}");
        }

        let revision = users.revision();
        assert_eq!(users.revision(), revision);
        let stronger = Secret::Argon2(PHC.to_owned());
        users.replace_secret(&zhangsan, &stronger).unwrap();
        let upgraded = account("zhangsan", stronger, Role::User);
        assert_eq!(users.find("zhangsan"), Some(upgraded.clone()));
        assert_ne!(users.revision(), revision);
        assert_eq!(users.find("李四"), Some(lisi));

        // What is no longer as the caller saw it stays as it is.
        users.replace_secret(&zhangsan, &md5('b')).unwrap();
        assert_eq!(users.find("zhangsan"), Some(upgraded));
        let nobody = account("nobody", md5('a'), Role::User);
        users.replace_secret(&nobody, &md5('b')).unwrap();
        assert_eq!(users.find("nobody"), None);
    }
}

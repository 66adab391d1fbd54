//! Tokens: what a store of them promises. The engines are `database` (lasting), a second
//! connection to the same file for the operator's commands, and `memory`.
//!
//! Only hashes are kept. Whether a token still opens anything is left to [`crate::gate`].

use super::StoreError;
use crate::session::SecretMark;
use crate::wire::{TokenHash, UserName};
use std::time::SystemTime;

/// What is kept of one token. Times are kept to the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// Which one it is.
    pub hash: TokenHash,
    /// Who logs in with it.
    pub user: UserName,
    /// The secret that the account had then.
    pub mark: SecretMark,
    /// When it was issued.
    pub issued: SystemTime,
    /// When it ends.
    pub expires: SystemTime,
    /// When it was last used, not to the minute.
    pub used: SystemTime,
}

/// Which tokens are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichTokens {
    /// This one.
    One(TokenHash),
    /// All of one user.
    Of(UserName),
    /// All there are.
    All,
}

impl WhichTokens {
    /// Whether `token` is meant.
    #[must_use]
    pub fn means(&self, token: &IssuedToken) -> bool {
        match self {
            Self::One(hash) => token.hash == *hash,
            Self::Of(user) => token.user == *user,
            Self::All => true,
        }
    }
}

/// Who is told how it ended. Called once, perhaps on the store's own thread: must not block.
pub type Done<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// A store of tokens. One that has expired may go at any time.
pub trait Tokens: Send + Sync {
    /// Keeps `token`; `done` is told once that is durable. Of its user's tokens those longest
    /// unused go, so that no more than `most` are left, and with them whatever had expired when
    /// this one was issued.
    fn issue(&self, token: IssuedToken, most: usize, done: Done<()>);

    /// The token with this hash. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that can't be read.
    fn find(&self, hash: &TokenHash) -> Result<Option<IssuedToken>, StoreError>;

    /// Notes that a token was used. Returns at once; where it can't be noted nothing is lost.
    fn touch(&self, hash: &TokenHash, time: SystemTime);

    /// Those meant by `which`, by user and then by when they were issued. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if they can't be read.
    fn list(&self, which: &WhichTokens) -> Result<Vec<IssuedToken>, StoreError>;

    /// Ends those meant by `which`; `done` is told how many there were once that is durable.
    fn revoke(&self, which: WhichTokens, done: Done<u64>);
}

//! Tokens at the gate: handed out to who showed a password, and what they open.
//!
//! A token is good for as long as its account has the secret that it was issued under, and that is
//! always an Argon2id string: a login turns the course's form into one before it issues anything,
//! so no such change can end a token later. Where that can't be done, there is no token; a
//! fingerprint of the course's form, which is quick to guess from, is never written down.
//!
//! An account that goes takes its tokens along: should it come back with the same secret, whoever
//! was kept out needs the password.

use super::{Denied, Gate};
use crate::store::{Account, IssuedToken, Secret, StoreError, WhichTokens};
use crate::wire::{Token, TokenHash, UserName};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::mem::take;
use std::sync::Arc;
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

/// Whose tokens are to be ended.
#[derive(Default)]
pub(super) struct Gone(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    users: HashSet<UserName>,
    /// Whether it was looked for accounts that went before the start.
    has_looked_back: bool,
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
            let Some(account) = self.users.find(found.user.as_str()) else {
                self.end_tokens(found.user);
                return None;
            };
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

    /// Ends the tokens of accounts that went since the last look; at the first, of all that are not
    /// there. May block.
    pub fn review_tokens(&self) {
        let (mut users, has_looked_back) = {
            let mut state = self.gone.0.lock();
            (take(&mut state.users), state.has_looked_back)
        };
        users.extend(self.users.take_gone());
        if !has_looked_back {
            match self.tokens.list(&WhichTokens::All) {
                Ok(tokens) => {
                    let owners: HashSet<_> = tokens.into_iter().map(|token| token.user).collect();
                    let is_gone = |user: &UserName| self.users.find(user.as_str()).is_none();
                    users.extend(owners.into_iter().filter(is_gone));
                    self.gone.0.lock().has_looked_back = true;
                }
                Err(error) => tracing::debug!(%error, "tokens can't be read"),
            }
        }
        for user in users {
            self.end_tokens(user);
        }
    }

    /// Ends the tokens of `user`, whose account went. Where that fails it is left to the next look.
    fn end_tokens(&self, user: UserName) {
        let which = WhichTokens::Of(user.clone());
        // Looked for first: only what is there costs a sync.
        if let Ok(tokens) = self.tokens.list(&which)
            && tokens.is_empty()
        {
            return;
        }
        let gone = Arc::clone(&self.gone.0);
        let done = move |revoked: Result<u64, StoreError>| match revoked {
            Ok(ended) => tracing::info!(%user, ended, "tokens ended with their account"),
            Err(error) => {
                tracing::debug!(%user, %error, "tokens outlive their account");
                gone.lock().users.insert(user);
            }
        };
        self.tokens.revoke(which, Box::new(done));
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
                self.tokens.revoke(WhichTokens::One(hash), done);
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
mod tests;

//! Tokens in memory, gone with the process.

use crate::store::{Done, IssuedToken, StoreError, Tokens, WhichTokens};
use crate::wire::TokenHash;
use parking_lot::Mutex;
use std::time::SystemTime;

/// A store of tokens that touches no disk.
#[derive(Debug, Default)]
pub struct MemoryTokens(Mutex<Vec<IssuedToken>>);

impl Tokens for MemoryTokens {
    fn issue(&self, token: IssuedToken, most: usize, done: Done<()>) {
        let mut tokens = self.0.lock();
        tokens.retain(|it| it.expires > token.issued);
        let mut of_user: Vec<_> = tokens.iter().filter(|it| it.user == token.user).collect();
        of_user.sort_by_key(|it| std::cmp::Reverse(it.used));
        let beyond = of_user.iter().skip(most.saturating_sub(1));
        let beyond: Vec<_> = beyond.map(|it| it.hash).collect();
        tokens.retain(|it| !beyond.contains(&it.hash));
        tokens.push(token);
        drop(tokens);
        done(Ok(()));
    }

    fn find(&self, hash: &TokenHash) -> Result<Option<IssuedToken>, StoreError> {
        let tokens = self.0.lock();
        Ok(tokens.iter().find(|token| token.hash == *hash).cloned())
    }

    fn touch(&self, hash: &TokenHash, time: SystemTime) {
        let mut tokens = self.0.lock();
        for token in tokens.iter_mut().filter(|token| token.hash == *hash) {
            token.used = time;
        }
    }

    fn list(&self, which: &WhichTokens) -> Result<Vec<IssuedToken>, StoreError> {
        let tokens = self.0.lock();
        let mut meant: Vec<_> = tokens
            .iter()
            .filter(|it| which.means(it))
            .cloned()
            .collect();
        drop(tokens);
        meant.sort_by(|a, b| (&a.user, a.issued).cmp(&(&b.user, b.issued)));
        Ok(meant)
    }

    fn revoke(&self, which: WhichTokens, done: Done<u64>) {
        let mut tokens = self.0.lock();
        let before = tokens.len();
        tokens.retain(|token| !which.means(token));
        let revoked = (before - tokens.len()) as u64;
        drop(tokens);
        done(Ok(revoked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::store::conformance::tokens_conform!(MemoryTokens);
}

//! The lasting engine of [`Tokens`]: a table beside the messages, written in their commits.

use super::Database;
use crate::session::SecretMark;
use crate::store::{Done, IssuedToken, StoreError, Tokens, WhichTokens};
use crate::wire::{TokenHash, UserName};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, params};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that RFC 3339 can write, since 1970.
const MAX_SECONDS: u64 = 253_402_300_799;

const COLUMNS: &str = "hash, user, mark, issued, expires, used";

impl Tokens for Database {
    fn issue(&self, token: IssuedToken, most: usize, done: Done<()>) {
        self.write(move |change| Ok(issue(change, &token, most)?), done);
    }

    fn find(&self, hash: &TokenHash) -> std::result::Result<Option<IssuedToken>, StoreError> {
        self.read(|db| find(db, hash))
    }

    fn touch(&self, hash: &TokenHash, time: SystemTime) {
        let hash = *hash;
        self.write(move |change| Ok(touch(change, &hash, time)?), drop);
    }

    fn list(&self, which: &WhichTokens) -> std::result::Result<Vec<IssuedToken>, StoreError> {
        self.read(|db| list(db, which))
    }

    fn revoke(&self, which: WhichTokens, done: Done<u64>) {
        self.write(move |change| Ok(revoke(change, &which)?), done);
    }
}

pub(super) fn issue(db: &Connection, token: &IssuedToken, most: usize) -> Result<()> {
    db.prepare_cached("DELETE FROM token WHERE expires <= ?1")?
        .execute([seconds(token.issued)])?;
    let beyond = "DELETE FROM token WHERE id IN (SELECT id FROM token WHERE user = ?1
         ORDER BY used DESC, id DESC LIMIT -1 OFFSET ?2)";
    let left = i64::try_from(most.saturating_sub(1)).unwrap_or(i64::MAX);
    db.prepare_cached(beyond)?
        .execute(params![token.user.as_str(), left])?;
    let insert = "INSERT INTO token (hash, user, mark, issued, expires, used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(insert)?.execute(params![
        token.hash.0,
        token.user.as_str(),
        token.mark.0,
        seconds(token.issued),
        seconds(token.expires),
        seconds(token.used),
    ])?;
    Ok(())
}

pub(super) fn find(db: &Connection, hash: &TokenHash) -> Result<Option<IssuedToken>> {
    let sql = format!("SELECT {COLUMNS} FROM token WHERE hash = ?1");
    let mut statement = db.prepare_cached(&sql)?;
    statement.query_row([hash.0], read).optional()
}

pub(super) fn touch(db: &Connection, hash: &TokenHash, time: SystemTime) -> Result<()> {
    db.prepare_cached("UPDATE token SET used = ?2 WHERE hash = ?1")?
        .execute(params![hash.0, seconds(time)])?;
    Ok(())
}

/// The condition for which tokens are meant, with one value for `?1`.
fn condition(which: &WhichTokens) -> (&'static str, rusqlite::types::Value) {
    use rusqlite::types::Value;
    match which {
        WhichTokens::One(hash) => ("hash = ?1", Value::Blob(hash.0.to_vec())),
        WhichTokens::Of(user) => ("user = ?1", Value::Text(user.as_str().to_owned())),
        WhichTokens::All => ("?1 IS NULL", Value::Null),
    }
}

pub(super) fn list(db: &Connection, which: &WhichTokens) -> Result<Vec<IssuedToken>> {
    let (condition, value) = condition(which);
    let sql = format!("SELECT {COLUMNS} FROM token WHERE {condition} ORDER BY user, issued, id");
    let mut statement = db.prepare_cached(&sql)?;
    statement.query_map([value], read)?.collect()
}

pub(super) fn revoke(db: &Connection, which: &WhichTokens) -> Result<u64> {
    let (condition, value) = condition(which);
    let sql = format!("DELETE FROM token WHERE {condition}");
    let revoked = db.prepare_cached(&sql)?.execute([value])?;
    Ok(revoked as u64)
}

fn read(row: &Row<'_>) -> Result<IssuedToken> {
    let user: String = row.get(1)?;
    let wrong = |error| Error::FromSqlConversionFailure(1, Type::Text, Box::new(error));
    Ok(IssuedToken {
        hash: TokenHash(row.get(0)?),
        user: UserName::new(user).map_err(wrong)?,
        mark: SecretMark(row.get(2)?),
        issued: time(row, 3)?,
        expires: time(row, 4)?,
        used: time(row, 5)?,
    })
}

/// Seconds since 1970; 0 for what was before.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// The time in a column of seconds. One that can't be written is that of 1970, so that whatever
/// hangs on it has expired.
pub(super) fn time(row: &Row<'_>, column: usize) -> Result<SystemTime> {
    let seconds = u64::try_from(row.get::<_, i64>(column)?).ok();
    let seconds = seconds.filter(|seconds| *seconds <= MAX_SECONDS);
    Ok(UNIX_EPOCH + Duration::from_secs(seconds.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{TokensUnderTest, issue_token, token};
    use crate::time::{Clock, Random};

    /// A database in a folder of its own.
    struct Fresh;

    impl TokensUnderTest for Fresh {
        fn with(run: impl FnOnce(&dyn Tokens)) {
            let home = tempfile::tempdir().unwrap();
            run(&open(home.path()));
        }
    }

    fn open(home: &std::path::Path) -> Database {
        Database::open(home, Clock::system(), &Random::system()).unwrap()
    }

    crate::store::conformance::tokens_conform!(Fresh);

    #[test]
    fn tokens_outlive_the_process() {
        let home = tempfile::tempdir().unwrap();
        let first = token(1, "a", 0);
        issue_token(&open(home.path()), first.clone(), 9);
        assert_eq!(open(home.path()).find(&first.hash).unwrap(), Some(first));
    }

    #[test]
    fn a_row_that_rotted_is_an_error_and_no_panic() {
        let home = tempfile::tempdir().unwrap();
        let database = open(home.path());
        let token = token(1, "a", 0);
        issue_token(&database, token.clone(), 9);
        database.write(
            |db| Ok(db.execute("UPDATE token SET mark = x'00', expires = -1", [])?),
            drop,
        );
        issue_token(&database, crate::store::conformance::token(2, "a", 0), 9);
        assert!(
            database.find(&token.hash).is_err() || database.find(&token.hash).unwrap().is_none()
        );
    }
}

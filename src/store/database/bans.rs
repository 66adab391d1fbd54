//! The lasting engine of [`Bans`]: two tables beside the messages, written in their commits.

use super::Database;
use super::tokens::{seconds, time};
use crate::store::{Ban, Bans, Done, Remembered, Source, StoreError, WhichBans};
use rusqlite::{Connection, Result, Row, params};
use std::time::{Duration, SystemTime};

// However many guessers there were, a start reads no more than this.
const BANNED: &str = "SELECT source, since, wait FROM ban WHERE wait > 0
     ORDER BY since DESC LIMIT 100000";
const KNOWN: &str = "SELECT source, since FROM known_source ORDER BY since DESC LIMIT 100000";
const LIFTED: &str = "SELECT source, since FROM ban WHERE wait = 0 LIMIT 100000";

impl Bans for Database {
    fn remembered(&self) -> std::result::Result<Remembered, StoreError> {
        self.read(remembered)
    }

    fn lifted(&self) -> std::result::Result<Vec<Source>, StoreError> {
        self.read(lifted)
    }

    fn ban(&self, ban: Ban) {
        self.write(move |change| Ok(keep(change, &ban)?), drop);
    }

    fn know(&self, source: Source, since: SystemTime) {
        self.write(move |change| Ok(know(change, &source, since)?), drop);
    }

    fn forget_lifted(&self, sources: Vec<Source>) {
        self.write(move |change| Ok(forget_lifted(change, &sources)?), drop);
    }

    fn forget_before(&self, banned: SystemTime, known: SystemTime) {
        self.write(
            move |change| Ok(forget_before(change, banned, known)?),
            drop,
        );
    }

    fn lift(&self, which: WhichBans, done: Done<u64>) {
        self.write(move |change| Ok(lift(change, &which)?), done);
    }
}

pub(super) fn remembered(db: &Connection) -> Result<Remembered> {
    let mut bans = db.prepare_cached(BANNED)?;
    let bans = bans.query_map([], |row| {
        let wait = u32::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        let wait = Duration::from_secs(wait.into());
        Ok(source(row)?.map(|(source, since)| Ban {
            source,
            wait,
            since,
        }))
    })?;
    let mut bans: Vec<Ban> = bans.filter_map(Result::transpose).collect::<Result<_>>()?;
    bans.sort_by(|a, b| a.source.cmp(&b.source));
    let mut known = db.prepare_cached(KNOWN)?;
    let known = known.query_map([], source)?;
    let known: Result<Vec<_>> = known.filter_map(Result::transpose).collect();
    let mut known = known?;
    known.sort();
    Ok(Remembered {
        bans,
        known,
        lifted: lifted(db)?,
    })
}

pub(super) fn lifted(db: &Connection) -> Result<Vec<Source>> {
    let mut lifted = db.prepare_cached(LIFTED)?;
    let lifted = lifted.query_map([], source)?.filter_map(Result::transpose);
    let lifted: Result<Vec<_>> = lifted.map(|found| Ok(found?.0)).collect();
    let mut lifted = lifted?;
    lifted.sort();
    Ok(lifted)
}

/// A source and its time; `None` if it rotted: nobody is kept out by what can't be read.
fn source(row: &Row<'_>) -> Result<Option<(Source, SystemTime)>> {
    let text: String = row.get(0)?;
    let since = time(row, 1)?;
    Ok(text.parse().ok().map(|source| (source, since)))
}

pub(super) fn keep(db: &Connection, ban: &Ban) -> Result<()> {
    let sql = "INSERT INTO ban (source, wait, since) VALUES (?1, ?2, ?3)
         ON CONFLICT (source) DO UPDATE SET wait = ?2, since = ?3";
    let wait = i64::try_from(ban.wait.as_secs()).unwrap_or(i64::MAX);
    let values = params![ban.source.to_string(), wait, seconds(ban.since)];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

pub(super) fn know(db: &Connection, source: &Source, since: SystemTime) -> Result<()> {
    let source = source.to_string();
    db.prepare_cached("DELETE FROM ban WHERE source = ?1")?
        .execute([&source])?;
    let sql = "INSERT INTO known_source (source, since) VALUES (?1, ?2)
         ON CONFLICT (source) DO UPDATE SET since = ?2";
    let values = params![source, seconds(since)];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

pub(super) fn forget_lifted(db: &Connection, sources: &[Source]) -> Result<()> {
    let mut forget = db.prepare_cached("DELETE FROM ban WHERE source = ?1 AND wait = 0")?;
    for source in sources {
        forget.execute([source.to_string()])?;
    }
    Ok(())
}

pub(super) fn forget_before(db: &Connection, banned: SystemTime, known: SystemTime) -> Result<()> {
    db.execute("DELETE FROM ban WHERE since < ?1", [seconds(banned)])?;
    db.execute(
        "DELETE FROM known_source WHERE since < ?1",
        [seconds(known)],
    )?;
    Ok(())
}

pub(super) fn lift(db: &Connection, which: &WhichBans) -> Result<u64> {
    let mut lift = db.prepare_cached("UPDATE ban SET wait = 0 WHERE source = ?1")?;
    let mut lifted = 0;
    for ban in remembered(db)?.bans {
        if which.means(&ban.source) {
            lifted += lift.execute([ban.source.to_string()])? as u64;
        }
    }
    Ok(lifted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{BansUnderTest, ban, remembered};
    use crate::time::{Clock, Random};

    /// A database in a folder of its own.
    struct Fresh;

    impl BansUnderTest for Fresh {
        fn with(run: impl FnOnce(&dyn Bans)) {
            let home = tempfile::tempdir().unwrap();
            run(&open(home.path()));
        }
    }

    fn open(home: &std::path::Path) -> Database {
        Database::open(home, Clock::system(), &Random::system()).unwrap()
    }

    crate::store::conformance::bans_conform!(Fresh);

    #[test]
    fn bans_outlive_the_process_and_rows_that_rotted_ban_nobody() {
        let home = tempfile::tempdir().unwrap();
        let database = open(home.path());
        database.ban(ban("192.0.2.1 a", 60, 1));
        database.write(
            |db| {
                Ok(db.execute(
                    "INSERT INTO ban (source, wait, since) VALUES ('x', -1, -1)",
                    [],
                )?)
            },
            drop,
        );
        let before = remembered(&database);
        drop(database);
        let after = remembered(&open(home.path()));
        assert_eq!(after, before);
        assert_eq!(after.bans, [ban("192.0.2.1 a", 60, 1)]);
    }
}

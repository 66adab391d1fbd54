//! `gatepost user tokens`: the tokens that logins were given. Works in the home's database, beside
//! a daemon that runs or without one.

use super::{Console, UserError};
use crate::store::{IssuedToken, Maintenance, StoreError, Tokens, WhichTokens};
use std::path::Path;
use std::time::SystemTime;

/// The fewest digits of an id that name a token.
const FEWEST_DIGITS: usize = 6;

/// What to do with which tokens.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum TokensCommand {
    /// List tokens: id, user, when each was issued, ends, and was last used, to the hour.
    List {
        /// A user, or the id of a token; by default all.
        #[arg(value_name = "USER|ID")]
        who: Option<String>,
    },
    /// End tokens: they log nobody in any more. Connections that are open go on.
    Revoke {
        /// A user, or the id of a token.
        #[arg(value_name = "USER|ID", required_unless_present = "all")]
        who: Option<String>,
        /// End all tokens of all users.
        #[arg(long, conflicts_with = "who")]
        all: bool,
    },
}

/// Carries out `command` in the folder `home`.
pub(super) fn run_at(
    console: &mut Console<'_>,
    command: &TokensCommand,
    home: &Path,
    now: SystemTime,
) -> Result<(), UserError> {
    let failed = |error| UserError::Store(home.join("gatepost.db"), error);
    let tokens = Maintenance::open(home).map_err(failed)?;
    let all = match &tokens {
        Some(tokens) => tokens.list(&WhichTokens::All).map_err(failed)?,
        None => Vec::new(),
    };
    let all: Vec<_> = all.into_iter().filter(|it| it.expires > now).collect();
    match (command, tokens) {
        (TokensCommand::List { who }, _) => {
            let which = who.as_deref().map(|who| choose(&all, who)).transpose()?;
            list(console, &all, which.as_ref().unwrap_or(&WhichTokens::All))
        }
        (TokensCommand::Revoke { who, .. }, Some(tokens)) => {
            let which = who.as_deref().map(|who| choose(&all, who)).transpose()?;
            let which = which.unwrap_or(WhichTokens::All);
            let revoked = revoke(&tokens, which).map_err(failed)?;
            Ok(writeln!(console.out, "{revoked} ended")?)
        }
        (TokensCommand::Revoke { who: Some(who), .. }, None) => {
            Err(UserError::NoSuchToken(who.clone()))
        }
        (TokensCommand::Revoke { who: None, .. }, None) => Ok(writeln!(console.out, "0 ended")?),
    }
}

/// The tokens of `who`, or the one that is called so.
fn choose(all: &[IssuedToken], who: &str) -> Result<WhichTokens, UserError> {
    if let Some(token) = all.iter().find(|it| it.user.as_str() == who) {
        return Ok(WhichTokens::Of(token.user.clone()));
    }
    let mut named = all.iter().filter(|it| it.hash.id().starts_with(who));
    match (named.next(), named.next()) {
        (Some(token), None) if who.len() >= FEWEST_DIGITS => Ok(WhichTokens::One(token.hash)),
        _ => Err(UserError::NoSuchToken(who.to_owned())),
    }
}

fn list(
    console: &mut Console<'_>,
    all: &[IssuedToken],
    which: &WhichTokens,
) -> Result<(), UserError> {
    let meant: Vec<_> = all.iter().filter(|token| which.means(token)).collect();
    let widest = meant.iter().map(|it| it.user.as_str().chars().count());
    let width = widest.max().unwrap_or(0);
    for token in &meant {
        let time = humantime::format_rfc3339_seconds;
        writeln!(
            console.out,
            "{}  {:width$}  issued {}  ends {}  used {}",
            token.hash.id(),
            token.user.as_str(),
            time(token.issued),
            time(token.expires),
            time(token.used),
        )?;
    }
    if meant.is_empty() {
        writeln!(console.err, "there are no tokens")?;
    }
    Ok(())
}

fn revoke(tokens: &Maintenance, which: WhichTokens) -> Result<u64, StoreError> {
    let (done, told) = std::sync::mpsc::channel();
    let done = move |revoked| {
        // Whoever asked waits below.
        let _ = done.send(revoked);
    };
    tokens.revoke(which, Box::new(done));
    told.recv().unwrap_or(Err(StoreError::Fenced))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SecretMark;
    use crate::store::Database;
    use crate::time::{Clock, Random};
    use crate::wire::{Token, UserName};
    use std::sync::mpsc::channel;
    use std::time::{Duration, UNIX_EPOCH};

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn issue(database: &Database, number: u8, user: &str, expires: u64) -> String {
        let hash = Token::new([number; 32]).hash();
        let token = IssuedToken {
            hash,
            user: UserName::new(user).unwrap(),
            mark: SecretMark([0; 32]),
            issued: at(0),
            expires: at(expires),
            used: at(7),
        };
        let (done, told) = channel();
        database.issue(token, 9, Box::new(move |kept| done.send(kept).unwrap()));
        told.recv().unwrap().unwrap();
        hash.id()
    }

    /// What is said on both streams, or why nothing was done.
    fn run(home: &Path, command: TokensCommand) -> Result<(String, String), UserError> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut ask = |_: &str| unreachable!("no password is asked for");
        let mut console = Console {
            ask: &mut ask,
            is_typed: false,
            out: &mut out,
            err: &mut err,
        };
        run_at(&mut console, &command, home, at(100))?;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ok((text(out), text(err)))
    }

    fn list(who: Option<&str>) -> TokensCommand {
        let who = who.map(str::to_owned);
        TokensCommand::List { who }
    }

    fn revoke(who: Option<&str>) -> TokensCommand {
        let (who, all) = (who.map(str::to_owned), who.is_none());
        TokensCommand::Revoke { who, all }
    }

    #[test]
    fn tokens_are_listed_and_ended_by_user_and_by_id_beside_a_daemon() {
        let home = tempfile::tempdir().unwrap();
        let (clock, random) = (Clock::system(), Random::system());
        let database = Database::open(home.path(), clock, &random).unwrap();
        let ids: Vec<_> = [("a", 1_000), ("b", 1_000), ("a", 1_000), ("c", 100)]
            .iter()
            .zip(1..)
            .map(|((user, expires), number)| issue(&database, number, user, *expires))
            .collect();
        let (all, _) = run(home.path(), list(None)).unwrap();
        assert_eq!(all.lines().count(), 3, "{all}");
        let line = format!(
            "{}  b  issued 1970-01-01T00:00:00Z  ends 1970-01-01T00:16:40Z  used 1970-01-01T00:00:07Z\n",
            ids[1]
        );
        assert_eq!(run(home.path(), list(Some("b"))).unwrap().0, line);
        assert_eq!(run(home.path(), list(Some(&ids[1][..6]))).unwrap().0, line);
        for nobody in ["c", "d", "", &ids[1][..5]] {
            let error = run(home.path(), revoke(Some(nobody))).unwrap_err();
            assert!(matches!(error, UserError::NoSuchToken(_)), "{error}");
        }
        let ended = |who: Option<&str>| run(home.path(), revoke(who)).unwrap().0;
        assert_eq!(ended(Some(&ids[0])), "1 ended\n");
        assert_eq!(ended(Some("a")), "1 ended\n");
        assert_eq!(database.list(&WhichTokens::All).unwrap().len(), 2);
        assert_eq!(ended(None), "2 ended\n");
        let (out, err) = run(home.path(), list(None)).unwrap();
        assert_eq!((&*out, &*err), ("", "there are no tokens\n"));
    }

    #[test]
    fn a_home_without_a_database_has_no_tokens() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(run(home.path(), list(None)).unwrap().0, "");
        assert_eq!(run(home.path(), revoke(None)).unwrap().0, "0 ended\n");
        assert!(run(home.path(), revoke(Some("a"))).is_err());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}

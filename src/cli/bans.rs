//! `gatepost bans`: who has to wait before the next try of a password. Works in the home's database,
//! beside a daemon that runs or without one.

use super::exit::{Exit, Failure};
use super::settings::{Flags, Resolved};
use crate::store::{Ban, Bans, Maintenance, StoreError, WhichBans};
use crate::wire::UserName;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The arguments of `gatepost bans`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// The daemon's home folder; the current one, or `GATEPOST_HOME`, by default.
    #[arg(long, value_name = "DIR", global = true)]
    home: Option<OsString>,
    /// The daemon's settings, if they are not in gatepost.toml there.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: BansCommand,
}

/// What to do with which waits.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
enum BansCommand {
    /// List who has to wait: the address, the user that was tried (* for all), and until when.
    List,
    /// Lift waits. A daemon that runs takes note within a second or two.
    Clear {
        /// The address or the user whose waits are lifted; by default all.
        #[arg(value_name = "ADDRESS|USER")]
        who: Option<String>,
    },
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let flags = Flags::of_home(args.home.clone(), args.config.clone());
    let config = Resolved::load(&flags, &|name| std::env::var_os(name))?
        .settings
        .config;
    let mut out = io::stdout().lock();
    run_at(&args.command, &config.home, SystemTime::now(), &mut out)
}

fn run_at(
    command: &BansCommand,
    home: &Path,
    now: SystemTime,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let failed = |error: StoreError| {
        let sentence = format!("{}: {error}", home.join("gatepost.db").display());
        Failure::new(Exit::of_store(&error), sentence)
    };
    let bans = Maintenance::open(home).map_err(failed)?;
    match (command, bans) {
        (BansCommand::List, bans) => {
            let remembered = bans.map(|bans| bans.remembered()).transpose();
            let remembered = remembered.map_err(failed)?.unwrap_or_default();
            list(&remembered.bans, now, out)?;
        }
        (BansCommand::Clear { who }, bans) => {
            let which = who.as_deref().map_or(Ok(WhichBans::All), choose)?;
            let lifted = bans.map_or(Ok(0), |bans| lift(&bans, which));
            writeln!(out, "{} lifted", lifted.map_err(failed)?)?;
        }
    }
    Ok(())
}

fn choose(who: &str) -> Result<WhichBans, Failure> {
    if let Ok(peer) = who.parse::<IpAddr>() {
        return Ok(WhichBans::Address(peer));
    }
    let user = UserName::new(who);
    let wrong = |_| Failure::usage(format!("{who} is neither an address nor a user's name"));
    user.map(WhichBans::User).map_err(wrong)
}

fn list(bans: &[Ban], now: SystemTime, out: &mut impl Write) -> io::Result<()> {
    for ban in bans {
        let until = ban.since.checked_add(ban.wait).unwrap_or(ban.since);
        // What is over still counts if there is another failure, but nobody waits for it.
        if until
            .duration_since(now)
            .unwrap_or(Duration::ZERO)
            .is_zero()
        {
            continue;
        }
        let user = ban.source.user().map_or("*", UserName::as_str);
        let until = humantime::format_rfc3339_seconds(until);
        writeln!(out, "{}  {user}  until {until}", ban.source.network())?;
    }
    Ok(())
}

fn lift(bans: &Maintenance, which: WhichBans) -> Result<u64, StoreError> {
    let (done, told) = std::sync::mpsc::channel();
    let done = move |lifted| {
        // Whoever asked waits below.
        let _ = done.send(lifted);
    };
    bans.lift(which, Box::new(done));
    told.recv().unwrap_or(Err(StoreError::Fenced))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Database, Source};
    use crate::time::{Clock, Random};
    use std::time::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn run(home: &Path, command: &BansCommand) -> Result<String, Failure> {
        let mut out = Vec::new();
        run_at(command, home, at(100), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn clear(who: Option<&str>) -> BansCommand {
        let who = who.map(str::to_owned);
        BansCommand::Clear { who }
    }

    #[test]
    fn bans_are_listed_and_lifted() {
        let home = tempfile::tempdir().unwrap();
        let (clock, random) = (Clock::system(), Random::system());
        drop(Database::open(home.path(), clock, &random).unwrap());
        let bans = Maintenance::open(home.path()).unwrap().unwrap();
        let sources = ["192.0.2.1", "192.0.2.1 李四", "2001:db8:: a", "192.0.2.2 a"];
        for (source, since) in sources.iter().zip([60, 60, 60, 40]) {
            bans.ban(Ban {
                source: source.parse::<Source>().unwrap(),
                wait: Duration::from_secs(60),
                since: at(since),
            });
        }
        let listed = run(home.path(), &BansCommand::List).unwrap();
        assert_eq!(
            listed,
            "192.0.2.1  *  until 1970-01-01T00:02:00Z\n\
             192.0.2.1  李四  until 1970-01-01T00:02:00Z\n\
             2001:db8::  a  until 1970-01-01T00:02:00Z\n"
        );
        let cleared = |who| run(home.path(), &clear(who)).unwrap();
        assert_eq!(cleared(Some("2001:db8::7")), "1 lifted\n");
        assert_eq!(cleared(Some("a")), "1 lifted\n");
        assert_eq!(cleared(Some("192.0.2.1")), "2 lifted\n");
        assert_eq!(cleared(None), "0 lifted\n");
        let usage = run(home.path(), &clear(Some("a|b"))).unwrap_err();
        assert_eq!(usage.exit, Exit::Usage);
        assert_eq!(run(home.path(), &BansCommand::List).unwrap(), "");
    }

    #[test]
    fn a_home_without_a_database_has_no_bans() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(run(home.path(), &BansCommand::List).unwrap(), "");
        assert_eq!(run(home.path(), &clear(None)).unwrap(), "0 lifted\n");
    }
}

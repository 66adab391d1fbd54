//! The command line: arguments to a subcommand, its result to an exit code. One file or folder a
//! subcommand; the only code that prints or ends the process.

mod bans;
mod bench;
mod bot;
mod cert;
mod chat;
pub mod exit;
mod files;
mod get;
mod hello;
mod history;
mod input;
mod interrupt;
mod kick;
pub mod log;
mod login;
mod logout;
mod ls;
mod message;
mod outlet;
mod output;
mod panics;
mod parcel;
mod ping;
pub mod printer;
mod rm;
mod rooms;
mod say;
mod send;
mod serve;
mod server;
pub mod settings;
mod state;
mod tail;
mod talk;
pub mod terminal;
mod trust;
pub mod user;
mod wording;

use clap::{CommandFactory, Parser, Subcommand};
use exit::{Exit, Failure};
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

/// The lodge at the gate: takes in messages and files, checks names, and answers back.
#[derive(Debug, Parser)]
#[command(name = "gatepost", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Serve(settings::Flags),
    /// Add, change, remove or list the accounts in a home folder, and the tokens they were given.
    User(user::UserArgs),
    Cert(cert::Args),
    /// List or lift the waits of those who failed to log in.
    Bans(bans::Args),
    Say(say::Args),
    Tail(tail::Args),
    History(history::Args),
    Rooms(rooms::Args),
    Send(send::Args),
    Get(get::Args),
    Ls(ls::Args),
    Rm(rm::Args),
    Bot(bot::Args),
    Chat(chat::Args),
    Login(login::Args),
    Logout(logout::Args),
    Kick(kick::Args),
    Hello(hello::Args),
    Ping(ping::Args),
    Talk(talk::Args),
    Bench(bench::Args),
}

/// Runs the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    panics::install();
    let arguments = arguments.into_iter().collect::<Vec<_>>();
    // The panic has been told by then.
    let exit = std::panic::catch_unwind(AssertUnwindSafe(|| dispatch(arguments)));
    exit.unwrap_or(Exit::Bug).into()
}

/// How a command line ends that is not carried out. Help and version come this way as well.
fn unparsed(error: &clap::Error) -> Exit {
    match error.use_stderr() {
        true => Exit::Usage,
        false => Exit::Done,
    }
}

fn dispatch(arguments: Vec<OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Where nobody reads it there is no harm.
            let _ = error.print();
            return unparsed(&error);
        }
    };
    match arguments.command {
        None => {
            let help = Arguments::command().render_help().to_string();
            write_out(&help).unwrap_or(Exit::InputOutput)
        }
        Some(Command::Serve(flags)) => end(serve::run(&flags)),
        Some(Command::User(args)) => done(user::run(&args)),
        Some(Command::Cert(args)) => done(cert::run(&args)),
        Some(Command::Bans(args)) => done(bans::run(&args)),
        Some(Command::Say(args)) => done(say::run(args)),
        Some(Command::Tail(args)) => done(tail::run(args)),
        Some(Command::History(args)) => done(history::run(args)),
        Some(Command::Rooms(args)) => done(rooms::run(args)),
        Some(Command::Send(args)) => done(send::run(args)),
        Some(Command::Get(args)) => done(get::run(args)),
        Some(Command::Ls(args)) => done(ls::run(args)),
        Some(Command::Rm(args)) => done(rm::run(args)),
        Some(Command::Bot(args)) => done(bot::run(args)),
        Some(Command::Chat(args)) => done(chat::run(args)),
        Some(Command::Login(args)) => done(login::run(args)),
        Some(Command::Logout(args)) => done(logout::run(args)),
        Some(Command::Kick(args)) => done(kick::run(args)),
        Some(Command::Hello(args)) => done(hello::run(args)),
        Some(Command::Ping(args)) => done(ping::run(args)),
        Some(Command::Talk(args)) => done(talk::run(args)),
        Some(Command::Bench(args)) => done(bench::run(args)),
    }
}

/// How a command ends that either does all it was asked to do or fails.
fn done(result: Result<(), Failure>) -> Exit {
    end(result.map(|()| Exit::Done))
}

/// Tells the person at the shell why a command failed.
fn end(result: Result<Exit, Failure>) -> Exit {
    result.unwrap_or_else(|failure| {
        terminal::complain(format_args!("gatepost: {failure}"));
        failure.exit
    })
}

/// Writes to standard output. That nobody reads it any more is a normal end.
fn write_out(text: &str) -> io::Result<Exit> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(Exit::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, Exit> {
        let arguments = ["gatepost"].iter().chain(arguments);
        Arguments::try_parse_from(arguments).map_err(|error| unparsed(&error))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn unknown_flags_are_usage_and_wrong_values_are_configuration() {
        let exit = |arguments: &[&str]| parse(arguments).unwrap_err();
        assert_eq!(exit(&["--no-such-flag"]), Exit::Usage);
        assert_eq!(exit(&["no-such-command"]), Exit::Usage);
        assert_eq!(exit(&["serve", "--no-such-flag"]), Exit::Usage);
        assert_eq!(exit(&["--version"]), Exit::Done);
        let Ok(Some(Command::Serve(flags))) =
            parse(&["serve", "--workers", "many"]).map(|arguments| arguments.command)
        else {
            panic!("a wrong value parses");
        };
        assert_eq!(serve::run(&flags).unwrap_err().exit, Exit::Configuration);
    }
}

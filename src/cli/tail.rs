//! `gatepost tail`: messages as they come, for as long as one likes.

use super::exit::{Exit, Failure};
use super::message::{as_text, bound, note};
use super::output::Output;
use super::server::{Login, Server, explain};
use super::terminal::complain;
use crate::client::{Bound, Event, Start, Subscription};
use crate::time::Random;
use crate::wire::RoomName;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Show the messages of rooms as they come
///
/// Begins with the last ten of each room, and goes on until Ctrl-C. When the connection breaks it is
/// made anew, and what came meanwhile is shown: each message once and in order, or a line on
/// standard error that says what is missing. A message is shown as its time (UTC), room, sender
/// (- for a guest) and text.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatepost tail                          the lobby
  gatepost tail -n 0 lobby alarms        only what comes, in two rooms
  gatepost tail --since 1h --json        the last hour and what comes, for a program
  gatepost tail --since 4711             what came after message 4711, and what comes")]
pub(super) struct Args {
    /// The rooms [default: lobby]
    #[arg(value_name = "ROOM", value_parser = room)]
    rooms: Vec<RoomName>,
    /// Show this many of each room's last messages first
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 10)]
    last: usize,
    /// Show what came after this first: the number of a message, a time (UTC), or how long ago
    #[arg(long, value_name = "N|TIME", value_parser = bound, conflicts_with = "last")]
    since: Option<Bound>,
    /// Print each message as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Reads the name of a room as it is typed.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn room(name: &str) -> Result<RoomName, String> {
    RoomName::new(name).map_err(|error| error.to_string())
}

/// How often it is looked whether anybody still reads what is shown, while nothing is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long Ctrl-C waits for a line that is being written, so that it is whole.
const LAST_LINE: Duration = Duration::from_millis(200);

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let writing = Arc::new(Mutex::new(()));
    leave_on_interrupt(Arc::clone(&writing))?;
    let start = match (args.since, args.last) {
        (Some(since), _) => Start::After(since),
        (None, 0) => Start::Now,
        (None, last) => Start::Newest(last),
    };
    let mut subscription = follow(&args.server, rooms(args.rooms), start)?;
    let mut output = Output::stdout();
    while !output.is_gone() {
        match subscription.next(LOOK_EVERY)? {
            None => output.look(),
            Some(Event::Message(message)) => {
                let _writing = writing.lock();
                match args.json {
                    true => output.json(&message)?,
                    false => output.block(&as_text(&message))?,
                }
            }
            Some(event) => complain(note(&event).unwrap_or_default()),
        }
    }
    Ok(())
}

/// Each room once, the lobby if there is none.
fn rooms(named: Vec<RoomName>) -> Vec<RoomName> {
    let mut rooms = Vec::new();
    for room in named {
        if !rooms.contains(&room) {
            rooms.push(room);
        }
    }
    if rooms.is_empty() {
        rooms.push(RoomName::lobby());
    }
    rooms
}

/// Follows `rooms`, logged in as the arguments say.
pub(super) fn follow(
    server: &Server,
    rooms: Vec<RoomName>,
    start: Start,
) -> Result<Subscription, Failure> {
    let login = server.login()?;
    follow_as(server, login, rooms, start)
}

/// Follows `rooms` as the user of `login`.
pub(super) fn follow_as(
    server: &Server,
    login: Option<Login>,
    rooms: Vec<RoomName>,
    start: Start,
) -> Result<Subscription, Failure> {
    let server = server.clone();
    let connect = move || server.dial(login.as_ref());
    let rooms = rooms.into_iter().map(|room| (room, start));
    Subscription::start(connect, rooms, Random::system()).map_err(explain)
}

/// Ctrl-C is how this ends, and so no failure.
fn leave_on_interrupt(writing: Arc<Mutex<()>>) -> Result<(), Failure> {
    let leave = move || {
        // Standard output may be stuck: Ctrl-C works all the same.
        let _whole = writing.try_lock_for(LAST_LINE);
        std::process::exit(Exit::Done.number().into());
    };
    ctrlc::set_handler(leave).map_err(|error| Failure::new(Exit::InputOutput, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::server::tests::typed;
    use clap::error::ErrorKind;

    #[test]
    fn rooms_are_followed_once_and_the_lobby_by_default() {
        let names = |line: &[&str]| {
            let args: Args = typed(line).unwrap();
            let rooms = rooms(args.rooms).into_iter().map(RoomName::into_string);
            rooms.collect::<Vec<_>>()
        };
        assert_eq!(names(&[]), ["lobby"]);
        assert_eq!(names(&["b", "a", "b", "@lisi"]), ["b", "a", "@lisi"]);
        assert_eq!(
            typed::<Args>(&["a b"]).unwrap_err(),
            ErrorKind::ValueValidation
        );
    }

    #[test]
    fn where_it_begins_is_said_in_one_way() {
        let args: Args = typed(&["-n", "0"]).unwrap();
        assert_eq!((args.last, args.since), (0, None));
        let args: Args = typed(&["--since", "7"]).unwrap();
        assert_eq!(args.since, Some(Bound::Seq(7)));
        let kind = typed::<Args>(&["--since", "7", "-n", "3"]).unwrap_err();
        assert_eq!(kind, ErrorKind::ArgumentConflict);
        let kind = typed::<Args>(&["--since", "soon"]).unwrap_err();
        assert_eq!(kind, ErrorKind::ValueValidation);
    }
}

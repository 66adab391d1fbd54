//! `gatepost history`: what was said in a room.

use super::exit::Failure;
use super::message::{as_text, bound};
use super::output::Output;
use super::server::Server;
use super::tail::room;
use crate::client::{Bound, Client, History, MAX_PAGE, Range};
use crate::wire::{Message, RoomName};
use std::num::NonZeroUsize;

/// Show what was said in a room
///
/// Shows the newest messages, those before or those after a place, oldest first. A place is the
/// number of a message, a time (UTC), or how long ago: 4711, 2026-11-23T14:03:22Z, 1h. A message is
/// shown as its time (UTC), room, sender (- for a guest) and text.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatepost history                       the last 100 messages of the lobby
  gatepost history --search 你好         the last 100 in which 你好 occurs
  gatepost history alarms --after 1day   what came within a day
  gatepost history --all --json          everything, for a program")]
pub(super) struct Args {
    /// The room
    #[arg(default_value = "lobby", value_parser = room)]
    room: RoomName,
    /// Only what came before this; the newest of it, unless `--after` or `--all` is given
    #[arg(long, value_name = "N|TIME", value_parser = bound)]
    before: Option<Bound>,
    /// Only what came after this, from there on
    #[arg(long, value_name = "N|TIME", value_parser = bound)]
    after: Option<Bound>,
    /// At most so many messages
    #[arg(long, value_name = "COUNT", default_value = "100")]
    limit: NonZeroUsize,
    /// All messages there are, from the oldest on
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Only messages that hold this text, letter case aside for A to Z
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Print each message as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut client = args.server.connect()?;
    let mut output = Output::stdout();
    let limit = if args.all {
        usize::MAX
    } else {
        args.limit.get()
    };
    let mut history = History {
        room: args.room,
        range: Range::Newest,
        limit: limit.min(MAX_PAGE),
        search: args.search,
    };
    let mut show = |message: &Message| {
        match args.json {
            true => output.json(message),
            false => output.block(&as_text(message)),
        }
        .map(|()| !output.is_gone())
    };
    match args.after.or(args.all.then_some(Bound::Seq(0))) {
        Some(after) => {
            history.range = Range::After(after);
            upwards(&mut client, history, args.before, limit, &mut show)?;
        }
        None => {
            history.range = args.before.map_or(Range::Newest, Range::Before);
            for message in newest(&mut client, history, limit)? {
                if !show(&message)? {
                    break;
                }
            }
        }
    }
    // All is shown: how the goodbye goes changes nothing.
    let _ = client.close();
    Ok(())
}

/// Shows page by page what comes, up to `before` and at most `limit` messages, for as long as
/// `show` wants more.
fn upwards(
    client: &mut Client,
    history: History,
    before: Option<Bound>,
    limit: usize,
    show: &mut dyn FnMut(&Message) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut left = limit;
    for page in client.pages(history) {
        for message in page?.messages {
            let is_beyond = match before {
                None => false,
                Some(Bound::Seq(seq)) => message.seq >= seq,
                Some(Bound::Time(time)) => message.time >= time,
            };
            if is_beyond || !show(&message)? {
                return Ok(());
            }
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The newest `limit` messages, ascending.
fn newest(client: &mut Client, history: History, limit: usize) -> Result<Vec<Message>, Failure> {
    let mut pages = Vec::new();
    let mut found = 0;
    for page in client.pages(history) {
        let page = page?.messages;
        found += page.len();
        pages.push(page);
        if found >= limit {
            break;
        }
    }
    let all = pages.into_iter().rev().flatten();
    Ok(all.skip(found.saturating_sub(limit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::server::tests::typed;
    use clap::error::ErrorKind;

    #[test]
    fn all_has_no_limit_and_none_is_no_limit() {
        let args: Args = typed(&["门房", "--after", "1", "--before", "9", "--all"]).unwrap();
        assert_eq!((args.room.as_str(), args.all), ("门房", true));
        let args: Args = typed(&[]).unwrap();
        assert_eq!((args.room.as_str(), args.limit.get()), ("lobby", 100));
        let kind = typed::<Args>(&["--all", "--limit", "3"]).unwrap_err();
        assert_eq!(kind, ErrorKind::ArgumentConflict);
        let kind = typed::<Args>(&["--limit", "0"]).unwrap_err();
        assert_eq!(kind, ErrorKind::ValueValidation);
    }
}

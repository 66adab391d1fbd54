//! `gatepost chat`: a prompt that takes the socket course's own input.

mod arrivals;
mod line;
mod own;
mod prompt;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::parcel::Parcel;
use super::say::receipt_as_line;
use super::send::{rename, stored_as_line};
use super::server::{Login, Server, explain};
use super::tail::room;
use super::terminal::complain;
use super::wording::{counted, was};
use crate::client::{Client, Error, Post, Poster};
use crate::wire::RoomName;
use arrivals::Arrivals;
use line::Line;
use own::Own;
use prompt::Prompt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Talk to a server line by line
///
/// `msg|TEXT` or just TEXT posts a message, `file|PATH` sends a file, `bot|TEXT` asks the bot,
/// `Q` leaves. At a terminal the room's last ten messages are shown first, and what others say is
/// shown above the prompt as it comes. Lines that are not typed at a terminal end with the exit
/// code of the first that failed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The room [default: lobby]
    #[arg(value_parser = room)]
    room: Option<RoomName>,
    /// The room, as `say` names it
    #[arg(long = "room", value_name = "ROOM", value_parser = room, conflicts_with = "room", hide = true)]
    named: Option<RoomName>,
    #[command(flatten)]
    server: Server,
}

/// How long a server that was there and is away is waited for before a line fails. Somebody sits
/// at the prompt.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let login = args.server.login()?;
    let mut chat = Chat {
        poster: args.server.poster(login.clone(), PATIENCE),
        own: Arc::new(Own::of(login.as_ref().map(Login::user))),
        room: args.room.or(args.named),
    };
    let mut output = Output::stdout();
    // A server that isn't there is said before the first line is typed.
    chat.client()?;
    let mut prompt = Prompt::new()?;
    if let Some(printer) = prompt.printer() {
        let room = chat.room.get_or_insert_with(RoomName::lobby).clone();
        output.line(welcome(&args.server, &room))?;
        match Arrivals::start(&args.server, login, room, &mut output) {
            Ok(arrivals) => arrivals.show(Arc::clone(&chat.own), printer)?,
            // One can talk without hearing.
            Err(failure) => complain(failure.about("what others say is not shown")),
        }
    }
    let (mut lines, mut failures) = (0, Vec::new());
    while let Some(line) = prompt.next()? {
        let asked = Line::parse(&line);
        match asked {
            Ok(Line::Nothing) => continue,
            Ok(Line::Leave) => break,
            _ => prompt.remember(&line),
        }
        lines += 1;
        // A failure is told and the talk goes on.
        match asked.and_then(|asked| chat.answer(&asked)) {
            Ok(said) => output.line(said)?,
            Err(failure) => {
                complain(&failure);
                failures.push(failure.exit);
            }
        }
    }
    prompt.save();
    // All that was asked is answered: how the goodbye goes changes nothing.
    let _ = chat.poster.close();
    // A person has seen what failed; a program only sees how it ends.
    match failures.first() {
        Some(first) if !prompt.is_person() => Err(failed(*first, failures.len() as u64, lines)),
        _ => Ok(()),
    }
}

fn failed(first: Exit, failures: u64, lines: u64) -> Failure {
    let (lines, were) = (counted(lines, "line"), was(failures));
    Failure::new(first, format!("{failures} of {lines} {were} not done"))
}

/// Where one is, and what can be typed.
fn welcome(server: &Server, room: &RoomName) -> String {
    let address = &server.target.address;
    format!(
        "gatepost at {address}, room {room}. Text posts; file|PATH, bot|TEXT; Q or Ctrl-D leaves."
    )
}

struct Chat {
    poster: Poster,
    own: Arc<Own>,
    /// Where messages go; `None` leaves it to the server.
    room: Option<RoomName>,
}

impl Chat {
    /// The connection, made anew when the last one broke.
    fn client(&mut self) -> Result<&mut Client, Failure> {
        self.poster.client().map_err(explain)
    }

    fn answer(&mut self, asked: &Line<'_>) -> Result<String, Failure> {
        match asked {
            Line::Nothing | Line::Leave => Ok(String::new()),
            Line::Say(text) => self.say(text),
            Line::Bot(text) => self.ask(|client| client.bot(None, text)),
            Line::File(path) => self.send(path),
        }
    }

    fn say(&mut self, text: &str) -> Result<String, Failure> {
        self.client()?;
        let post = Post {
            room: self.room.clone().map(RoomName::into_string),
            ..Post::default()
        };
        let saying = self.own.begin();
        let receipt = self.poster.say(text, &post).map_err(unknown)?;
        if let Some(seq) = receipt.seq {
            saying.is(seq);
        }
        Ok(receipt_as_line(&receipt))
    }

    /// Asks, and once more when the connection broke before the answer.
    fn ask<T>(&mut self, ask: impl Fn(&mut Client) -> Result<T, Error>) -> Result<T, Failure> {
        match ask(self.client()?) {
            Err(error) if error.is_broken_off() => ask(self.client()?).map_err(unknown),
            answer => answer.map_err(unknown),
        }
    }

    fn send(&mut self, path: &Path) -> Result<String, Failure> {
        let about = |failure: Failure| failure.about(path.display());
        let client = self.client().map_err(about)?;
        let parcel = Parcel::new(path, None)?;
        let (file, size) = parcel.open().map_err(about)?;
        let stored = client.send_file(&parcel.name, file, size, |_| ());
        let stored = stored.map_err(|error| {
            let is_unknown = error.is_broken_off() || matches!(error, Error::TimedOut(_));
            let failure = Failure::from(error);
            about(match is_unknown {
                true => failure.about("the connection broke, and the file may or may not be kept"),
                false => failure,
            })
        })?;
        if let Some(rename) = rename(&parcel, &stored) {
            complain(rename);
        }
        Ok(stored_as_line(&stored))
    }
}

/// Why a line failed, which may have been taken all the same.
fn unknown(error: Error) -> Failure {
    let is_unknown = error.is_broken_off() || matches!(error, Error::TimedOut(_));
    let failure = Failure::from(error);
    match is_unknown {
        true => failure.about("the connection broke, and this line may or may not be taken"),
        false => failure,
    }
}

#[cfg(test)]
mod tests;

//! `gatepost chat`: a prompt that takes the socket course's own input.

mod line;
mod prompt;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::parcel::Parcel;
use super::say::receipt_as_line;
use super::send::{rename, stored_as_line};
use super::server::Server;
use super::terminal::complain;
use super::wording::{counted, was};
use crate::client::{Client, Error, Post};
use crate::time::Random;
use line::Line;
use prompt::Prompt;
use std::path::Path;

/// Talk to a server line by line
///
/// `msg|TEXT` or just TEXT posts a message, `file|PATH` sends a file, `bot|TEXT` asks the bot,
/// `Q` leaves. Lines that are not typed at a terminal end with the exit code of the first that
/// failed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The room [default: lobby]
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut chat = Chat {
        login: args.server.login()?,
        client: None,
        server: args.server,
        room: args.room,
        random: Random::system(),
    };
    let mut output = Output::stdout();
    // A server that isn't there is said before the first line is typed.
    chat.client()?;
    let mut prompt = Prompt::new()?;
    if prompt.is_person() {
        output.line(chat.welcome())?;
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
    chat.leave();
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

struct Chat {
    server: Server,
    login: Option<(String, String)>,
    client: Option<Client>,
    room: Option<String>,
    random: Random,
}

impl Chat {
    /// Where one is, and what can be typed.
    fn welcome(&self) -> String {
        let room = self.room.as_deref().unwrap_or("lobby");
        format!(
            "gatepost at {}, room {room}. Text posts; file|PATH, bot|TEXT; Q or Ctrl-D leaves.",
            self.server.target.address
        )
    }

    /// The connection, made anew when the last one broke. What the server did since the last line
    /// shows only now.
    fn client(&mut self) -> Result<&mut Client, Failure> {
        if let Some(client) = &mut self.client {
            let _ = client.glance();
        }
        let client = match self.client.take() {
            Some(client) if client.is_open() => client,
            _ => self.server.connect_with(self.login.as_ref())?,
        };
        Ok(self.client.insert(client))
    }

    fn answer(&mut self, asked: &Line<'_>) -> Result<String, Failure> {
        match asked {
            Line::Nothing | Line::Leave => Ok(String::new()),
            Line::Say(text) => {
                let post = Post {
                    room: self.room.clone(),
                    // Makes it safe to say it again.
                    key: Some(self.random.hex(16)),
                    ..Post::default()
                };
                let mut receipt = self.ask(|client| client.say(text, &post))?;
                // That the first of two tries got through is nothing that anybody asked for.
                receipt.duplicate = false;
                Ok(receipt_as_line(&receipt))
            }
            Line::Bot(text) => self.ask(|client| client.bot(None, text)),
            Line::File(path) => self.send(path),
        }
    }

    /// Asks, and once more when the connection broke before the answer.
    fn ask<T>(&mut self, ask: impl Fn(&mut Client) -> Result<T, Error>) -> Result<T, Failure> {
        let unknown = |failure: Failure| {
            failure.about("the connection broke, and this line may or may not be taken")
        };
        match ask(self.client()?) {
            Err(error) if error.is_broken_off() => {}
            Err(error @ Error::TimedOut(_)) => return Err(unknown(error.into())),
            answer => return Ok(answer?),
        }
        let client = self.client().map_err(unknown)?;
        ask(client).map_err(|error| unknown(error.into()))
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

    /// Says goodbye. All that was asked is answered: how that goes changes nothing.
    fn leave(&mut self) {
        if let Some(client) = self.client.take().filter(Client::is_open) {
            let _ = client.close();
        }
    }
}

#[cfg(test)]
mod tests;

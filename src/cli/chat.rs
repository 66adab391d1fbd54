//! `gatepost chat`: a prompt that takes the socket course's own input.

use super::exit::{Exit, Failure};
use super::output::Output;
use super::parcel::Parcel;
use super::say::receipt_as_line;
use super::send::stored_as_line;
use super::server::Server;
use super::terminal::complain;
use crate::client::{Client, Post};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Talk to a server line by line
///
/// `msg|TEXT` or just TEXT posts a message, `file|PATH` sends a file, `bot|TEXT` asks the bot,
/// `Q` leaves.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The room [default: lobby]
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// What one line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Nothing,
    Leave,
    Say(&'a str),
    File(&'a str),
    Bot(&'a str),
}

impl<'a> Line<'a> {
    /// Splits at the first `|` only, so that a text may hold more of them. A word that is no
    /// command is text like any other.
    fn parse(line: &'a str) -> Self {
        let line = line.trim();
        match line.split_once('|') {
            _ if line.is_empty() => Self::Nothing,
            _ if line == "Q" => Self::Leave,
            Some(("msg", text)) => Self::Say(text),
            Some(("file", path)) => Self::File(path.trim()),
            Some(("bot", text)) => Self::Bot(text),
            _ => Self::Say(line),
        }
    }
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut chat = Chat {
        login: args.server.login()?,
        client: None,
        server: args.server,
        post: Post {
            room: args.room,
            ..Post::default()
        },
        output: Output::stdout(),
    };
    // A server that isn't there is said before the first line is typed.
    chat.client()?;
    let mut editor = editor()?;
    let history = history();
    if let Some(path) = &history {
        // There is none yet the first time.
        let _ = editor.load_history(path);
    }
    loop {
        let line = match editor.readline("gatepost> ") {
            Ok(line) => line,
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => break,
            Err(error) => return Err(Failure::new(Exit::InputOutput, error.to_string())),
        };
        let asked = Line::parse(&line);
        if asked == Line::Leave {
            break;
        }
        if asked != Line::Nothing {
            let _ = editor.add_history_entry(line.as_str());
        }
        // A failure is told and the talk goes on.
        if let Err(failure) = chat.answer(&asked) {
            complain(failure);
        }
    }
    if let Some(path) = &history {
        remember(&mut editor, path);
    }
    match chat.client.take() {
        Some(client) if client.is_open() => Ok(client.close()?),
        _ => Ok(()),
    }
}

struct Chat {
    server: Server,
    login: Option<(String, String)>,
    client: Option<Client>,
    post: Post,
    output: Output,
}

impl Chat {
    /// The connection, made anew when the last one broke.
    fn client(&mut self) -> Result<&mut Client, Failure> {
        let client = match self.client.take() {
            Some(client) if client.is_open() => client,
            _ => self.server.connect_with(self.login.as_ref())?,
        };
        Ok(self.client.insert(client))
    }

    fn answer(&mut self, asked: &Line<'_>) -> Result<(), Failure> {
        // What the server did since the last line shows only now; a connection that it closed
        // meanwhile is replaced before anything is asked, so nothing is asked twice.
        if let Some(client) = &mut self.client {
            let _ = client.glance();
        }
        let post = self.post.clone();
        let client = self.client()?;
        let said = match asked {
            Line::Nothing | Line::Leave => return Ok(()),
            Line::Say(text) => receipt_as_line(&client.say(text, &post)?),
            Line::Bot(text) => client.bot(None, text)?,
            Line::File(path) => send(client, Path::new(path))?,
        };
        self.output.line(said)
    }
}

fn send(client: &mut Client, path: &Path) -> Result<String, Failure> {
    let about = |failure: Failure| failure.about(path.display());
    let parcel = Parcel::new(path, None)?;
    let (file, size) = parcel.open().map_err(about)?;
    let stored = client.send_file(&parcel.name, file, size, |_| ());
    Ok(stored_as_line(
        &stored.map_err(|error| about(error.into()))?,
    ))
}

fn editor() -> Result<Editor<(), FileHistory>, Failure> {
    let config = Config::builder().build();
    Editor::with_config(config).map_err(|error| Failure::new(Exit::InputOutput, error.to_string()))
}

/// Where the lines typed before are kept: `$XDG_STATE_HOME/gatepost/history`, or below
/// `~/.local/state`.
fn history() -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("gatepost/history"))
}

/// Keeps the history, readable by nobody else. Where that can't be done there is none.
fn remember(editor: &mut Editor<(), FileHistory>, path: &Path) {
    let Some(folder) = path.parent() else { return };
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    if let Err(error) = made
        .map_err(ReadlineError::Io)
        .and_then(|()| editor.save_history(path))
    {
        complain(format_args!("the history is not kept: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_courses_input_is_understood() {
        assert_eq!(Line::parse("msg|你好"), Line::Say("你好"));
        assert_eq!(Line::parse("file| photo.png "), Line::File("photo.png"));
        assert_eq!(Line::parse("Q"), Line::Leave);
    }

    #[test]
    fn any_other_line_is_text() {
        assert_eq!(Line::parse("你好"), Line::Say("你好"));
        assert_eq!(Line::parse("msg|a|b"), Line::Say("a|b"));
        assert_eq!(Line::parse("a|b"), Line::Say("a|b"));
        assert_eq!(Line::parse("q"), Line::Say("q"));
        assert_eq!(Line::parse("bot|谁"), Line::Bot("谁"));
        assert_eq!(Line::parse("  "), Line::Nothing);
    }
}

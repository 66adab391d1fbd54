//! Where the lines of a chat come from: a prompt with a history, or standard input.

use crate::cli::exit::{Exit, Failure};
use crate::cli::state;
use crate::cli::terminal::complain;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor, ExternalPrinter};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

/// The lines, one after the other.
pub(super) struct Prompt {
    editor: Editor<(), FileHistory>,
    /// Where the lines typed are kept. What a program says isn't.
    history: Option<PathBuf>,
    is_person: bool,
}

impl Prompt {
    pub(super) fn new() -> Result<Self, Failure> {
        let is_person = io::stdin().is_terminal();
        let mut editor = Editor::with_config(Config::builder().build()).map_err(failed)?;
        let history = is_person.then(history).flatten();
        if let Some(path) = &history {
            // There is none yet the first time.
            let _ = editor.load_history(path);
        }
        Ok(Self {
            editor,
            history,
            is_person,
        })
    }

    /// Whether a person types.
    pub(super) const fn is_person(&self) -> bool {
        self.is_person
    }

    /// Who can write above the line that is being typed, without breaking it; `None` where no
    /// person sees it.
    pub(super) fn printer(&mut self) -> Option<impl ExternalPrinter + Send + use<>> {
        match self.is_person {
            true => self.editor.create_external_printer().ok(),
            false => None,
        }
    }

    /// The next line; `None` when there are no more, or after Ctrl-C twice in a row. Once, it
    /// only throws away what is half typed.
    pub(super) fn next(&mut self) -> Result<Option<String>, Failure> {
        let mut was_interrupted = false;
        loop {
            match self.editor.readline("gatepost> ") {
                Ok(line) => return Ok(Some(line)),
                Err(ReadlineError::Interrupted) if !was_interrupted => {
                    was_interrupted = true;
                    complain("Ctrl-C again, Ctrl-D or Q leaves");
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(None),
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Enters a line into the history.
    pub(super) fn remember(&mut self, line: &str) {
        let _ = self.editor.add_history_entry(line);
    }

    /// Keeps the history, readable by nobody else. Where that can't be done there is none.
    pub(super) fn save(&mut self) {
        let Some(path) = &self.history else { return };
        let folder = path.parent().unwrap_or(Path::new("/"));
        if let Err(error) = state::make(folder)
            .map_err(ReadlineError::Io)
            .and_then(|()| self.editor.save_history(path))
        {
            complain(format_args!("the history is not kept: {error}"));
        }
    }
}

fn failed(error: ReadlineError) -> Failure {
    Failure::new(Exit::InputOutput, error.to_string()).about("standard input")
}

fn history() -> Option<PathBuf> {
    state::folder().map(|folder| folder.join("history"))
}

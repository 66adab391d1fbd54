//! What is to be said, text by text: from the arguments, from a person at a prompt, or from the
//! lines of standard input.

use crate::cli::exit::{Exit, Failure};
use crate::cli::input::read_line;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use std::ffi::OsString;
use std::io::{self, BufReader, IsTerminal, Stdin};

/// Texts, one after the other.
pub(super) struct Lines {
    source: Source,
    /// Whether an empty line is a text, too.
    takes_empty: bool,
}

enum Source {
    Arguments(std::vec::IntoIter<String>),
    Prompt(Box<DefaultEditor>),
    Input(BufReader<Stdin>),
}

impl Lines {
    /// The arguments, or standard input if there are none; empty lines of it are left out unless
    /// the conversation `takes_empty` ones.
    pub(super) fn new(arguments: Vec<OsString>, takes_empty: bool) -> Result<Self, Failure> {
        let source = Source::new(arguments)?;
        Ok(Self {
            source,
            takes_empty,
        })
    }

    /// Whether a person types them.
    pub(super) const fn is_person(&self) -> bool {
        matches!(self.source, Source::Prompt(_))
    }

    /// The next text; `None` when there are no more, or when a line is `q` or `Q`.
    pub(super) fn next(&mut self) -> Result<Option<String>, Failure> {
        loop {
            let line = match &mut self.source {
                Source::Arguments(texts) => return Ok(texts.next()),
                Source::Prompt(editor) => prompt(editor)?,
                Source::Input(input) => {
                    let line = read_line(input)?.map(String::from_utf8).transpose();
                    line.map_err(|_| Failure::usage("standard input: a line is not UTF-8"))?
                }
            };
            match line.as_deref() {
                Some("") if !self.takes_empty => {}
                Some("q" | "Q") => return Ok(None),
                _ => return Ok(line),
            }
        }
    }
}

impl Source {
    fn new(arguments: Vec<OsString>) -> Result<Self, Failure> {
        if !arguments.is_empty() {
            let texts = arguments.into_iter().map(OsString::into_string);
            let texts = texts.collect::<Result<Vec<_>, _>>();
            let texts =
                texts.map_err(|text| Failure::usage(format!("{} is not UTF-8", text.display())))?;
            return Ok(Self::Arguments(texts.into_iter()));
        }
        if io::stdin().is_terminal() {
            let editor = DefaultEditor::new().map_err(no_terminal)?;
            return Ok(Self::Prompt(Box::new(editor)));
        }
        Ok(Self::Input(BufReader::new(io::stdin())))
    }
}

/// The next line that a person types.
fn prompt(editor: &mut DefaultEditor) -> Result<Option<String>, Failure> {
    match editor.readline("talk> ") {
        Ok(line) => {
            // Without a history the line is only not offered again.
            let _ = editor.add_history_entry(line.as_str());
            Ok(Some(line))
        }
        Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
        Err(error) => Err(no_terminal(error)),
    }
}

fn no_terminal(error: ReadlineError) -> Failure {
    Failure::new(Exit::InputOutput, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_a_text_even_if_it_is_q() {
        let arguments = ["q", "", "你好"].map(OsString::from).to_vec();
        let mut lines = Lines::new(arguments, false).unwrap();
        assert!(!lines.is_person());
        let mut next = || lines.next().unwrap();
        assert_eq!(next().as_deref(), Some("q"));
        assert_eq!(next().as_deref(), Some(""));
        assert_eq!(next().as_deref(), Some("你好"));
        assert_eq!(next(), None);
    }

    #[test]
    fn an_argument_must_be_text() {
        use std::os::unix::ffi::OsStringExt;
        let broken = OsString::from_vec(vec![0xff]);
        let failure = Lines::new(vec![broken], false).err().unwrap();
        assert_eq!(failure.exit, Exit::Usage);
    }
}

//! What one line typed in a chat asks for. Doing it is left to [`super`].

use crate::cli::exit::Failure;
use std::path::Path;

/// What one line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Nothing,
    Leave,
    Say(&'a str),
    File(&'a Path),
    Bot(&'a str),
}

impl<'a> Line<'a> {
    /// Splits at the first `|` only, so that a text may hold more of them. A word that is no
    /// command is text like any other; a command without its text or file is a mistake.
    pub(super) fn parse(line: &'a str) -> Result<Self, Failure> {
        let line = line.trim();
        let text = |text: &'a str, command: &str| match text.trim() {
            "" => Err(Failure::usage(format!("{command}| needs a text"))),
            _ => Ok(text),
        };
        Ok(match line.split_once('|') {
            _ if line.is_empty() => Self::Nothing,
            _ if matches!(line, "Q" | "q") => Self::Leave,
            Some(("msg", rest)) => Self::Say(text(rest, "msg")?),
            Some(("file", rest)) => Self::File(path(rest.trim())?),
            Some(("bot", rest)) => Self::Bot(text(rest, "bot")?),
            _ => Self::Say(line),
        })
    }
}

/// A path that ends in a name: there is no way to give another one here, and standard input is
/// where the lines come from.
fn path(text: &str) -> Result<&Path, Failure> {
    let path = Path::new(text);
    match path.file_name() {
        Some(_) if text != "-" => Ok(path),
        _ => Err(Failure::usage("file| needs the path of a file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    #[test]
    fn the_courses_input_is_understood() {
        assert_eq!(Line::parse("msg|你好"), Ok(Line::Say("你好")));
        let file = Line::parse("file| photo.png ").unwrap();
        assert_eq!(file, Line::File(Path::new("photo.png")));
        assert_eq!(Line::parse("Q"), Ok(Line::Leave));
    }

    #[test]
    fn any_other_line_is_text() {
        assert_eq!(Line::parse("你好"), Ok(Line::Say("你好")));
        assert_eq!(Line::parse("msg|a|b"), Ok(Line::Say("a|b")));
        assert_eq!(Line::parse("a|b"), Ok(Line::Say("a|b")));
        assert_eq!(Line::parse("msg|q"), Ok(Line::Say("q")));
        assert_eq!(Line::parse(" q "), Ok(Line::Leave));
        assert_eq!(Line::parse("bot|谁"), Ok(Line::Bot("谁")));
        assert_eq!(Line::parse("  "), Ok(Line::Nothing));
    }

    #[test]
    fn a_command_needs_what_it_is_about() {
        for (line, needed) in [
            ("msg|", "msg| needs a text"),
            ("bot| ", "bot| needs a text"),
            ("file|", "file| needs the path of a file"),
            ("file|-", "file| needs the path of a file"),
            ("file|/", "file| needs the path of a file"),
        ] {
            let failure = Line::parse(line).unwrap_err();
            assert_eq!((failure.exit, &*failure.sentence), (Exit::Usage, needed));
        }
    }
}

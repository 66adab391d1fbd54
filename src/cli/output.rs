//! Standard output, line by line, escaped, and at ease with a reader that has gone.

use super::exit::Failure;
use super::terminal::escape;
use serde_json::Value;
use std::fmt;
use std::io::{self, ErrorKind, Write};

/// What a command says on standard output, line by line.
///
/// A reader that has gone (`gatepost … | head -1`) is a normal end: from then on nothing is said,
/// and the command finishes what it was asked to do.
#[derive(Debug)]
pub(super) struct Output<W: Write = io::Stdout> {
    to: W,
    is_gone: bool,
}

impl Output {
    pub(super) fn stdout() -> Self {
        Self::new(io::stdout())
    }
}

impl<W: Write> Output<W> {
    fn new(to: W) -> Self {
        Self { to, is_gone: false }
    }

    /// Says one line, escaped.
    pub(super) fn line(&mut self, line: impl fmt::Display) -> Result<(), Failure> {
        let line = line.to_string();
        self.write(&escape(&line))
    }

    /// Says one line of JSON, which has no control characters; the marks stay, since a program
    /// reads it.
    pub(super) fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.write(&value.to_string())
    }

    /// Whether nobody reads any more.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    fn write(&mut self, line: &str) -> Result<(), Failure> {
        if self.is_gone {
            return Ok(());
        }
        let said = writeln!(self.to, "{line}").and_then(|()| self.to.flush());
        match said {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_gone = true;
                Ok(())
            }
            said => said.map_err(|error| Failure::from(error).about("standard output")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    /// A pipe whose reader leaves after some writes.
    struct Pipe {
        left: usize,
        kind: ErrorKind,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.left = self.left.checked_sub(1).ok_or(self.kind)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure_and_a_full_disk_is() {
        let pipe = |kind| Output::new(Pipe { left: 2, kind });
        let mut output = pipe(ErrorKind::BrokenPipe);
        for gone in [false, true, true] {
            output.line("x").unwrap();
            assert_eq!(output.is_gone(), gone);
        }
        let mut output = pipe(ErrorKind::StorageFull);
        output.line("x").unwrap();
        assert_eq!(output.line("y").unwrap_err().exit, Exit::InputOutput);
    }
}

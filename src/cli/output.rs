//! Standard output, line by line, escaped, and at ease with a reader that has gone.

use super::exit::Failure;
use super::terminal::{escape, escape_json};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;
use std::fmt;
use std::io::{self, ErrorKind, IsTerminal, Write};

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

    /// Looks whether anybody still reads, without saying anything.
    pub(super) fn look(&mut self) {
        let mut fds = [PollFd::new(&self.to, PollFlags::empty())];
        // A pipe without a reader is an error at any time; what can't be asked is read.
        let asked = poll(&mut fds, Some(&Timespec::default()));
        self.is_gone |= asked.is_ok() && fds[0].revents().contains(PollFlags::ERR);
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

    /// Says one line with checked names in it as it is, for programs; escaped where it goes to a
    /// terminal.
    pub(super) fn record(&mut self, line: impl fmt::Display) -> Result<(), Failure>
    where
        W: IsTerminal,
    {
        match self.to.is_terminal() {
            true => self.line(line),
            false => self.write(&line.to_string()),
        }
    }

    /// Says a text of several lines, each escaped.
    pub(super) fn block(&mut self, lines: &str) -> Result<(), Failure> {
        let lines: Vec<_> = lines.split('\n').map(escape).collect();
        self.write(&lines.join("\n"))
    }

    /// Says one line of JSON. It means the same to a program, and is harmless to a terminal.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string(value);
        let json = json.map_err(|error| Failure::from(io::Error::from(error)))?;
        self.write(&escape_json(&json))
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

//! Standard input and passwords: lines of a bounded length, and questions without echo.

use super::exit::{Exit, Failure};
use super::terminal::{complain, escape};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, BufRead, IsTerminal};

/// The longest line that is read from standard input, in bytes: 16 MiB.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// The next line of `input`, without its end; `None` at the end of the input.
pub(super) fn read_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let failed = |error: io::Error| Failure::from(error).about("standard input");
    io::Read::take(&mut *input, LONGEST_LINE + 1)
        .read_until(b'\n', &mut line)
        .map_err(failed)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() as u64 > LONGEST_LINE {
        return Err(Failure::new(
            Exit::InputOutput,
            format!("standard input: a line is longer than {LONGEST_LINE} bytes"),
        ));
    }
    Ok(Some(line))
}

/// Tells a person at a terminal, whom nothing else would, that lines are waited for.
pub(super) fn invite() {
    if io::stdin().is_terminal() {
        complain("one message a line; Ctrl-D ends");
    }
}

/// Whether reading standard input would not wait: there is something, or it has ended.
pub(super) fn has_input() -> bool {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    // A descriptor that can't be asked is taken for one that doesn't wait.
    poll(&mut fds, Some(&Timespec::default())) != Ok(0)
}

/// Where a password may come from, apart from `GATEPOST_PASSWORD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Only a person at the terminal: standard input is for something else.
    Person,
    /// A person, or a line of standard input when that is no terminal.
    PersonOrInput,
}

/// The password of `user`: from `GATEPOST_PASSWORD`, or asked for without echo.
pub(super) fn password(user: &str, ask: Ask) -> Result<String, Failure> {
    if let Ok(password) = std::env::var("GATEPOST_PASSWORD") {
        return Ok(password);
    }
    if ask == Ask::PersonOrInput && !io::stdin().is_terminal() {
        let line = read_line(&mut io::stdin().lock())?;
        let line = line.ok_or_else(|| Failure::usage("no password: standard input has ended"))?;
        return String::from_utf8(line)
            .map_err(|_| Failure::usage("the password on standard input is not UTF-8"));
    }
    let prompt = format!("Password for {}: ", escape(user));
    rpassword::prompt_password(prompt).map_err(|error| no_password(&error))
}

fn no_password(error: &io::Error) -> Failure {
    let no_such_device = rustix::io::Errno::NXIO.raw_os_error();
    let why = match error.raw_os_error() == Some(no_such_device) {
        true => "there is no terminal to ask at".to_owned(),
        false => error.to_string(),
    };
    Failure::usage(format!("no password: {why}; set GATEPOST_PASSWORD"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_is_another_way() {
        let failure = no_password(&rustix::io::Errno::NXIO.into());
        assert_eq!(
            failure.sentence,
            "no password: there is no terminal to ask at; set GATEPOST_PASSWORD"
        );
    }

    #[test]
    fn lines_lose_only_their_ends() {
        let mut input = &b"a \r\n\nlast"[..];
        let mut next = || read_line(&mut input).unwrap();
        assert_eq!(next().as_deref(), Some(&b"a "[..]));
        assert_eq!(next().as_deref(), Some(&b""[..]));
        assert_eq!(next().as_deref(), Some(&b"last"[..]));
        assert_eq!(next(), None);
    }
}

//! How the program ends: the exit codes in one table, against which the documents are tested, and
//! the one sentence that goes with a failure. Printing it is left to [`super`].

use super::terminal::escape;
use crate::client;
use crate::store::StoreError;
use crate::wire::Code;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All was done.
    Done = 0,
    /// The server refused.
    Refused = 1,
    /// The command line makes no sense, or not with these accounts.
    Usage = 2,
    /// Nobody listens at the server's address.
    NothingListens = 69,
    /// A fault in gatepost itself.
    Bug = 70,
    /// Reading or writing failed.
    InputOutput = 74,
    /// Not now, perhaps later.
    TryAgain = 75,
    /// A setting is wrong.
    Configuration = 78,
    /// A second SIGINT or SIGTERM ended it at once, or a first one a transfer.
    SecondSignal = 130,
}

/// Every exit code with its meaning, in the order of the numbers.
pub const EXITS: &[(u8, &str)] = &[
    (Exit::Done.number(), "Done."),
    (Exit::Refused.number(), "Refused by the server."),
    (
        Exit::Usage.number(),
        "Used wrongly: an unknown flag or subcommand, no password, or an account that is or isn't \
         there.",
    ),
    (
        Exit::NothingListens.number(),
        "Nothing listens at the server's address.",
    ),
    (Exit::Bug.number(), "A bug in gatepost."),
    (
        Exit::InputOutput.number(),
        "Input or output failed: a file, a folder or the connection.",
    ),
    (
        Exit::TryAgain.number(),
        "Try again later: the server is busy or going away, too many logins have failed, the port \
         is taken, another daemon serves the same home or is just making a damaged gatepost.db \
         anew, or something was stuck when the time for a graceful stop was over.",
    ),
    (Exit::Configuration.number(), "A setting is wrong."),
    (
        Exit::SecondSignal.number(),
        "Interrupted: by the first SIGINT or SIGTERM where files are sent or fetched, by a second one \
         elsewhere.",
    ),
];

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.number().into()
    }
}

/// Why a command failed, for the person at the shell. Shown with what foreign text it holds
/// escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// One sentence, in lower case without a full stop.
    pub sentence: String,
}

impl Failure {
    /// A failure with its sentence.
    #[must_use]
    pub fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self { exit, sentence }
    }

    /// The command line can't be right.
    #[must_use]
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::new(Exit::Usage, sentence)
    }

    /// This failure, saying then what can be done.
    #[must_use]
    pub fn and(self, advice: impl fmt::Display) -> Self {
        Self::new(self.exit, format!("{}; {advice}", self.sentence))
    }

    /// This failure, saying first what it is about: a file, a line.
    #[must_use]
    pub fn about(self, what: impl fmt::Display) -> Self {
        Self::new(self.exit, format!("{what}: {}", self.sentence))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.sentence))
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::InputOutput, error.to_string())
    }
}

impl Exit {
    /// How a command ends for which a store failed.
    pub(super) fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::Io(error) if error.kind() == io::ErrorKind::ResourceBusy => Self::TryAgain,
            _ => Self::InputOutput,
        }
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        let sentence = match &error {
            // The server greets in the course's Chinese; the rest of this program speaks English.
            client::Error::Refused(refused) if refused.code == Some(Code::BadLogin) => {
                format!("wrong user or wrong password ({})", Code::BadLogin)
            }
            client::Error::Refused(refused) if refused.code == Some(Code::LoginRequired) => {
                format!("{refused}; name a user with --user")
            }
            error => error.to_string(),
        };
        Self::new(exit_of(&error), sentence)
    }
}

impl From<client::Refused> for Failure {
    fn from(refused: client::Refused) -> Self {
        client::Error::Refused(refused).into()
    }
}

/// The one table from what can go wrong with a server to how the program ends.
fn exit_of(error: &client::Error) -> Exit {
    use client::Error;
    match error {
        Error::Address(_) | Error::Insecure | Error::Unsayable(_) => Exit::Usage,
        Error::Connect { .. } => Exit::NothingListens,
        Error::Refused(refused) if refused.is_passing() => Exit::TryAgain,
        Error::Refused(_) | Error::TooLong(_) => Exit::Refused,
        Error::Closed { going_away: true } => Exit::TryAgain,
        Error::Stopped => Exit::SecondSignal,
        Error::Broken(_)
        | Error::Nonsense(_)
        | Error::Closed { going_away: false }
        | Error::TimedOut(_)
        | Error::Untrusted(_)
        | Error::Unreadable(_)
        | Error::Unwritable(_)
        | Error::Io(_) => Exit::InputOutput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Error, Refused};
    use crate::wire::Fields;

    #[test]
    fn the_table_is_the_published_one() {
        let numbers: Vec<u8> = EXITS.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [0, 1, 2, 69, 70, 74, 75, 78, 130]);
        assert!(EXITS.iter().all(|(_, sentence)| sentence.ends_with('.')));
    }

    #[test]
    fn what_may_work_later_is_told_apart() {
        let refused = |code| {
            Error::Refused(Refused {
                code: Some(code),
                error: "no".to_owned(),
                fields: Fields::new(),
            })
        };
        let exit = |error: Error| Failure::from(error).exit;
        assert_eq!(exit(refused(Code::Busy)), Exit::TryAgain);
        assert_eq!(exit(refused(Code::GoingAway)), Exit::TryAgain);
        assert_eq!(exit(refused(Code::TooManyTries)), Exit::TryAgain);
        assert_eq!(exit(refused(Code::BadLogin)), Exit::Refused);
        assert_eq!(
            Failure::from(refused(Code::BadLogin)).sentence,
            "wrong user or wrong password (bad_login)"
        );
        assert_eq!(
            Failure::from(refused(Code::LoginRequired)).sentence,
            "no (login_required); name a user with --user"
        );
        assert_eq!(exit(Error::Closed { going_away: true }), Exit::TryAgain);
        assert_eq!(exit(Error::Closed { going_away: false }), Exit::InputOutput);
        assert_eq!(
            exit("x:0".parse::<client::Address>().unwrap_err().into()),
            Exit::Usage
        );
    }

    #[test]
    fn a_servers_sentence_cannot_drive_the_terminal() {
        let failure = Failure::new(Exit::Refused, "no \x1b[2J").about("a\nb");
        assert_eq!(failure.to_string(), "a\\nb: no \\u{1b}[2J");
    }
}

//! How talking to a server can fail.

use super::AddressError;
use crate::conversation::Unsayable;
use crate::conversation::framed::Broken;
use crate::tls::Untrusted;
use crate::wire::{Code, Fields};
use std::fmt;
use std::io;
use std::time::Duration;

/// Why a call failed. After [`Refused`](Self::Refused), [`Insecure`](Self::Insecure),
/// [`TooLong`](Self::TooLong) and [`Unsayable`](Self::Unsayable) the connection is as good as
/// before; after any other it is over.
#[derive(Debug)]
pub enum Error {
    /// The server's address can't be one.
    Address(AddressError),
    /// No connection came about.
    Connect {
        /// The server, as `host:port`.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server said no. Also when it said so as its last word before it closed the connection.
    Refused(Refused),
    /// What the server sent breaks the protocol.
    Broken(Broken),
    /// What the server sent is framed, and still makes no sense; says what.
    Nonsense(String),
    /// The server closed the connection before all was answered.
    Closed {
        /// Whether it had said that it is going away.
        going_away: bool,
    },
    /// Nothing came and nothing could be sent for this long.
    TimedOut(Duration),
    /// What was to be sent could not be read, or changed while it was sent.
    Unreadable(io::Error),
    /// What came could not be kept.
    Unwritable(io::Error),
    /// A [`Stop`](super::Stop) was uttered.
    Stopped,
    /// The connection failed.
    Io(io::Error),
    /// A password's proof would have gone over a connection that others may read.
    Insecure,
    /// The server is not believed to be who it says it is. Nothing was sent to it.
    Untrusted(Untrusted),
    /// A text of this many bytes, which no frame can hold.
    TooLong(usize),
    /// A text that the conversation has no bytes for.
    Unsayable(Unsayable),
}

/// A server's coded no.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The stable word, `None` if this client does not know it; `fields` has it all the same.
    pub code: Option<Code>,
    /// The server's sentence. Foreign text: escape it before it reaches a terminal.
    pub error: String,
    /// Everything the refusal says, such as `retry_after_ms`.
    pub fields: Fields,
}

impl Refused {
    /// The code's word, known or not.
    #[must_use]
    pub fn word(&self) -> &str {
        match self.code {
            Some(code) => code.word(),
            None => self.fields.text("code").ok().flatten().unwrap_or("unknown"),
        }
    }

    /// Whether the same request is worth another try later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self.code,
            Some(Code::Busy | Code::GoingAway | Code::TooManyTries)
        )
    }

    /// How long the server asks to be left alone, if it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let wait = self.fields.number("retry_after_ms").ok().flatten();
        wait.map(Duration::from_millis)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.error.is_empty() {
            f.write_str(self.word())
        } else {
            write!(f, "{} ({})", self.error, self.word())
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => error.fmt(f),
            Self::Connect { address, source } => match source.kind() {
                io::ErrorKind::ConnectionRefused => write!(f, "nothing listens at {address}"),
                _ => write!(f, "cannot connect to {address}: {source}"),
            },
            Self::Refused(refused) => refused.fmt(f),
            Self::Broken(broken) => write!(f, "the server sent {broken}"),
            Self::Nonsense(what) => write!(f, "the server sent {what}"),
            Self::Closed { going_away: true } => {
                f.write_str("the server is going away and closed the connection")
            }
            Self::Closed { going_away: false } => f.write_str("the server closed the connection"),
            Self::TimedOut(waited) => write!(
                f,
                "the server did not answer for {}",
                humantime::format_duration(*waited)
            ),
            Self::Unreadable(error) | Self::Unwritable(error) | Self::Io(error) => error.fmt(f),
            Self::Stopped => f.write_str("interrupted"),
            Self::Insecure => f.write_str(
                "a password would leave this machine unencrypted; give --insecure to send it all the same",
            ),
            Self::Untrusted(Untrusted {
                fingerprint,
                expected: Some(expected),
                ..
            }) => write!(
                f,
                "another server than the one that is known: its certificate has the SHA-256 \
                 fingerprint {fingerprint}, and should have {expected}"
            ),
            Self::Untrusted(untrusted) => write!(
                f,
                "the server is not known: its certificate, with the SHA-256 fingerprint {}, is not \
                 believed ({untrusted})",
                untrusted.fingerprint
            ),
            Self::TooLong(bytes) => write!(f, "a text of {bytes} bytes fits into no frame"),
            Self::Unsayable(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Address(error) => Some(error),
            Self::Connect { source, .. } => Some(source),
            Self::Broken(broken) => Some(broken),
            Self::Unsayable(why) => Some(why),
            Self::Unreadable(error) | Self::Unwritable(error) | Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl Error {
    /// Whether the connection ended or failed before the answer: what was asked may have been
    /// done, and nobody will say so here.
    #[must_use]
    pub const fn is_broken_off(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Io(_))
    }

    /// Whether another connection, perhaps later, may do better: the server is away, busy or at
    /// fault, rather than of another opinion.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::TimedOut(_) => true,
            Self::Refused(refused) => refused.is_passing() || refused.code == Some(Code::Internal),
            error => error.is_broken_off(),
        }
    }
}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl From<Unsayable> for Error {
    fn from(why: Unsayable) -> Self {
        Self::Unsayable(why)
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// What broke over the server's certificate says so.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let broken = error.get_ref().and_then(|inner| inner.downcast_ref());
        match broken.and_then(Untrusted::found_in) {
            Some(untrusted) => Self::Untrusted(untrusted.clone()),
            None => Self::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn nothing_listening_says_where() {
        let error = Error::Connect {
            address: "127.0.0.1:8001".to_owned(),
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        assert_eq!(error.to_string(), "nothing listens at 127.0.0.1:8001");
        assert!(error.source().is_some());
    }

    #[test]
    fn an_unknown_code_keeps_its_word() {
        let refused = Refused {
            code: None,
            error: String::new(),
            fields: Fields::new().with("code", "brand_new"),
        };
        assert_eq!(refused.to_string(), "brand_new");
        assert!(!refused.is_passing());
        assert!(!Error::Refused(refused).is_passing());
    }

    #[test]
    fn what_another_try_may_change_is_told_apart() {
        let refused = |code| Refused {
            code: Some(code),
            error: String::new(),
            fields: Fields::new().with("retry_after_ms", 1500),
        };
        let wait = refused(Code::Busy).retry_after();
        assert_eq!(wait, Some(Duration::from_millis(1500)));
        assert!(Error::Refused(refused(Code::Internal)).is_passing());
        assert!(Error::Closed { going_away: false }.is_passing());
        assert!(!Error::Refused(refused(Code::Forbidden)).is_passing());
        assert!(!Error::Nonsense(String::new()).is_passing());
    }
}

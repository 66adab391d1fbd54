//! Why a server could not start.

use crate::config::Listen;
use crate::store::StoreError;
use std::{fmt, io};

/// A server that could not start. Nothing of it is left running.
#[derive(Debug)]
pub enum ServeError {
    /// Somebody else listens there already.
    Taken(Listen),
    /// The address can't be listened on.
    Bind(Listen, io::Error),
    /// A listener that speaks TLS, and no certificate to show.
    NoIdentity(Listen),
    /// A listener that other machines reach requires a login, and there is no account.
    NoAccount(Listen),
    /// A store could not be opened: which one, and why.
    Store(&'static str, StoreError),
    /// The system gave no poller or no thread.
    System(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(listen) => write!(f, "{listen} is taken: another program listens there"),
            Self::Bind(listen, error) => write!(f, "can't listen on {listen}: {error}"),
            Self::NoIdentity(listen) => write!(f, "{listen} needs a certificate and its key"),
            Self::NoAccount(listen) => write!(
                f,
                "{listen} can be reached from other machines, and there is no account to log in with"
            ),
            Self::Store(which, error) => write!(f, "can't open {which}: {error}"),
            Self::System(error) => write!(f, "the system refused: {error}"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Taken(_) | Self::NoIdentity(_) | Self::NoAccount(_) => None,
            Self::Bind(_, error) | Self::System(error) => Some(error),
            Self::Store(_, error) => Some(error),
        }
    }
}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

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
            Self::Store(which, error) => write!(f, "can't open {which}: {error}"),
            Self::System(error) => write!(f, "the system refused: {error}"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Taken(_) => None,
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

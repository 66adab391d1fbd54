//! Where a setting came from, and what can be wrong with it. Every error is one line that names
//! the place, the value and what is taken there.

use super::super::terminal::escape;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// A key of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The key's line, from 1.
        line: usize,
        /// The key with its table, as in `limits.max_text`.
        key: String,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

/// What was said about a setting, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    /// One value; any number of them for a setting that is a list.
    pub(super) values: Vec<OsString>,
    /// Where.
    pub(super) source: Source,
}

/// What is wrong with the settings.
#[derive(Debug)]
pub enum SettingsError {
    /// A value that isn't taken.
    Value {
        /// Where it came from.
        source: Source,
        /// What was said there.
        value: String,
        /// Why it isn't taken, and what is.
        reason: String,
    },
    /// A key of a file that nothing is known of.
    UnknownKey {
        /// Where it stands.
        source: Source,
        /// What was perhaps meant.
        meant: Option<String>,
    },
    /// A file that is no TOML.
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line of the fault, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A file that can't be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, key } => {
                write!(f, "{}:{line}: {}", shown(path), escape(key))
            }
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value {
                source,
                value,
                reason,
            } => write!(f, "{source}: {value:?} {}", escape(reason)),
            Self::UnknownKey { source, meant } => {
                write!(f, "{source}: there is no such setting")?;
                match meant {
                    Some(meant) => write!(f, "; did you mean {meant}?"),
                    None => f.write_str("; gatepost serve --print-config shows all"),
                }
            }
            Self::Syntax { path, line, reason } => {
                write!(f, "{}:{line}: {}", shown(path), escape(reason))
            }
            Self::Unreadable { path, error } => {
                write!(f, "{}: can't be read: {error}", shown(path))
            }
        }
    }
}

impl std::error::Error for SettingsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            Self::Value { .. } | Self::UnknownKey { .. } | Self::Syntax { .. } => None,
        }
    }
}

fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy()).into_owned()
}

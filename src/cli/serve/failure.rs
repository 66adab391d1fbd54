//! What keeps a daemon from starting, as a sentence and an exit code.

use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::SettingsError;
use crate::config::Listen;
use crate::server::ServeError;
use std::io::{self, ErrorKind};

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::new(Exit::Configuration, error.to_string())
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        // In its own words; what can be done about it depends on more than the kind.
        let (exit, advice) = match &error {
            ServeError::Taken(_) => (
                Exit::TryAgain,
                Some("stop it, or name another port with --listen".to_owned()),
            ),
            ServeError::Bind(listen, error) => cant_bind(listen, error),
            ServeError::NoAccount(_) => (
                Exit::Configuration,
                Some("make one with gatepost user add NAME, or add --insecure".to_owned()),
            ),
            ServeError::NoIdentity(_) => (
                Exit::Configuration,
                Some(
                    "make them with gatepost cert, and name them with --tls-cert and --tls-key"
                        .to_owned(),
                ),
            ),
            ServeError::Store(..) | ServeError::System(_) => (Exit::InputOutput, None),
        };
        match advice {
            Some(advice) => Self::new(exit, format!("{error}; {advice}")),
            None => Self::new(exit, error.to_string()),
        }
    }
}

fn cant_bind(listen: &Listen, error: &io::Error) -> (Exit, Option<String>) {
    match error.kind() {
        ErrorKind::AddrNotAvailable => (
            Exit::Configuration,
            Some(format!(
                "this machine has no address {}",
                listen.address.ip()
            )),
        ),
        ErrorKind::PermissionDenied => (
            Exit::Configuration,
            Some("ports below 1024 are not for every user".to_owned()),
        ),
        _ => (Exit::InputOutput, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_cannot_be_bound_is_named() {
        let listen: Listen = "framed://127.0.0.1:81".parse().unwrap();
        let bind = |kind: ErrorKind| ServeError::Bind(listen.clone(), kind.into());
        for (error, exit, words) in [
            (
                ServeError::Taken(listen.clone()),
                Exit::TryAgain,
                "--listen",
            ),
            (
                bind(ErrorKind::AddrNotAvailable),
                Exit::Configuration,
                "no address 127.0.0.1",
            ),
            (
                bind(ErrorKind::PermissionDenied),
                Exit::Configuration,
                "below 1024",
            ),
            (
                bind(ErrorKind::OutOfMemory),
                Exit::InputOutput,
                "can't listen on",
            ),
        ] {
            let failure = Failure::from(error);
            assert_eq!(failure.exit, exit);
            assert!(
                failure.sentence.contains("framed://127.0.0.1:81"),
                "{failure}"
            );
            assert!(failure.sentence.contains(words), "{failure}");
        }
    }
}

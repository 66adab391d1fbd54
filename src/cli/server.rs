//! The arguments by which every client command finds its server.

use super::exit::Failure;
use super::input::{Ask, password};
use crate::client::{Address, Client};
use std::time::Duration;

/// Where the server is and who asks.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Server {
    /// The server: HOST:PORT or framed://HOST:PORT
    #[arg(
        long = "server",
        value_name = "SERVER",
        env = "GATEPOST_SERVER",
        default_value = "127.0.0.1:8001"
    )]
    pub(super) address: Address,
    /// Log in as this user first; the password is asked for, or taken from GATEPOST_PASSWORD
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// Send a password over an unencrypted connection to another machine
    #[arg(long)]
    pub(super) insecure: bool,
    /// How long the server may be silent while something is waited for
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(super) timeout: Duration,
}

impl Server {
    /// Connects without logging in.
    pub(super) fn connect_as_guest(&self) -> Result<Client, Failure> {
        let client = Client::connect_to(&self.address, self.timeout)?;
        Ok(client.with_insecure(self.insecure))
    }

    /// Connects, and logs in if a user was named.
    pub(super) fn connect(&self) -> Result<Client, Failure> {
        self.connect_with(self.login()?.as_ref())
    }

    /// Connects, and logs in if there is a user with a password.
    pub(super) fn connect_with(&self, login: Option<&(String, String)>) -> Result<Client, Failure> {
        let mut client = self.connect_as_guest()?;
        if let Some((user, password)) = login {
            client.login(user, password)?;
        }
        Ok(client)
    }

    /// The user that was named, with the password.
    pub(super) fn login(&self) -> Result<Option<(String, String)>, Failure> {
        let Some(user) = &self.user else {
            return Ok(None);
        };
        Ok(Some((user.clone(), password(user, Ask::Person)?)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What `line` means to a command that takes `A`, or the kind of its mistake.
    pub(in crate::cli) fn typed<A: clap::Args>(line: &[&str]) -> Result<A, clap::error::ErrorKind> {
        let command = A::augment_args(clap::Command::new("x"));
        let matches = command.try_get_matches_from(["x"].iter().chain(line));
        let matches = matches.map_err(|error| error.kind())?;
        A::from_arg_matches(&matches).map_err(|error| error.kind())
    }

    #[test]
    fn an_address_and_a_time_are_checked_when_typed() {
        let server: Server = typed(&["--server", "framed://[::1]", "--timeout", "2m"]).unwrap();
        assert_eq!(server.address.to_string(), "[::1]:8001");
        assert_eq!(server.timeout, Duration::from_secs(120));
        assert!(!server.insecure && server.user.is_none());
        for wrong in [["--server", "http://x"], ["--timeout", "soon"]] {
            let kind = typed::<Server>(&wrong).unwrap_err();
            assert_eq!(kind, clap::error::ErrorKind::ValueValidation);
        }
    }

    #[test]
    fn nothing_listening_is_its_own_exit() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let server: Server = typed(&["--server", &address]).unwrap();
        let failure = server.connect().unwrap_err();
        assert_eq!(failure.exit, crate::cli::exit::Exit::NothingListens);
    }
}

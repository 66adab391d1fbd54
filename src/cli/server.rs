//! The arguments by which every client command finds its server.

use super::exit::Failure;
use super::input::{Ask, password};
use super::settings::units;
use super::state::tokens::{KeptToken, Tokens};
use super::terminal::complain;
use super::trust::{self, Belief};
use crate::client::{Address, Client, Error, Poster, Welcome};
use crate::config::{DEFAULT_PORT, Unit};
use crate::time::Random;
use crate::wire::{Code, Token};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// Where the server is, and how to reach it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// The server: HOST:PORT, framed://HOST:PORT, or inside TLS framed+tls://HOST:PORT
    #[arg(
        long = "server",
        value_name = "SERVER",
        env = "GATEPOST_SERVER",
        default_value = "127.0.0.1:8001"
    )]
    pub(super) address: Address,
    /// Send a password over an unencrypted connection to another machine
    #[arg(long)]
    pub(super) insecure: bool,
    #[command(flatten)]
    pub(super) belief: Belief,
    /// How long the server may be silent while something is waited for
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::time)]
    pub(super) timeout: Duration,
}

/// Where the server is and who asks.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Server {
    #[command(flatten)]
    pub(super) target: Target,
    /// Log in as this user first: with the token that an earlier login was given, or else with the
    /// password, which is asked for at the terminal, or taken from `GATEPOST_PASSWORD`; standard
    /// input is not read for it
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
}

impl Target {
    /// Connects without logging in.
    pub(super) fn connect(&self) -> Result<Client, Failure> {
        self.dial().map_err(explain)
    }

    fn dial(&self) -> Result<Client, Error> {
        let connect = |address: &Address| Client::connect_to(address, self.timeout);
        let client = self.belief.connect(&self.address, connect)?;
        Ok(client.with_insecure(self.insecure))
    }
}

/// Why a server was of no use, with advice where there is some.
pub(super) fn explain(error: Error) -> Failure {
    if let Error::Untrusted(untrusted) = &error {
        return trust::explain(untrusted);
    }
    let advice = advice(&error);
    let mut failure = Failure::from(error);
    failure.sentence.push_str(&advice);
    failure
}

/// How to start what is missing, where that can be done on this machine.
fn advice(error: &Error) -> String {
    let Error::Connect { address, source } = error else {
        return String::new();
    };
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    if !is_here || source.kind() != ErrorKind::ConnectionRefused {
        return String::new();
    }
    if host == "127.0.0.1" && port == DEFAULT_PORT.to_string() {
        return "; start it with: gatepost serve".to_owned();
    }
    format!("; start it with: gatepost serve --listen framed://{address}")
}

/// No token is kept for longer, whatever a server says: about 30 years.
const LONGEST_KEPT: Duration = Duration::from_secs(1_000_000_000);

/// How somebody logs in again without being asked.
#[derive(Clone)]
pub(super) struct Login {
    user: String,
    with: With,
}

#[derive(Clone)]
enum With {
    Token(Token),
    /// Where the server gave no token.
    Password(String),
}

impl Login {
    /// Who it is.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    fn log_in(&self, client: &mut Client) -> Result<(), Error> {
        match &self.with {
            With::Token(token) => client.login_with_token(token),
            With::Password(password) => client.login(&self.user, password),
        }
        .map(drop)
    }
}

impl Target {
    /// Logs `user` in by a password, and keeps the token that this is told. Where it can't be kept it
    /// is good for this one command.
    pub(super) fn log_in(
        &self,
        client: &mut Client,
        user: &str,
        password: String,
    ) -> Result<(Welcome, Login), Failure> {
        let welcome = client.login(user, &password).map_err(explain)?;
        let with = match (&welcome.token, welcome.expires_in) {
            (Some(token), Some(lifetime)) => {
                let kept = KeptToken {
                    server: self.address.url(),
                    user: user.to_owned(),
                    token: token.clone(),
                    expires: SystemTime::now() + lifetime.min(LONGEST_KEPT),
                };
                let keep = |tokens: Tokens| tokens.keep(&kept);
                if let Some(Err(error)) = Tokens::here().map(keep) {
                    complain(format_args!("the login is not kept: {error}"));
                }
                With::Token(token.clone())
            }
            _ => With::Password(password),
        };
        let user = user.to_owned();
        Ok((welcome, Login { user, with }))
    }
}

impl Server {
    /// Connects, and logs in if a user was named: with the token of an earlier login, or else with
    /// the password.
    pub(super) fn connect(&self) -> Result<Client, Failure> {
        Ok(self.enter()?.0)
    }

    /// Connects, and logs in as `login` says.
    pub(super) fn connect_with(&self, login: Option<&Login>) -> Result<Client, Failure> {
        self.dial(login).map_err(explain)
    }

    /// As [`connect_with`](Self::connect_with), for who tries again by itself.
    pub(super) fn dial(&self, login: Option<&Login>) -> Result<Client, Error> {
        let mut client = self.target.dial()?;
        if let Some(login) = login {
            login.log_in(&mut client)?;
        }
        Ok(client)
    }

    fn enter(&self) -> Result<(Client, Option<Login>), Failure> {
        let Some(user) = &self.user else {
            return Ok((self.target.connect()?, None));
        };
        let tokens = Tokens::here();
        let server = self.target.address.url();
        let token = tokens
            .as_ref()
            .and_then(|tokens| tokens.find(&server, user, SystemTime::now()));
        if let (Some(tokens), Some(token)) = (tokens, token) {
            let mut client = self.target.connect()?;
            let with = With::Token(token);
            let user = user.clone();
            let login = Login { user, with };
            match login.log_in(&mut client) {
                Ok(()) => return Ok((client, Some(login))),
                Err(Error::Refused(refused)) if refused.code == Some(Code::BadLogin) => {
                    // Ended, or a new password was set. That it stays costs one more question.
                    let _ = tokens.forget(&server, login.user());
                }
                Err(error) => return Err(explain(error)),
            }
        }
        // Asked for before the connection is made: where a login is required it would not wait.
        let password = password(user, Ask::Person)?;
        let mut client = self.target.connect()?;
        let (_, login) = self.target.log_in(&mut client, user, password)?;
        Ok((client, Some(login)))
    }

    /// Who posts messages here, logged in, and waits for at most `patience` for a server that was
    /// there and is away.
    pub(super) fn poster(&self, login: Option<Login>, patience: Duration) -> Poster {
        let server = self.clone();
        let connect = move || server.dial(login.as_ref());
        Poster::new(connect, patience, Random::system())
    }

    /// The flags that differ from what they are anyway, as they are typed.
    pub(super) fn typed(&self, words: &mut Vec<String>) {
        let Target {
            address,
            insecure,
            belief,
            timeout,
        } = &self.target;
        let address = address.url();
        if address != format!("127.0.0.1:{DEFAULT_PORT}") {
            words.push(format!("--server={address}"));
        }
        if *insecure {
            words.push("--insecure".to_owned());
        }
        if *timeout != Duration::from_secs(30) {
            let time = units::format(Unit::Time, timeout.as_millis() as u64);
            words.push(format!("--timeout={time}"));
        }
        belief.typed(words);
        words.extend(self.user.as_ref().map(|user| format!("--user={user}")));
    }

    /// How the user that was named logs in from now on, after a first login that went well.
    pub(super) fn login(&self) -> Result<Option<Login>, Failure> {
        if self.user.is_none() {
            return Ok(None);
        }
        let (client, login) = self.enter()?;
        // What was asked for is known.
        let _ = client.close();
        Ok(login)
    }

    /// The user that was named, with the password.
    pub(super) fn password(&self) -> Result<Option<(String, String)>, Failure> {
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
        let target = server.target;
        assert_eq!(target.address.to_string(), "[::1]:8001");
        assert_eq!(target.timeout, Duration::from_secs(120));
        assert!(!target.insecure && server.user.is_none());
        for wrong in [
            ["--server", "http://x"],
            ["--timeout", "soon"],
            ["--timeout", "0s"],
            ["--timeout", "1h30m"],
        ] {
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
        let advice = format!("start it with: gatepost serve --listen framed://{address}");
        assert!(failure.sentence.ends_with(&advice), "{failure}");
    }

    #[test]
    fn what_is_advised_can_be_done_here() {
        let advice = |address: &str, kind: ErrorKind| {
            advice(&Error::Connect {
                address: address.to_owned(),
                source: kind.into(),
            })
        };
        let refused = ErrorKind::ConnectionRefused;
        let default = advice("127.0.0.1:8001", refused);
        assert_eq!(default, "; start it with: gatepost serve");
        assert!(advice("[::1]:8001", refused).ends_with(" framed://[::1]:8001"));
        assert!(advice("localhost:9", refused).ends_with(" framed://localhost:9"));
        assert_eq!(advice("192.0.2.1:8001", refused), "");
        assert_eq!(advice("example.org:8001", refused), "");
        assert_eq!(advice("127.0.0.1:8001", ErrorKind::TimedOut), "");
    }
}

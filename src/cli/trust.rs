//! Whom a client believes to be its server where that is spoken to inside TLS: whom the system's roots
//! or a file's vouch for, or whose fingerprint is known; and, as with ssh, a person is asked about one
//! that nobody knows, once.

use super::exit::{Exit, Failure};
use super::input::read_line;
use super::state::servers::Servers;
use super::terminal::{complain, escape};
use crate::client::{Address, Error};
use crate::tls::{Fingerprint, Roots, Trust, Untrusted};
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

/// The flags about it, of every client.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Belief {
    /// With +tls: believe a server that these certificates, in PEM, vouch for, instead of the system's
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// With +tls: believe the server whose certificate has this SHA-256 fingerprint, and no other
    #[arg(long, value_name = "SHA256", conflicts_with = "tls_ca")]
    tls_fingerprint: Option<Fingerprint>,
    /// With +tls: believe a server that is not known yet without asking, and know it from now on
    #[arg(long, conflicts_with_all = ["tls_ca", "tls_fingerprint"])]
    tls_accept_new: bool,
}

impl Belief {
    /// What `connect` does with `address` once it is settled whom to believe there.
    ///
    /// # Errors
    ///
    /// What `connect` says; [`Error::Untrusted`] also of a server that nobody wanted to know.
    pub(super) fn connect<T>(
        &self,
        address: &Address,
        mut connect: impl FnMut(&Address) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if !address.is_encrypted() {
            return connect(address);
        }
        let servers = Servers::here();
        let Some(trust) = self.told(address, servers.as_ref())? else {
            return match connect(address) {
                Err(Error::Untrusted(untrusted)) if untrusted.expected.is_none() => {
                    self.meet(address, servers.as_ref(), &untrusted)?;
                    connect(
                        &address
                            .clone()
                            .trusting(Trust::Pinned(untrusted.fingerprint)),
                    )
                }
                result => result,
            };
        };
        connect(&address.clone().trusting(trust))
    }

    /// `address` with whom to believe there, found out before anything is said.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub(super) fn settle(&self, address: &Address, timeout: Duration) -> Result<Address, Error> {
        self.connect(address, |address| {
            if address.is_encrypted() {
                address.probe(timeout)?;
            }
            Ok(address.clone())
        })
    }

    /// The flags as they are typed.
    pub(super) fn typed(&self, words: &mut Vec<String>) {
        if let Some(file) = &self.tls_ca {
            words.push(format!("--tls-ca={}", file.to_string_lossy()));
        }
        if let Some(fingerprint) = &self.tls_fingerprint {
            words.push(format!("--tls-fingerprint={fingerprint}"));
        }
        if self.tls_accept_new {
            words.push("--tls-accept-new".to_owned());
        }
    }

    /// Whom to believe, by the flags or because the server is known.
    fn told(&self, address: &Address, servers: Option<&Servers>) -> Result<Option<Trust>, Error> {
        if let Some(fingerprint) = self.tls_fingerprint {
            return Ok(Some(Trust::Pinned(fingerprint)));
        }
        let about = |path: &std::path::Path, error: &dyn std::fmt::Display| {
            let path = escape(&path.to_string_lossy()).into_owned();
            Error::Unreadable(io::Error::other(format!("{path}: {error}")))
        };
        if let Some(file) = &self.tls_ca {
            let text = std::fs::read(file).map_err(|error| about(file, &error))?;
            let roots = Roots::from_pem(&text).map_err(|error| about(file, &error))?;
            return Ok(Some(Trust::Roots(roots)));
        }
        let Some(servers) = servers else {
            return Ok(None);
        };
        let known = servers.find(&address.to_string());
        let known = known.map_err(|error| about(servers.file(), &error))?;
        Ok(known.map(Trust::Pinned))
    }

    /// Gets to know a server, if somebody wants to.
    fn meet(
        &self,
        address: &Address,
        servers: Option<&Servers>,
        untrusted: &Untrusted,
    ) -> Result<(), Error> {
        let fingerprint = untrusted.fingerprint;
        if !self.tls_accept_new && !asks(address, untrusted) {
            return Err(Error::Untrusted(untrusted.clone()));
        }
        let kept = match servers {
            Some(servers) => servers.keep(&address.to_string(), fingerprint),
            None => Err(io::Error::other("there is no home folder")),
        };
        match kept {
            Ok(()) => complain(format_args!(
                "{address} is known from now on by the SHA-256 fingerprint {fingerprint}"
            )),
            Err(error) => complain(format_args!("{address} is believed, and not kept: {error}")),
        }
        Ok(())
    }
}

/// Asks the person at the terminal, if there is one, whether to believe a server.
fn asks(address: &Address, untrusted: &Untrusted) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    complain(format_args!("{address} is not known: {untrusted}"));
    complain("the SHA-256 fingerprint of its certificate:");
    complain(untrusted.fingerprint);
    complain("type yes to believe it from now on, if gatepost cert printed the same there");
    let line = read_line(&mut io::stdin().lock());
    line.is_ok_and(|line| line.is_some_and(|line| line.trim_ascii() == b"yes"))
}

/// What to do about a server that was not believed.
pub(super) fn explain(untrusted: &Untrusted) -> Failure {
    let failure = Failure::from(Error::Untrusted(untrusted.clone()));
    let advice = match untrusted.expected {
        Some(_) => {
            let known = Servers::here().map(|servers| servers.file().display().to_string());
            format!(
                "somebody may sit between: nothing was sent. If the server was given a new \
                 certificate, give its --tls-fingerprint, or take its line out of {}",
                known.unwrap_or_else(|| "known_servers".to_owned())
            )
        }
        None => "if that is the fingerprint that gatepost cert printed on the server, give it as \
                 --tls-fingerprint, or add --tls-accept-new to know the server from now on"
            .to_owned(),
    };
    debug_assert_eq!(failure.exit, Exit::InputOutput);
    failure.and(advice)
}

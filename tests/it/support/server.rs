//! The library's server in this process, in a home of its own, on ports that the system chose.

use super::{Peer, write_accounts};
use gatepost::config::Config;
use gatepost::handler::Hidden;
use gatepost::server::{Handle, ServeError, Server, Summary};
use std::net::SocketAddr;
use std::path::Path;
use std::thread::{self, JoinHandle};
use tempfile::TempDir;

/// A running server. Dropped, it is drained.
pub(crate) struct Served {
    handle: Handle,
    /// Its end, awaited on a thread of its own, as the program does.
    end: Option<JoinHandle<Summary>>,
    address: SocketAddr,
    home: TempDir,
}

impl Served {
    /// Starts one with the defaults, few threads, and whatever `change` sets.
    #[track_caller]
    pub(crate) fn start(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_accounts(&[], change)
    }

    /// Starts one that knows `accounts`, by name and password.
    #[track_caller]
    pub(crate) fn with_accounts(
        accounts: &[(String, String)],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        write_accounts(home.path(), accounts);
        Self::at(home, change)
    }

    /// Starts one in a home that may have been another's.
    #[track_caller]
    pub(crate) fn at(home: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        Self::try_at(home, change).expect("the server starts")
    }

    /// The same.
    ///
    /// # Errors
    ///
    /// Why it does not start.
    pub(crate) fn try_at(
        home: TempDir,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self, ServeError> {
        let mut config = Config::at(home.path());
        config.limits.workers = 6;
        change(&mut config);
        let server = Server::start(config, Box::new(Hidden))?;
        let address = server.addresses()[0].address;
        let handle = server.handle();
        let end = Some(thread::spawn(|| server.wait()));
        Ok(Self {
            handle,
            end,
            address,
            home,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its home folder.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A new client.
    #[track_caller]
    pub(crate) fn peer(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// Asks it to end.
    pub(crate) fn begin_drain(&self) {
        self.handle.drain();
    }

    /// Drains it and tells what it has done, and its home.
    #[track_caller]
    pub(crate) fn drain(mut self) -> (Summary, TempDir) {
        let summary = self.end();
        let home = std::mem::replace(&mut self.home, tempfile::tempdir().unwrap());
        (summary.expect("it ends once"), home)
    }

    fn end(&mut self) -> Option<Summary> {
        self.begin_drain();
        let end = self.end.take()?;
        Some(end.join().expect("the server does not panic"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Before the home goes.
        self.end();
    }
}

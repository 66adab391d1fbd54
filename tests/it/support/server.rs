//! The library's server in this process, in a home of its own, on ports that the system chose.

use super::{Peer, write_accounts};
use gatepost::config::Config;
use gatepost::handler::Hidden;
use gatepost::server::{Server, Summary};
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;

/// A running server. Dropped, it is drained.
pub(crate) struct Served {
    // Before the home: the server is gone when the folder goes.
    server: Option<Server>,
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
        let mut config = Config::at(home.path());
        config.limits.workers = 6;
        change(&mut config);
        let server = Server::start(config, Box::new(Hidden)).expect("the server starts");
        let address = server.addresses()[0].address;
        Self {
            server: Some(server),
            address,
            home,
        }
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

    /// The server.
    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("it is only taken at its end")
    }

    /// Drains it and tells what it has done, and its home.
    #[track_caller]
    pub(crate) fn drain(mut self) -> (Summary, TempDir) {
        let server = self.server.take().expect("it is only taken at its end");
        server.handle().drain();
        let summary = server.wait();
        let home = std::mem::replace(&mut self.home, tempfile::tempdir().unwrap());
        (summary, home)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.handle().drain();
            let _ = server.wait();
        }
    }
}

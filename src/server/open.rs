//! A server over what lies in its home folder: opens the stores and furnishes the house.

use super::acceptor;
use super::datagrams;
use super::error::ServeError;
use super::start::Server;
use crate::budget::Budget;
use crate::config::{Config, Limits, Listen, Scheme};
use crate::gate::Gate;
use crate::handler::{Counters, House, Presence, Show, rooms, watch, watch_files};
use crate::store::{Database, FileLimits, Files, Folder, Messages, Retention, Users, UsersFile};
use crate::time::{Clock, Random};
use crate::tls::Shown;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

impl Server {
    /// Starts a server as `config` says: binds its listeners, opens the stores in its home folder
    /// and creates what is missing there. What it takes is shown by `show`.
    ///
    /// Whoever calls this sees to it that no other server is at work in the same home.
    ///
    /// # Errors
    ///
    /// [`ServeError`]; nothing is then left running.
    pub fn start(config: Config, show: Box<dyn Show>) -> Result<Self, ServeError> {
        // Ports first: a second server on the same one should not touch the first one's files.
        let listeners = bind_all(&config)?;
        let shown = config.identity.clone().map(Shown::new);
        let house = furnish(config, show)?;
        Self::run(house, listeners, shown)
    }

    /// Starts a server with stores of the caller's own.
    ///
    /// # Errors
    ///
    /// [`ServeError`]; nothing is then left running.
    pub fn with_house(config: &Config, house: House) -> Result<Self, ServeError> {
        let listeners = bind_all(config)?;
        let shown = config.identity.clone().map(Shown::new);
        Self::run(house, listeners, shown)
    }
}

/// What is listened on.
pub(super) enum Listener {
    /// Connections are accepted.
    Connections(TcpListener),
    /// Datagrams are received.
    Datagrams(UdpSocket),
}

fn bind_all(config: &Config) -> Result<Vec<(Listen, Listener)>, ServeError> {
    let bind = |listen: &Listen| {
        if listen.tls && config.identity.is_none() {
            return Err(ServeError::NoIdentity(listen.clone()));
        }
        let (listener, address) = bind(listen).map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => ServeError::Taken(listen.clone()),
            _ => ServeError::Bind(listen.clone(), error),
        })?;
        let listen = Listen {
            address,
            ..listen.clone()
        };
        Ok((listen, listener))
    };
    config.listen.iter().map(bind).collect()
}

/// Opens one listener, and tells the address that it got.
fn bind(listen: &Listen) -> std::io::Result<(Listener, SocketAddr)> {
    if listen.scheme == Scheme::Udp {
        let socket = datagrams::bind(listen)?;
        let address = socket.local_addr()?;
        return Ok((Listener::Datagrams(socket), address));
    }
    let listener = acceptor::bind(listen)?;
    let address = listener.local_addr()?;
    Ok((Listener::Connections(listener), address))
}

/// Opens what lies in the home folder.
pub(super) fn furnish(config: Config, show: Box<dyn Show>) -> Result<House, ServeError> {
    let (home, clock, random) = (config.home, Clock::system(), Random::system());
    let users = UsersFile::open(home.join("users.txt"), clock.clone())
        .map_err(|error| ServeError::Store("users.txt", error))?;
    let needs_account =
        |listen: &&Listen| !listen.address.ip().is_loopback() && listen.scheme.knows_logins();
    if let Some(listen) = config.listen.iter().find(needs_account)
        && !config.insecure
        && users.is_empty()
    {
        return Err(ServeError::NoAccount(listen.clone()));
    }
    let limits = &config.limits;
    let retention = Retention::new(limits.messages_kept_for, limits.messages_kept_bytes);
    let messages = Database::keeping(&home, clock.clone(), &random, retention)
        .map_err(|error| ServeError::Store("the messages", error))?;
    let messages = Arc::new(messages);
    let database = Arc::clone(&messages);
    let limits = file_limits(&config.limits);
    let files = Folder::open(&home, database, &limits, clock.clone(), random.clone())
        .map_err(|error| ServeError::Store("the folder uploads", error))?;
    let (show, counters): (Arc<dyn Show>, Arc<Counters>) = (show.into(), Arc::default());
    files.observe(watch_files(&show, &counters));
    let budget = Budget::new(config.limits.max_buffers);
    let rooms = rooms(&config.limits, &budget);
    messages.observe(watch(&show, &counters, &rooms));
    let gate = Gate::with(Arc::new(users), clock.clone(), random.clone())
        .with_limits(&config.limits)
        .with_tokens(messages.clone())
        .with_bans(messages.clone());
    Ok(House {
        messages,
        files: Arc::new(files),
        rooms,
        gate,
        presence: Presence::default(),
        show,
        budget,
        limits: config.limits,
        salt: config.salt,
        insecure: config.insecure,
        clock,
        random,
        counters,
        draining: false.into(),
    })
}

fn file_limits(limits: &Limits) -> FileLimits {
    FileLimits {
        quota_per_user: limits.quota_per_user,
        quota: limits.quota,
        disk_reserve: limits.disk_reserve,
        partial_kept: limits.partial_kept,
    }
}

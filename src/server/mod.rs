//! Threads and sockets: the only code that has either. An acceptor a listener, one bounded queue,
//! a pool of workers of which one leads, a poller for parked connections, and an orderly end.
//!
//! What the bytes mean is left to [`crate::conversation`], what is done about it to
//! [`crate::dispatch`].

mod acceptor;
mod admission;
mod asleep;
mod connection;
mod core;
mod datagrams;
mod delivery;
mod encrypted;
mod end;
mod error;
mod feed;
mod handshake;
mod idle;
mod open;
mod outbox;
mod peers;
mod poller;
mod proxied;
mod pushing;
mod queue;
mod registry;
mod replies;
mod sending;
mod serving;
mod shutdown;
mod socket;
mod source;
mod start;
mod stream;
mod timers;
mod turn;
mod wait;
mod watch;
mod worker;

pub use error::ServeError;
pub use start::{Handle, Server, Summary};

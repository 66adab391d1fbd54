//! What all handlers share: the stores, the gate, the limits, and what is counted.

use crate::budget::Budget;
use crate::config::Limits;
use crate::gate::Gate;
use crate::store::{Files, Messages};
use crate::time::{Clock, Random};
use crate::wire::{RoomName, UserName};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// Everything a handler may ask for. One for the life of a server.
pub struct House {
    /// The messages.
    pub messages: Arc<dyn Messages>,
    /// The files.
    pub files: Arc<dyn Files>,
    /// Who is let in.
    pub gate: Gate,
    /// Where taken messages are shown.
    pub show: Box<dyn Show>,
    /// Every bound.
    pub limits: Limits,
    /// The memory that all connections share.
    pub budget: Budget,
    /// The salt that `hello` tells.
    pub salt: String,
    /// Whether secrets may be sent in the clear from beyond loopback.
    pub insecure: bool,
    /// The time of day.
    pub clock: Clock,
    /// Random bytes.
    pub random: Random,
    /// What has happened so far.
    pub counters: Counters,
    /// Set once the server drains.
    pub draining: AtomicBool,
}

/// What a server has done since it started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Requests served: answered, or taken where no answer was asked for.
    pub served: AtomicU64,
    /// Requests refused.
    pub refused: AtomicU64,
    /// Requests whose body never came whole, or that a shutdown cut off.
    pub cut_off: AtomicU64,
    /// Messages taken.
    pub messages: AtomicU64,
    /// Files published.
    pub files: AtomicU64,
}

/// Where taken messages and files are shown as they come. Must not block: a slow terminal may
/// never slow a sender.
pub trait Show: Send + Sync {
    /// A message was taken.
    fn message(&self, room: &RoomName, from: Option<&UserName>, text: &str);

    /// A file was published.
    fn file(&self, name: &str, bytes: u64, from: Option<&UserName>);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Hidden;

impl Show for Hidden {
    fn message(&self, _: &RoomName, _: Option<&UserName>, _: &str) {}
    fn file(&self, _: &str, _: u64, _: Option<&UserName>) {}
}

//! The one place where work meets workers. Accepted connections wait in a bounded channel, whose
//! fullness only acceptors feel; everything that is already being served comes through an unbounded
//! one, so that nobody who drains the queue can block on filling it.

use super::connection::Connection;
use super::peers::Seat;
use super::shutdown::Guard;
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded, select, unbounded};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A connection that no worker has seen yet.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// Which listener took it.
    pub(super) listener: usize,
    /// Counts it as under way.
    pub(super) guard: Guard,
    /// Counts it among its address's connections.
    pub(super) seat: Seat,
}

/// One piece of work.
pub(super) enum Job {
    /// Wait on the poller: there is one lead, and who holds it is the leader.
    Lead,
    /// A new connection.
    Accepted(Accepted),
    /// Connections that the receiver of this job now owns.
    Ready(Vec<Arc<Connection>>),
    /// Go home.
    Stop,
}

pub(super) struct Queue {
    work: (Sender<Job>, Receiver<Job>),
    accepted: (Sender<Accepted>, Receiver<Accepted>),
}

impl Queue {
    /// A queue in which `bound` accepted connections may wait.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            work: unbounded(),
            accepted: bounded(bound),
        }
    }

    /// Sleeps until there is work.
    pub(super) fn take(&self) -> Job {
        // Both senders live as long as the queue, so neither side can be disconnected here.
        select! {
            recv(self.work.1) -> job => job.unwrap_or(Job::Stop),
            recv(self.accepted.1) -> accepted => accepted.map_or(Job::Stop, Job::Accepted),
        }
    }

    /// Takes work if there is any.
    pub(super) fn try_take(&self) -> Option<Job> {
        let accepted = || self.accepted.1.try_recv().ok().map(Job::Accepted);
        self.work.1.try_recv().ok().or_else(accepted)
    }

    /// Adds work. Never blocks.
    pub(super) fn push(&self, job: Job) {
        // The receiver lives as long as the sender.
        let _ = self.work.0.send(job);
    }

    /// Hands connections over, if there are any.
    pub(super) fn push_ready(&self, ready: Vec<Arc<Connection>>) {
        if !ready.is_empty() {
            self.push(Job::Ready(ready));
        }
    }

    /// Offers a new connection for at most `patience`; gives it back while the queue is full.
    pub(super) fn offer(&self, accepted: Accepted, patience: Duration) -> Option<Accepted> {
        match self.accepted.0.send_timeout(accepted, patience) {
            Ok(()) => None,
            Err(SendTimeoutError::Timeout(it) | SendTimeoutError::Disconnected(it)) => Some(it),
        }
    }
}

//! The one place where work meets workers: a line without a bound, so that nobody who drains it can
//! block on filling it, and a bounded channel of places for accepted connections, whose fullness only
//! acceptors feel. Workers sleep in the line: waiting on both at once cost a fifth of the
//! connections that can be taken in a second, and a channel's receivers yield the processor a few
//! times before they sleep, which is time that others want.

use super::connection::Connection;
use super::peers::Seat;
use super::shutdown::Guard;
use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
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
    work: Mutex<VecDeque<Job>>,
    /// Rung once for each job.
    bell: Condvar,
    /// A token for each accepted connection that waits for a worker.
    places: (Sender<()>, Receiver<()>),
}

impl Queue {
    /// A queue in which `bound` accepted connections may wait.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            work: Mutex::default(),
            bell: Condvar::new(),
            places: bounded(bound),
        }
    }

    /// Sleeps until there is work.
    pub(super) fn take(&self) -> Job {
        let mut work = self.work.lock();
        let job = loop {
            if let Some(job) = work.pop_front() {
                break job;
            }
            self.bell.wait(&mut work);
        };
        drop(work);
        self.taken(job)
    }

    /// Takes work if there is any.
    pub(super) fn try_take(&self) -> Option<Job> {
        let job = self.work.lock().pop_front()?;
        Some(self.taken(job))
    }

    /// Frees the place of a connection that waits no longer.
    fn taken(&self, job: Job) -> Job {
        if matches!(job, Job::Accepted(_)) {
            let _ = self.places.1.try_recv();
        }
        job
    }

    /// Adds work. Never blocks.
    pub(super) fn push(&self, job: Job) {
        self.work.lock().push_back(job);
        self.bell.notify_one();
    }

    /// Hands connections over, if there are any.
    pub(super) fn push_ready(&self, ready: Vec<Arc<Connection>>) {
        if !ready.is_empty() {
            self.push(Job::Ready(ready));
        }
    }

    /// Offers a new connection for at most `patience`; gives it back while the queue is full.
    pub(super) fn offer(&self, accepted: Accepted, patience: Duration) -> Option<Accepted> {
        if self.places.0.send_timeout((), patience).is_err() {
            return Some(accepted);
        }
        self.push(Job::Accepted(accepted));
        None
    }
}

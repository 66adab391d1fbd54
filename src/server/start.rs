//! A server's life: start, wait, drain, stop.

use super::acceptor::{self, Acceptor};
use super::admission::Admission;
use super::connection::PHASE;
use super::core::Core;
use super::error::ServeError;
use super::peers::Peers;
use super::poller::Poller;
use super::queue::{Job, Queue};
use super::registry::Registry;
use super::shutdown::{Phase, Shutdown};
use super::timers::Timers;
use super::worker::Worker;
use crate::config::{Config, Listen};
use crate::handler::House;
use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use threadpool::ThreadPool;

/// A running server. Dropped without [`wait`](Self::wait) it goes on for as long as the process.
pub struct Server {
    core: Arc<Core>,
    addresses: Vec<Listen>,
    acceptors: Vec<JoinHandle<()>>,
    workers: Workers,
    stop: Arc<OwnedFd>,
    drain: (Sender<()>, Receiver<()>),
}

/// The pool, and how its end is told: each loop holds a sender, and the last one to go ends the
/// channel. (`ThreadPool::join` knows no deadline.)
struct Workers {
    pool: ThreadPool,
    gone: Receiver<()>,
}

/// Asks a server to end, from any thread.
#[derive(Clone)]
pub struct Handle(Sender<()>);

/// What a server did in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Connections accepted.
    pub connections: u64,
    /// Requests served: answered, or taken where no answer was asked for.
    pub served: u64,
    /// Requests refused.
    pub refused: u64,
    /// Requests whose body never came whole, or that the end cut off.
    pub cut_off: u64,
    /// Messages taken.
    pub messages: u64,
    /// Files published.
    pub files: u64,
    /// Connections and threads that did not end in time.
    pub stuck: usize,
}

impl Handle {
    /// Begins a graceful stop. Returns at once; more than once does no harm.
    pub fn drain(&self) {
        // Full means that it was asked for already.
        let _ = self.0.try_send(());
    }
}

impl Server {
    /// Binds every listener of `config`, and serves `house` there.
    ///
    /// # Errors
    ///
    /// [`ServeError`]; nothing is then left running.
    pub fn with_house(config: &Config, house: House) -> Result<Self, ServeError> {
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for listen in &config.listen {
            let listener = acceptor::bind(listen).map_err(|error| match error.kind() {
                std::io::ErrorKind::AddrInUse => ServeError::Taken(listen.clone()),
                _ => ServeError::Bind(listen.clone(), error),
            })?;
            addresses.push(Listen {
                address: listener.local_addr()?,
                ..listen.clone()
            });
            listeners.push(listener);
        }
        let limits = &config.limits;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let core = Arc::new(Core {
            house,
            listeners: addresses.clone(),
            queue: Queue::new(limits.queue),
            poller: Poller::new()?,
            timers: Timers::default(),
            registry: Registry::default(),
            admission: Admission::new(limits.workers, cores),
            peers: Peers::default(),
            shutdown: Arc::new(Shutdown::default()),
        });
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(std::io::Error::from)?);
        let workers = start_workers(&core, limits.workers);
        let acceptors = start_acceptors(&core, listeners, &stop)?;
        Ok(Self {
            core,
            addresses,
            acceptors,
            workers,
            stop,
            drain: bounded(1),
        })
    }

    /// Where it listens, with the ports that the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[Listen] {
        &self.addresses
    }

    /// What asks it to end.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(self.drain.0.clone())
    }

    /// Serves until [`Handle::drain`] is called, then ends in an orderly way: accepts what was
    /// connecting, serves what was sent, says goodbye, and cuts off what is not done in time.
    /// Returns within the drain timeout and a second.
    #[must_use]
    pub fn wait(self) -> Summary {
        // An error would mean that no handle is left, and there is one in `self`.
        let _ = self.drain.1.recv();
        let limit = self.core.house.limits.drain_timeout;
        let begun = Instant::now();
        // The end needs some of the time: for what is told to those cut off, and for them to read it.
        let margin = (limit / 4).min(Duration::from_millis(2_500));
        self.core.house.draining.store(true, Ordering::Relaxed);
        self.enter(Phase::Draining);
        // Wakes every acceptor; never read, so it stays readable.
        let _ = rustix::io::write(&*self.stop, &1u64.to_ne_bytes());
        self.core.shutdown.wait_until(begun + limit - margin);
        self.enter(Phase::Cutting);
        let deadline = begun + limit;
        let connections = self.core.shutdown.wait_until(deadline);
        let mut stuck = connections;
        for acceptor in self.acceptors {
            stuck += usize::from(!acceptor.is_finished() && connections > 0);
            if connections == 0 {
                stuck += usize::from(acceptor.join().is_err());
            }
        }
        let workers = self.core.house.limits.workers;
        self.core.shutdown.enter(Phase::Stopped);
        (0..workers).for_each(|_| self.core.queue.push(Job::Stop));
        self.core.poller.wake();
        stuck += self
            .workers
            .stop(deadline.max(Instant::now() + Duration::from_millis(500)));
        self.core.house.messages.close();
        summary(&self.core, stuck)
    }
}

impl Server {
    /// Moves the shutdown on, and tells every connection.
    fn enter(&self, phase: Phase) {
        self.core.shutdown.enter(phase);
        self.core.notify_all(PHASE);
    }
}

impl Workers {
    /// Waits until all have gone home, or `deadline`. How many have not.
    fn stop(self, deadline: Instant) -> usize {
        // Nothing is ever sent: the channel ends when the last worker drops its sender.
        let _ = self.gone.recv_deadline(deadline);
        self.pool.active_count()
    }
}

fn start_workers(core: &Arc<Core>, workers: usize) -> Workers {
    let pool = threadpool::Builder::new()
        .num_threads(workers)
        .thread_name("worker".into())
        .build();
    let (here, gone) = bounded(0);
    for _ in 0..workers {
        let (core, here): (_, Sender<()>) = (Arc::clone(core), here.clone());
        pool.execute(move || {
            Worker::new(core).run();
            drop(here);
        });
    }
    core.queue.push(Job::Lead);
    Workers { pool, gone }
}

fn start_acceptors(
    core: &Arc<Core>,
    listeners: Vec<TcpListener>,
    stop: &Arc<OwnedFd>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let start = |(index, listener)| {
        let acceptor = Acceptor {
            core: Arc::clone(core),
            listener,
            index,
            stop: Arc::clone(stop),
        };
        let name = format!("acceptor-{index}");
        std::thread::Builder::new()
            .name(name)
            .spawn(move || acceptor.run())
    };
    listeners.into_iter().enumerate().map(start).collect()
}

fn summary(core: &Core, stuck: usize) -> Summary {
    let counters = &core.house.counters;
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    Summary {
        connections: read(&counters.connections),
        served: read(&counters.served),
        refused: read(&counters.refused),
        cut_off: read(&counters.cut_off),
        messages: read(&counters.messages),
        files: read(&counters.files),
        stuck,
    }
}

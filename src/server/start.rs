//! A server's life: start, wait, drain, stop.

use super::acceptor::Acceptor;
use super::connection::PHASE;
use super::core::Core;
use super::datagrams::Datagrams;
use super::delivery::Delivery;
use super::error::ServeError;
use super::open::Listener;
use super::queue::Job;
use super::shutdown::Phase;
use super::watch::Watch;
use super::worker::Worker;
use crate::config::Listen;
use crate::handler::House;
use crate::tls::{Identity, Shown};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use threadpool::ThreadPool;

/// A running server. Dropped without [`wait`](Self::wait) it goes on for as long as the process.
pub struct Server {
    core: Arc<Core>,
    addresses: Vec<Listen>,
    acceptors: Acceptors,
    workers: Workers,
    delivery: Delivery,
    watch: Watch,
    stop: Arc<OwnedFd>,
    drain: (Sender<()>, Receiver<()>),
}

/// The pool, and how its end is told: each loop holds a sender, and the last one to go ends the
/// channel. (`ThreadPool::join` knows no deadline.)
struct Workers {
    pool: ThreadPool,
    gone: Receiver<()>,
}

/// The acceptors' threads, and how their end is told: as with the workers.
struct Acceptors {
    threads: Vec<JoinHandle<()>>,
    gone: Receiver<()>,
}

/// Asks a server to end or to show another certificate, from any thread.
#[derive(Clone)]
pub struct Handle {
    drain: Sender<()>,
    shown: Option<Shown>,
}

/// What a server did in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    /// Datagrams that the kernel threw away before they were read.
    pub lost: u64,
    /// Connections and threads that did not end in time.
    pub stuck: usize,
}

impl Handle {
    /// Begins a graceful stop. Returns at once; more than once does no harm.
    pub fn drain(&self) {
        // Full means that it was asked for already.
        let _ = self.drain.try_send(());
    }

    /// Shows `identity` to whoever connects from now on. Connections that there are go on.
    pub fn show(&self, identity: Identity) {
        if let Some(shown) = &self.shown {
            shown.replace(identity);
        }
    }
}

impl Server {
    /// Serves `house` on `listeners`.
    pub(super) fn run(
        house: House,
        listeners: Vec<(Listen, Listener)>,
        shown: Option<Shown>,
    ) -> Result<Self, ServeError> {
        let (addresses, listeners): (Vec<_>, Vec<_>) = listeners.into_iter().unzip();
        let core = Arc::new(Core::new(house, addresses.clone(), shown)?);
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(std::io::Error::from)?);
        let workers = start_workers(&core);
        let delivery = Delivery::start(&core)?;
        let watch = Watch::start(&core)?;
        let acceptors = start_acceptors(&core, listeners, &stop)?;
        Ok(Self {
            core,
            addresses,
            acceptors,
            workers,
            delivery,
            watch,
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
        Handle {
            drain: self.drain.0.clone(),
            shown: self.core.shown.clone(),
        }
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
        // What the kernel had accepted for us is counted as under way once they are gone.
        let cutting = begun + limit - margin;
        let _ = self.acceptors.gone.recv_deadline(cutting);
        self.core.shutdown.wait_until(cutting);
        // A little before the deadline: no peer may make a thread of ours look stuck.
        self.core.shutdown.call_last(begun + limit - margin / 4);
        self.enter(Phase::Cutting);
        let deadline = begun + limit;
        let mut stuck = self.core.shutdown.wait_until(deadline);
        let patience = Duration::from_millis(500);
        stuck += self.acceptors.stop(deadline.max(Instant::now() + patience));
        self.core.shutdown.enter(Phase::Stopped);
        (0..self.core.house.limits.workers).for_each(|_| self.core.queue.push(Job::Stop));
        self.core.poller.wake();
        stuck += self.workers.stop(deadline.max(Instant::now() + patience));
        stuck += self
            .delivery
            .stop(&self.core, deadline.max(Instant::now() + patience));
        stuck += self.watch.stop(deadline.max(Instant::now() + patience));
        let closed = close_stores(&self.core, deadline.max(Instant::now() + patience));
        stuck += usize::from(!closed);
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
        // Nothing is ever sent: the channel ends when the last worker drops its sender. The pool
        // counts a worker for a moment longer, so it is asked only about those that are left.
        match self.gone.recv_deadline(deadline) {
            Err(RecvTimeoutError::Disconnected) => 0,
            _ => self.pool.active_count(),
        }
    }
}

impl Acceptors {
    /// Waits until all have ended, or `deadline`. How many have not.
    fn stop(self, deadline: Instant) -> usize {
        let ended = self.gone.recv_deadline(deadline) == Err(RecvTimeoutError::Disconnected);
        let end = |thread: JoinHandle<()>| {
            // A thread that ended is joined at once; one that did not is left to the process's end.
            usize::from(!ended || thread.join().is_err())
        };
        self.threads.into_iter().map(end).sum()
    }
}

fn start_workers(core: &Arc<Core>) -> Workers {
    let workers = core.house.limits.workers;
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
    listeners: Vec<Listener>,
    stop: &Arc<OwnedFd>,
) -> std::io::Result<Acceptors> {
    let (here, gone) = bounded::<()>(0);
    let start = |(index, listener)| {
        let (here, stop, core) = (here.clone(), Arc::clone(stop), Arc::clone(core));
        let mut run: Box<dyn FnMut() + Send> = match listener {
            Listener::Connections(listener) => {
                let acceptor = Acceptor {
                    core,
                    listener,
                    index,
                    stop,
                };
                Box::new(move || acceptor.run())
            }
            Listener::Datagrams(socket) => {
                let mut datagrams = Datagrams::new(core, socket, index, stop)?;
                Box::new(move || datagrams.run())
            }
        };
        std::thread::Builder::new()
            .name(format!("acceptor-{index}"))
            .spawn(move || {
                run();
                drop(here);
            })
    };
    let threads = listeners
        .into_iter()
        .enumerate()
        .map(start)
        .collect::<Result<_, _>>()?;
    Ok(Acceptors { threads, gone })
}

/// Commits what the stores of files and messages still have. `false` if that was not done by `deadline`: a disk may
/// be stuck, and the process must end all the same.
fn close_stores(core: &Core, deadline: Instant) -> bool {
    let files = Arc::clone(&core.house.files);
    let messages = Arc::clone(&core.house.messages);
    let (done, is_done) = bounded::<()>(0);
    let close = move || {
        // Files first: what is published last may be posted to a room.
        files.close();
        messages.close();
        drop(done);
    };
    let is_started = std::thread::Builder::new()
        .name("close".into())
        .spawn(close)
        .is_ok();
    is_started && is_done.recv_deadline(deadline) == Err(RecvTimeoutError::Disconnected)
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
        lost: read(&counters.lost),
        stuck,
    }
}

//! The acceptors: a thread a listener that waits for connections, applies their limits, and offers
//! them to the queue. What is not accepted yet waits in the kernel.

use super::core::Core;
use super::peers::Seat;
use super::queue::Accepted;
use super::shutdown::Phase;
use crate::config::Listen;
use crate::wire::{Code, Refusal};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Connections that the kernel keeps for us while we are busy. It holds this to
/// net.core.somaxconn, 4,096 by default.
const BACKLOG: i32 = 4_096;

/// Silence after which a connection is probed, and the pace and number of the probes: a peer that
/// vanished without a word is found after five minutes and a half.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(300), Duration::from_secs(10), 3);

/// How long to pause when descriptors or memory have run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens a listener.
pub(super) fn bind(listen: &Listen) -> io::Result<TcpListener> {
    let domain = if listen.address.is_ipv4() {
        Domain::IPV4
    } else {
        Domain::IPV6
    };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // On Linux the accepted sockets inherit these, which saves their system calls.
    socket.set_tcp_nodelay(true)?;
    let (idle, pace, probes) = KEEPALIVE;
    let keepalive = TcpKeepalive::new()
        .with_time(idle)
        .with_interval(pace)
        .with_retries(probes);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.bind(&listen.address.into())?;
    socket.listen(BACKLOG)?;
    // Only the listener: what it accepts is blocking.
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// One listener's thread.
pub(super) struct Acceptor {
    pub(super) core: Arc<Core>,
    pub(super) listener: TcpListener,
    /// Its place among the listeners.
    pub(super) index: usize,
    /// Readable for ever once the drain begins.
    pub(super) stop: Arc<OwnedFd>,
}

impl Acceptor {
    /// Accepts until the drain begins, then empties the backlog.
    pub(super) fn run(&self) {
        loop {
            // Asked before accepting: what connected before the drain began is accepted after it did,
            // also by a thread that had not come to run until then.
            let is_last = self.core.shutdown.phase() != Phase::Running;
            self.accept_all();
            if is_last {
                return;
            }
            self.wait();
        }
    }

    /// Waits for a connection or the drain.
    fn wait(&self) {
        let mut fds = [
            PollFd::new(&self.stop, PollFlags::IN),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        // Interrupted or not, what is there is looked for.
        let _ = poll(&mut fds, None);
    }

    fn accept_all(&self) {
        loop {
            self.wait_for_room();
            match self.listener.accept() {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_peers_fault(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "can't accept; trying again in a while");
                    std::thread::sleep(PAUSE);
                    // What ends during a drain gives its descriptor back.
                    if self.core.shutdown.phase() >= Phase::Cutting {
                        return;
                    }
                }
            }
        }
    }

    /// Waits while there are as many connections as allowed.
    fn wait_for_room(&self) {
        let limit = self.core.house.limits.max_connections;
        while self.core.shutdown.under_way() >= limit {
            self.core.make_room();
            if self.core.shutdown.phase() != Phase::Running {
                return;
            }
            self.core
                .shutdown
                .wait_for_less_than(limit, Instant::now() + PAUSE);
        }
    }

    /// A place for one more connection from `peer`, unless it has too many or nothing to do here.
    fn seat(&self, peer: SocketAddr) -> Option<Seat> {
        let core = &self.core;
        let listen = &core.listeners[self.index];
        if listen.proxy.is_empty() {
            return core.seat(peer);
        }
        if listen.believes(peer.ip()) {
            return Some(core.peers.standing());
        }
        let refusal = Refusal::new(Code::Forbidden, "only proxies may connect here");
        core.log_refusal(peer, &refusal);
        None
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let house = &self.core.house;
        house.counters.connections.fetch_add(1, Ordering::Relaxed);
        let Some(seat) = self.seat(peer) else {
            return;
        };
        let guard = self.core.shutdown.guard();
        self.core.make_room();
        let mut accepted = Accepted {
            stream,
            peer,
            listener: self.index,
            guard,
            seat,
        };
        // A full queue makes the acceptor wait, and with it the kernel's backlog. At the very end
        // of a drain there may be nobody left to take it.
        while let Some(back) = self.core.queue.offer(accepted, PAUSE) {
            if self.core.shutdown.phase() == Phase::Cutting {
                return;
            }
            accepted = back;
        }
    }
}

/// Whether accepting failed because of the one connection that was to be accepted: then the next
/// one is tried (see accept(2), "Error handling").
fn is_peers_fault(error: &io::Error) -> bool {
    use rustix::io::Errno;
    const TRANSIENT: &[Errno] = &[
        Errno::CONNABORTED,
        Errno::INTR,
        Errno::PROTO,
        Errno::NETDOWN,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::NETUNREACH,
    ];
    Errno::from_io_error(error).is_some_and(|errno| TRANSIENT.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::core::tests::core;
    use crate::server::queue::Job;
    use rustix::event::{EventfdFlags, eventfd};

    /// On a busy machine the thread of an acceptor may first run when its server has already been
    /// told to end. It accepted nothing then, and who had connected was cut off unheard.
    #[test]
    fn an_acceptor_that_comes_late_still_empties_the_backlog() {
        let (_home, core) = core(4);
        let listener = bind(&core.listeners[0]).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let acceptor = Acceptor {
            core: Arc::clone(&core),
            listener,
            index: 0,
            stop: Arc::new(eventfd(1, EventfdFlags::CLOEXEC).unwrap()),
        };
        core.shutdown.enter(Phase::Draining);
        acceptor.run();
        assert!(matches!(core.queue.try_take(), Some(Job::Accepted(_))));
        assert_eq!(core.shutdown.under_way(), 0);
    }
}

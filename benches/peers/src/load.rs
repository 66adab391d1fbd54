//! The load generator of the ping row: a closed loop over many connections in
//! one thread, on epoll. One thread, because its cost is then low and the same
//! for every server; what a connection says and hears is left to `connection`.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::limits::thread_cpu_time;
use crate::sample::{Latencies, Sample, latencies, nanoseconds};

/// Asked but not counted at the start, while caches and threads warm up.
const WARM_UP: Duration = Duration::from_millis(200);

/// In a closed loop something is always under way; a server that is silent
/// for this long has lost a request.
const PATIENCE_SECONDS: u16 = 10;

/// Events taken from the kernel at once. Few enough that an answer does not
/// wait long behind those taken with it.
const BATCH: usize = 128;

/// How hard to press.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    /// Requests in flight on each connection.
    pub(crate) depth: u32,
    pub(crate) length: Duration,
}

/// Presses `address` and tells what it stood.
pub(crate) fn measure(address: SocketAddr, dialect: Dialect, load: Load) -> anyhow::Result<Sample> {
    let mut generator = Generator::connect(address, dialect, load)?;
    generator.press(WARM_UP)?;
    generator.latencies.reset();
    let cpu = thread_cpu_time()?;
    let wall = generator.press(load.length)?;
    let cpu = thread_cpu_time()? - cpu;
    let count = generator.latencies.len();
    ensure!(count > 0, "not one request was answered in {wall:?}");
    Ok(Sample::new(&generator.latencies, count, wall, cpu))
}

struct Generator {
    epoll: Epoll,
    connections: Vec<Connection>,
    depth: usize,
    latencies: Latencies,
}

impl Generator {
    /// Opens all connections and sends the first requests on each.
    fn connect(address: SocketAddr, dialect: Dialect, load: Load) -> anyhow::Result<Self> {
        let mut generator = Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).context("opening epoll")?,
            connections: Vec::new(),
            depth: usize::try_from(load.depth)?,
            latencies: latencies(),
        };
        for index in 0..load.connections {
            let connection = Connection::open(address, dialect)?;
            let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::from(index));
            generator.epoll.add(connection.stream(), event)?;
            generator.connections.push(connection);
        }
        // Only now: else the first connections would have the server to
        // themselves while the last are still being opened.
        for index in 0..generator.connections.len() {
            generator.connections[index].ask(generator.depth, Instant::now())?;
            generator.watch_writing(index)?;
        }
        Ok(generator)
    }

    /// Sends a request for each answer for `length`; returns how long it was.
    fn press(&mut self, length: Duration) -> anyhow::Result<Duration> {
        let patience = EpollTimeout::from(PATIENCE_SECONDS * 1_000);
        let mut events = [EpollEvent::empty(); BATCH];
        let begin = Instant::now();
        while begin.elapsed() < length {
            let ready = match self.epoll.wait(&mut events, patience) {
                Err(Errno::EINTR) => continue,
                ready => ready.context("waiting for answers")?,
            };
            ensure!(ready > 0, "no answer for {PATIENCE_SECONDS} seconds");
            for event in &events[..ready] {
                self.serve(*event)?;
            }
        }
        Ok(begin.elapsed())
    }

    fn serve(&mut self, event: EpollEvent) -> anyhow::Result<()> {
        let index = usize::try_from(event.data())?;
        let connection = &mut self.connections[index];
        let wanted = connection.wants_to_write();
        if event.events().contains(EpollFlags::EPOLLOUT) {
            connection.flush()?;
        }
        // An error or a hang-up is no EPOLLIN; the read below reports it.
        if event.events() != EpollFlags::EPOLLOUT {
            let latencies = &mut self.latencies;
            let now = connection.receive(|asked, now| {
                let latency = nanoseconds(now - asked);
                latencies.record(latency).context("recording a latency")
            })?;
            connection.ask(self.depth, now)?;
        }
        if connection.wants_to_write() != wanted {
            self.watch_writing(index)?;
        }
        Ok(())
    }

    /// Has epoll tell of room to write for as long as something waits for it.
    fn watch_writing(&mut self, index: usize) -> anyhow::Result<()> {
        let connection = &self.connections[index];
        let mut interest = EpollFlags::EPOLLIN;
        interest.set(EpollFlags::EPOLLOUT, connection.wants_to_write());
        let mut event = EpollEvent::new(interest, u64::try_from(index)?);
        self.epoll
            .modify(connection.stream().as_fd(), &mut event)
            .context("changing what epoll watches")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::{echo, listen};

    fn press(connections: u32, depth: u32) -> Sample {
        let listener = listen().unwrap();
        let address = listener.local_addr().unwrap();
        // Serves until the tests' process ends.
        std::thread::spawn(move || echo::on_threads(&listener));
        let load = Load {
            connections,
            depth,
            length: Duration::from_millis(50),
        };
        measure(address, Dialect::Echo, load).unwrap()
    }

    #[test]
    fn an_echo_is_asked_and_answers() {
        let sample = press(3, 1);
        assert!(sample.rate > 0.0);
        assert!(0.0 < sample.p50 && sample.p50 <= sample.p99 && sample.p99 <= sample.p999);
    }

    #[test]
    fn more_in_flight_than_the_sockets_hold_still_flows() {
        // 68 bytes each: 6.8 MB, beyond what loopback's buffers take at once.
        assert!(press(1, 100_000).rate > 0.0);
    }

    #[test]
    fn a_wrong_answer_is_an_error() {
        let listener = listen().unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || echo::on_threads(&listener));
        let load = Load {
            connections: 1,
            depth: 1,
            length: Duration::from_millis(50),
        };
        assert!(measure(address, Dialect::Gatepost, load).is_err());
    }
}

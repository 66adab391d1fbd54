//! The connect row: threads that each connect, send one message and `close`,
//! and close, over and over. Nothing is answered, so two things need care.
//!
//! **The server must have taken what is counted.** A client that only connects
//! and sends measures the kernel, which accepts and buffers by itself until
//! the backlog (4,096) is full, and then drops handshakes for a second each.
//! So every thread waits, each time its share of `OUTSTANDING` connections is
//! out, until the server closes one more: the backlog is first in, first out,
//! so by then every connection before it was accepted. The backlog never
//! overflows, and the clock stops only after such a wait.
//!
//! **Source ports must not run out.** The side that closes first, here the
//! client, keeps the pair of addresses and ports in TIME_WAIT for 60 seconds.
//! One source address has some 28,000 ports: a second's worth. (Loopback's
//! `tcp_tw_reuse` frees them after a second, where it is at its default;
//! nothing here relies on it.) SO_LINGER 0 would avoid TIME_WAIT, but its reset
//! destroys data the server has not read. So the connections leave from 128
//! addresses of 127/8 in turn: 3.6 million ports, 60,000 connections a second
//! for ever. The server's address stays the one it was bound to.
//! IP_BIND_ADDRESS_NO_PORT lets `connect` pick the port, when the other end is
//! known and only the whole pair must be unique; `bind` would search for, and
//! claim, a port unique on that source address.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use socket2::{Domain, Socket, Type};

use crate::frames;
use crate::limits::thread_cpu_time;
use crate::sample::{Latencies, Sample, latencies, nanoseconds};
use crate::servers::course::CLOSE;

/// Source addresses, from 127.0.0.2 up.
const SOURCES: u32 = 128;

/// Connections that may be made and not yet known to be accepted, all threads
/// together: enough that a server never runs dry, well below the backlog.
const OUTSTANDING: u32 = 1024;

/// How long the server may take to close a connection after `close`.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the row showed, and how many conversations the server should have
/// counted for it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) sample: Sample,
    pub(crate) conversations: u64,
}

/// Has `threads` clients call on `address` for `length`.
pub(crate) fn measure(
    address: SocketAddr,
    threads: u32,
    length: Duration,
) -> anyhow::Result<Outcome> {
    let begin = Instant::now();
    let clients: Vec<_> = (0..threads)
        .map(|index| Client::new(address, index, threads))
        .map(|client| thread::spawn(move || client.run(begin + length)))
        .collect();
    let mut all = latencies();
    let mut conversations = 0;
    let mut cpu = Duration::ZERO;
    for client in clients {
        let done = client.join().map_err(|_| anyhow!("a client panicked"))??;
        all.add(&done.latencies).context("adding up latencies")?;
        conversations += done.conversations;
        cpu += done.cpu;
    }
    let sample = Sample::new(&all, conversations, begin.elapsed(), cpu);
    Ok(Outcome {
        sample,
        conversations,
    })
}

/// One thread's calls.
struct Client {
    address: SocketAddr,
    message: Vec<u8>,
    /// This thread's source addresses; no other thread leaves from them.
    sources: Vec<Ipv4Addr>,
    /// Connections made between two waits for the server.
    share: u32,
}

/// One thread's results.
struct Done {
    latencies: Latencies,
    conversations: u64,
    cpu: Duration,
}

impl Client {
    fn new(address: SocketAddr, index: u32, threads: u32) -> Self {
        let first = u32::from(Ipv4Addr::new(127, 0, 0, 2));
        let hosts = (index..SOURCES).step_by(threads as usize);
        Self {
            address,
            message: message(),
            sources: hosts.map(|host| Ipv4Addr::from(first + host)).collect(),
            share: (OUTSTANDING / threads).max(1),
        }
    }

    fn run(&self, until: Instant) -> anyhow::Result<Done> {
        let mut done = Done {
            latencies: latencies(),
            conversations: 0,
            cpu: Duration::ZERO,
        };
        let mut sources = self.sources.iter().cycle().copied();
        let mut next = || sources.next().context("a client without source addresses");
        while Instant::now() < until {
            for _ in 0..self.share {
                let begin = Instant::now();
                if begin >= until {
                    break;
                }
                drop(self.call(next()?)?);
                done.latencies.record(nanoseconds(begin.elapsed()))?;
                done.conversations += 1;
            }
            self.see_off(self.call(next()?)?)?;
            done.conversations += 1;
        }
        done.cpu = thread_cpu_time()?;
        Ok(done)
    }

    /// Connects from `source` and says everything there is to say.
    fn call(&self, source: Ipv4Addr) -> anyhow::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).context("a socket")?;
        setsockopt(&socket, IpBindAddressNoPort, &true).context("IP_BIND_ADDRESS_NO_PORT")?;
        socket
            .bind(&SocketAddr::from((source, 0)).into())
            .with_context(|| format!("leaving from {source}"))?;
        socket
            .connect(&self.address.into())
            .with_context(|| format!("reaching {} from {source}", self.address))?;
        let mut stream = TcpStream::from(socket);
        stream.write_all(&self.message).context("sending")?;
        Ok(stream)
    }

    /// Waits until the server has closed too. The sending side is shut first,
    /// so that the server sees just what it sees of every other client.
    fn see_off(&self, mut stream: TcpStream) -> anyhow::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.shutdown(Shutdown::Write).context("shutting")?;
        let count = stream
            .read(&mut [0; 64])
            .context("waiting for the server to close after `close`")?;
        ensure!(count == 0, "a message without an id was answered");
        Ok(())
    }
}

/// A message that wants no answer, and the end.
fn message() -> Vec<u8> {
    let mut bytes = Vec::new();
    frames::encode(br#"{"msg_type":"msg"}"#, &mut bytes);
    frames::encode(b"The gate is open; come in.", &mut bytes);
    frames::encode(CLOSE, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::{course, listen};
    use std::sync::Arc;

    #[test]
    fn every_conversation_is_taken_to_its_close() {
        let listener = listen().unwrap();
        let address = listener.local_addr().unwrap();
        let tally = Arc::new(course::Tally::default());
        let theirs = Arc::clone(&tally);
        // Serves until the tests' process ends.
        thread::spawn(move || course::on_threads(&listener, &theirs));
        let outcome = measure(address, 2, Duration::from_millis(100)).unwrap();
        assert!(outcome.conversations > 0);
        assert_eq!(tally.settled(), outcome.conversations);
    }

    #[test]
    fn no_two_threads_share_a_source_address() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let mut all: Vec<_> = (0..3)
            .flat_map(|index| Client::new(address, index, 3).sources)
            .collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), SOURCES as usize);
        assert!(!all.contains(&Ipv4Addr::LOCALHOST));
        assert!(all.iter().all(Ipv4Addr::is_loopback));
    }
}

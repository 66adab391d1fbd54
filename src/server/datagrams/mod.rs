//! The datagrams of one `udp://` listener: a thread that takes each to the handler of messages and
//! answers it once its ticket is redeemed. How many may be under way is bounded; what comes beyond
//! that waits in the kernel, and what finds no room there is lost, counted and told.

mod desk;
mod loss;
mod waiting;

use super::core::Core;
use super::shutdown::Phase;
use crate::config::{Listen, LoginPolicy};
use crate::conversation::udp;
use crate::dispatch;
use crate::handler::{Call, Outcome};
use crate::session::Session;
use crate::ticket::Redeemer;
use crate::wire::{Answer, Header, Refusal};
use desk::Desk;
use loss::Loss;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::net::sockopt;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use waiting::Waiting;

/// What the kernel may keep for us while we are busy, in bytes: 8 MiB. Without privileges it holds
/// this to net.core.rmem_max.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Datagrams that may wait for their answers at once.
const WINDOW: usize = 1_024;

/// No datagram is longer, in bytes.
const LONGEST: usize = 64 << 10;

/// How long to pause when memory has run out, ours or the kernel's, and how often the end is
/// looked at while one waits for the last answers.
const PAUSE: Duration = Duration::from_millis(50);

/// Opens a listener's socket.
pub(super) fn bind(listen: &Listen) -> io::Result<UdpSocket> {
    let domain = if listen.address.is_ipv4() {
        Domain::IPV4
    } else {
        Domain::IPV6
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    // Only root may pass the system's limit; anybody else gets as much as that allows.
    if sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    socket.bind(&listen.address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// One listener's thread.
pub(super) struct Datagrams {
    core: Arc<Core>,
    socket: UdpSocket,
    listen: Listen,
    /// Readable for ever once the drain begins.
    stop: Arc<OwnedFd>,
    desk: Arc<Desk>,
    redeemer: Arc<dyn Redeemer>,
    waiting: Waiting,
    loss: Loss,
}

/// Why no more was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// There is nothing more.
    Empty,
    /// As many wait for their answers as may.
    Full,
    /// There is no memory right now.
    Short,
}

impl Datagrams {
    /// Serves `socket`, listener number `index`, until `stop` is readable.
    pub(super) fn new(
        core: Arc<Core>,
        socket: UdpSocket,
        index: usize,
        stop: Arc<OwnedFd>,
    ) -> io::Result<Self> {
        let desk = Arc::new(Desk::new(Arc::clone(&core))?);
        Ok(Self {
            listen: core.listeners[index].clone(),
            core,
            socket,
            stop,
            redeemer: Arc::clone(&desk) as Arc<dyn Redeemer>,
            desk,
            waiting: Waiting::default(),
            loss: Loss::new(Instant::now()),
        })
    }

    /// Serves until the drain begins and what was there by then is answered, or time is short.
    pub(super) fn run(&mut self) {
        let mut buffer = vec![0; LONGEST];
        loop {
            let phase = self.core.shutdown.phase();
            self.answer_all();
            let stop = self.receive_all(&mut buffer);
            let is_done = stop == Stop::Empty && self.waiting.is_empty();
            if phase >= Phase::Cutting || phase == Phase::Draining && is_done {
                break;
            }
            self.wait(stop, phase);
            self.loss.look(&self.socket, &self.core, Instant::now());
        }
        let cut_off = self.waiting.len() as u64;
        let counters = &self.core.house.counters;
        counters.cut_off.fetch_add(cut_off, Ordering::Relaxed);
        self.loss.count(&self.socket, &self.core);
    }

    /// Answers what is stored by now.
    fn answer_all(&mut self) {
        for redeemed in self.desk.take() {
            let peer = self.waiting.remove(redeemed.slot);
            if let (Some(peer), Some(words)) = (peer, udp::words(&redeemed.answer)) {
                // An answer may get lost on its way as well, and nobody can tell which.
                let sent = self.socket.send_to(words.as_bytes(), peer);
                if let Err(error) = sent {
                    tracing::debug!(%peer, %error, "a datagram could not be answered");
                }
            }
        }
    }

    fn receive_all(&mut self, buffer: &mut [u8]) -> Stop {
        loop {
            if self.waiting.len() >= WINDOW {
                return Stop::Full;
            }
            if self.core.house.budget.is_spent() {
                return Stop::Short;
            }
            match self.socket.recv_from(buffer) {
                Ok((length, peer)) => self.take(&buffer[..length], peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Stop::Empty,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::warn!(%error, "can't receive datagrams; trying again in a while");
                    return Stop::Short;
                }
            }
        }
    }

    fn take(&mut self, datagram: &[u8], peer: SocketAddr) {
        self.loss.note_traffic();
        let slot = self.waiting.add(peer);
        let answer: Answer = match self.post(datagram, peer, slot) {
            Ok(Outcome::Ticket) => return,
            Ok(Outcome::Reply(reply)) => Ok(reply),
            Ok(Outcome::Sink(_) | Outcome::Source(..)) => Err(Refusal::internal()),
            Err(refusal) => Err(refusal),
        };
        self.waiting.remove(slot);
        self.core.count(answer.is_err());
        if let Err(refusal) = answer {
            self.core.log_refusal(peer, &refusal);
        }
    }

    /// Hands one datagram to the handler of messages.
    fn post(&self, datagram: &[u8], peer: SocketAddr, slot: u64) -> Result<Outcome, Refusal> {
        udp::text(datagram)?;
        let mut session = Session::new(peer, LoginPolicy::Off);
        if let Some(room) = &self.listen.room {
            session.room = room.clone();
        }
        let house = &self.core.house;
        let mut call = Call::new(house, &mut session, &self.redeemer, 0, slot);
        let header: Header = udp::header();
        let handler = dispatch::look_up(&header.msg_type);
        match dispatch::begin(handler, &mut call, &header)? {
            Outcome::Sink(mut sink) => {
                dispatch::write(sink.as_mut(), datagram)?;
                dispatch::finish(&mut call, sink)
            }
            outcome => Ok(outcome),
        }
    }

    /// Waits for a datagram, an answer or the drain.
    fn wait(&self, stop: Stop, phase: Phase) {
        let mut fds = Vec::with_capacity(3);
        fds.push(PollFd::new(self.desk.wake(), PollFlags::IN));
        if stop == Stop::Empty {
            fds.push(PollFd::new(&self.socket, PollFlags::IN));
        }
        if phase == Phase::Running {
            // Once it is known it would end every wait.
            fds.push(PollFd::new(&*self.stop, PollFlags::IN));
        }
        let is_busy = stop == Stop::Short || phase != Phase::Running;
        let timeout = if is_busy {
            Some(PAUSE)
        } else {
            self.loss.until_next_look(Instant::now())
        };
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        // Interrupted or not, what is there is looked for.
        let _ = poll(&mut fds, timeout.as_ref());
    }
}

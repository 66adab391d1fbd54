//! Where parked connections wait: one epoll instance, edge-triggered, on which only the leader
//! sleeps, and an eventfd by which anybody wakes it.
//!
//! Edge-triggered, because then a connection is registered once in its life: no system call for
//! parking or waking it. The price is that a turn must go on until the socket has nothing left.

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::io;
use std::time::Duration;

/// How many events the leader takes at once. A full batch means that there is work for a second
/// thread, and the lead is passed on; with 64 that came too soon, and the two threads took their
/// cores from the peers: 256 pinging connections had a p99 of 7 ms, and have 2.2 with 256.
pub(super) const BATCH: usize = 256;

/// The key of the wake-up, which no connection can have.
const WAKE: u64 = u64::MAX;

pub(super) struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
}

/// What became of a parked connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) key: u64,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer has ended or broken the stream: it must be read to its end.
    pub(super) ending: bool,
}

pub(super) type EventBuffer = Vec<epoll::Event>;

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let data = epoll::EventData::new_u64(WAKE);
        epoll::add(
            &epoll,
            &wake,
            data,
            epoll::EventFlags::IN | epoll::EventFlags::ET,
        )?;
        Ok(Self { epoll, wake })
    }

    /// Watches `stream` for input from now on; reports at once what is there already.
    pub(super) fn add(&self, stream: impl AsFd, key: u64) -> io::Result<()> {
        let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        Ok(epoll::add(
            &self.epoll,
            stream,
            epoll::EventData::new_u64(key),
            flags,
        )?)
    }

    /// Watches `stream`, which was added before, for room to write as well.
    pub(super) fn watch_output(&self, stream: impl AsFd, key: u64) -> io::Result<()> {
        use epoll::EventFlags as Flags;
        let flags = Flags::IN | Flags::OUT | Flags::RDHUP | Flags::ET;
        Ok(epoll::modify(
            &self.epoll,
            stream,
            epoll::EventData::new_u64(key),
            flags,
        )?)
    }

    /// Ends the leader's sleep.
    pub(super) fn wake(&self) {
        // Fails only when the counter is full, and then the leader is awake anyway.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Sleeps until something happens or `timeout` has passed, and tells what did.
    pub(super) fn wait(
        &self,
        buffer: &mut EventBuffer,
        timeout: Option<Duration>,
        mut tell: impl FnMut(Event),
    ) -> io::Result<usize> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        buffer.clear();
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(buffer),
            timeout.as_ref(),
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in buffer.iter() {
            let (key, flags) = (event.data.u64(), event.flags);
            if key == WAKE {
                let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
                continue;
            }
            let ending = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            let ending = flags.intersects(ending);
            tell(Event {
                key,
                readable: ending || flags.contains(epoll::EventFlags::IN),
                writable: ending || flags.contains(epoll::EventFlags::OUT),
                ending,
            });
        }
        Ok(buffer.len())
    }
}

//! The row `fanout`: one publisher, many readers of one room. Every reader must
//! hear every message, in order; some may be stalled on purpose and read
//! nothing. In one thread on epoll, like the row `ping`.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::inbox::Inbox;
use crate::limits::thread_cpu_time;
use crate::rooms::Room;
use crate::sample::{Latencies, Sample, latencies, nanoseconds};

/// Without a pace, so many messages are under way before the next is sent.
const WINDOW: u64 = 32;

/// Nothing heard for this long means that a message was lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// Events taken from the kernel at once.
const BATCH: usize = 128;

/// How hard to press.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fanout {
    /// Connections that read.
    pub(crate) readers: u32,
    /// Connections beside them that joined and read nothing.
    pub(crate) stalled: u32,
    /// Messages a second; without it as many as the readers take.
    pub(crate) pace: Option<u32>,
    pub(crate) length: Duration,
}

/// Has one publisher talk to all readers of `room` at `address`. The sample
/// counts deliveries, and times each from the publisher's write.
pub(crate) fn measure(address: SocketAddr, room: Room, fanout: Fanout) -> anyhow::Result<Sample> {
    let mut hall = Hall::open(address, room, fanout)?;
    let cpu = thread_cpu_time()?;
    let wall = hall.run()?;
    let cpu = thread_cpu_time()? - cpu;
    let count = hall.latencies.len();
    ensure!(count > 0, "not one message was heard in {wall:?}");
    Ok(Sample::new(&hall.latencies, count, wall, cpu))
}

/// One reader, and how far it has heard.
struct Reader {
    stream: TcpStream,
    inbox: Inbox,
    heard: u64,
}

struct Hall {
    room: Room,
    fanout: Fanout,
    epoll: Epoll,
    readers: Vec<Reader>,
    /// Kept open, never read.
    _stalled: Vec<TcpStream>,
    publisher: TcpStream,
    /// When each message was sent.
    sent: Vec<Instant>,
    /// How many readers have heard each message.
    heard: Vec<u32>,
    /// Every reader has heard so many messages.
    settled: u64,
    latencies: Latencies,
}

impl Hall {
    fn open(address: SocketAddr, room: Room, fanout: Fanout) -> anyhow::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).context("opening epoll")?;
        let join = || -> anyhow::Result<TcpStream> {
            let mut stream = TcpStream::connect(address).context("a reader")?;
            room.join(&mut stream)?;
            Ok(stream)
        };
        let stalled = (0..fanout.stalled)
            .map(|_| join())
            .collect::<Result<_, _>>()?;
        let mut readers = Vec::new();
        for index in 0..fanout.readers {
            let stream = join()?;
            stream.set_nonblocking(true)?;
            epoll.add(
                &stream,
                EpollEvent::new(EpollFlags::EPOLLIN, u64::from(index)),
            )?;
            readers.push(Reader {
                stream,
                inbox: Inbox::new(),
                heard: 0,
            });
        }
        let mut publisher = TcpStream::connect(address).context("the publisher")?;
        publisher.set_nodelay(true)?;
        room.introduce(&mut publisher)?;
        Ok(Self {
            room,
            fanout,
            epoll,
            readers,
            _stalled: stalled,
            publisher,
            sent: Vec::new(),
            heard: Vec::new(),
            settled: 0,
            latencies: latencies(),
        })
    }

    /// Publishes for the length asked for, then hears the rest out.
    fn run(&mut self) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        let mut last_heard = begin;
        loop {
            let now = Instant::now();
            let is_over = now - begin >= self.fanout.length;
            if is_over && self.settled == self.sent.len() as u64 {
                return Ok(now - begin);
            }
            ensure!(
                now - last_heard < PATIENCE,
                "messages were not heard by all"
            );
            if !is_over {
                self.publish(begin, now)?;
            }
            let mut events = [EpollEvent::empty(); BATCH];
            let ready = match self.epoll.wait(&mut events, self.nap(begin)) {
                Err(Errno::EINTR) => continue,
                ready => ready.context("waiting for messages")?,
            };
            if ready > 0 {
                last_heard = Instant::now();
            }
            for event in &events[..ready] {
                self.hear(usize::try_from(event.data())?)?;
            }
        }
    }

    /// How long to wait for readers before the publisher's next turn.
    fn nap(&self, begin: Instant) -> EpollTimeout {
        let due = self.due(begin, self.sent.len()).unwrap_or(begin);
        let wait = due.saturating_duration_since(Instant::now());
        let is_paced = self.fanout.pace.is_some();
        let milliseconds = if is_paced {
            wait.as_millis().min(100) as u16
        } else {
            100
        };
        EpollTimeout::from(milliseconds)
    }

    /// When message `number` leaves, where there is a pace.
    fn due(&self, begin: Instant, number: usize) -> Option<Instant> {
        let pace = f64::from(self.fanout.pace?);
        Some(begin + Duration::from_secs_f64(number as f64 / pace))
    }

    fn publish(&mut self, begin: Instant, now: Instant) -> anyhow::Result<()> {
        loop {
            let number = self.sent.len();
            let may_leave = match self.due(begin, number) {
                // Late ones count from when they should have left.
                Some(due) => due <= now,
                None => (number as u64) < self.settled + WINDOW,
            };
            if !may_leave {
                return Ok(());
            }
            let mut bytes = Vec::new();
            self.room.publish(number as u64, &mut bytes);
            self.publisher.write_all(&bytes).context("publishing")?;
            self.sent
                .push(self.due(begin, number).unwrap_or_else(Instant::now));
            self.heard.push(0);
        }
    }

    fn hear(&mut self, index: usize) -> anyhow::Result<()> {
        let reader = &mut self.readers[index];
        match reader.stream.read(reader.inbox.space()) {
            Ok(0) => anyhow::bail!("the server closed a reader"),
            Ok(count) => reader.inbox.received(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("reading a message"),
        }
        let now = Instant::now();
        let mut used = 0;
        while let Some((length, number)) = self.room.heard(&reader.inbox.bytes()[used..])? {
            used += length;
            ensure!(
                number == reader.heard,
                "a reader heard message {number} after {} others",
                reader.heard
            );
            reader.heard += 1;
            let at = usize::try_from(number)?;
            self.latencies.record(nanoseconds(now - self.sent[at]))?;
            self.heard[at] += 1;
        }
        reader.inbox.used(used);
        while self.heard.get(usize::try_from(self.settled)?) == Some(&self.fanout.readers) {
            self.settled += 1;
        }
        Ok(())
    }
}

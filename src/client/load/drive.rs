//! One thread that drives its share of the connections over one epoll.

use super::link::{Link, Work};
use super::report::Tally;
use crate::client::Error;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Readiness taken at once.
const BATCH: usize = 256;

/// How often the links are looked at for requests that have waited too long, and for the end.
const GLANCE: Duration = Duration::from_millis(50);

/// Keeps every link busy until `deadline`, then waits for what is under way.
pub(super) fn drive(links: Vec<Link>, work: &Work, deadline: Instant) -> Result<Tally, Error> {
    let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(io::Error::from)?;
    let mut driver = Driver {
        epoll,
        links: links.into_iter().map(Some).collect(),
        tally: Tally::new(),
        work,
        deadline,
    };
    driver.start()?;
    let mut events = Vec::with_capacity(BATCH);
    let mut glance = Instant::now();
    loop {
        let now = Instant::now();
        if now >= glance || now >= deadline {
            glance = now + GLANCE;
            if !driver.goes_on(now) {
                return Ok(driver.tally);
            }
        }
        let left = Timespec::try_from(glance - now).ok();
        events.clear();
        match epoll::wait(&driver.epoll, spare_capacity(&mut events), left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        for event in &events {
            driver.turn(event.data.u64());
        }
    }
}

struct Driver<'a> {
    epoll: OwnedFd,
    /// `None` where one has failed.
    links: Vec<Option<Link>>,
    tally: Tally,
    work: &'a Work,
    deadline: Instant,
}

impl Driver<'_> {
    fn start(&mut self) -> Result<(), Error> {
        for (key, link) in (0..).zip(self.links.iter().flatten()) {
            epoll::add(
                &self.epoll,
                &link.stream,
                EventData::new_u64(key),
                EventFlags::IN,
            )
            .map_err(io::Error::from)?;
        }
        for key in 0..self.links.len() as u64 {
            self.turn(key);
        }
        Ok(())
    }

    /// Gives one link its turn: what came is checked, new requests leave.
    fn turn(&mut self, key: u64) {
        let Some(slot) = usize::try_from(key)
            .ok()
            .and_then(|key| self.links.get_mut(key))
        else {
            return;
        };
        let Some(link) = slot else { return };
        let went = link.read(self.work, &mut self.tally).and_then(|()| {
            link.flush()?;
            if Instant::now() < self.deadline {
                link.fill(self.work)?;
            }
            if link.polled_for_output != link.has_output() {
                link.polled_for_output = link.has_output();
                let mut flags = EventFlags::IN;
                flags.set(EventFlags::OUT, link.polled_for_output);
                epoll::modify(&self.epoll, &link.stream, EventData::new_u64(key), flags)
                    .map_err(io::Error::from)?;
            }
            Ok(())
        });
        if let Err(error) = went {
            link.fail(&error, &mut self.tally);
            *slot = None;
        }
    }

    /// Whether there is still something to do; gives up links that wait for too long.
    fn goes_on(&mut self, now: Instant) -> bool {
        let mut busy = false;
        for slot in &mut self.links {
            let Some(link) = slot else { continue };
            let waited = link
                .waits_since()
                .map(|since| now.saturating_duration_since(since));
            if waited.is_some_and(|waited| waited >= self.work.timeout) {
                link.fail(&Error::TimedOut(self.work.timeout), &mut self.tally);
                *slot = None;
            } else {
                busy |= now < self.deadline || !link.is_idle();
            }
        }
        busy
    }
}

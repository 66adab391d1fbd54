//! Several couriers at once: each takes the next file as soon as it is done with one, and what
//! happens is told on the caller's thread.

use crate::cli::exit::{Exit, Failure};
use crate::cli::server::{Login, Server, explain};
use crate::client::{Courier, Error, News, Phase, Terms};
use crate::wire::Code;
use crossbeam_channel::{Sender, bounded};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Who carries files, and on which terms.
pub(in crate::cli) struct Crew {
    server: Server,
    login: Option<Login>,
    terms: Terms,
    jobs: usize,
}

/// What happens to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Told {
    /// It begins, and has so many bytes, where that is known.
    Begun(Option<u64>),
    /// So many of its bytes are hashed.
    Hashed(u64),
    /// It goes on from this offset.
    Resumed(u64),
    /// So many bytes have arrived, of so many.
    Moved(u64, u64),
    /// All bytes are on their way; the server makes them safe.
    Waiting,
    /// It broke off for this reason, and is tried again after a wait.
    Broken(String, Duration),
    /// It starts over.
    StartedOver,
}

/// What is heard of a file.
pub(in crate::cli) enum Heard<R> {
    /// Something happened.
    Told(Told),
    /// It is done, or failed.
    Done(Result<R, Failure>),
}

/// Why a file was not carried: it alone, or none after it can be either.
pub(in crate::cli) struct Failed {
    failure: Failure,
    ends_all: bool,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            ends_all: false,
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let ends_all = match &error {
            Error::Refused(refused) => matches!(
                refused.code,
                Some(
                    Code::BadLogin
                        | Code::TooManyTries
                        | Code::LoginRequired
                        | Code::GoingAway
                        | Code::Busy
                )
            ),
            Error::Unreadable(_) | Error::Unwritable(_) | Error::Nonsense(_) => false,
            _ => true,
        };
        Self {
            failure: explain(error),
            ends_all,
        }
    }
}

impl Told {
    /// What is told of `news`.
    fn of(news: &News<'_>) -> Self {
        match news {
            News::Hashed(bytes) => Self::Hashed(*bytes),
            News::Resumed(offset) => Self::Resumed(*offset),
            News::Sent(progress) if progress.phase == Phase::Waiting => Self::Waiting,
            News::Sent(progress) => Self::Moved(progress.confirmed, progress.size),
            News::Kept { bytes, size } => Self::Moved(*bytes, *size),
            News::Broken { error, wait } => Self::Broken(error.to_string(), *wait),
            News::StartedOver => Self::StartedOver,
        }
    }

    /// Whether a later one says the same better.
    const fn is_passing(&self) -> bool {
        matches!(self, Self::Hashed(_) | Self::Moved(..))
    }
}

/// How many events may wait to be told.
const EVENTS: usize = 256;

/// Where a courier tells what happens to the file that it carries.
pub(in crate::cli) struct Tell<'a, R> {
    task: usize,
    events: &'a Sender<(usize, Heard<R>)>,
}

impl<R> Tell<'_, R> {
    /// Tells something. What a later event says better is left out when too much waits.
    pub(in crate::cli) fn tell(&self, told: Told) {
        let is_passing = told.is_passing();
        let event = (self.task, Heard::Told(told));
        // Nobody hears it any more once the caller has failed.
        let _ = match is_passing {
            true => self.events.try_send(event).map_err(drop),
            false => self.events.send(event).map_err(drop),
        };
    }

    /// Tells what a courier has to say.
    pub(in crate::cli) fn news(&self, news: &News<'_>) {
        self.tell(Told::of(news));
    }
}

impl Crew {
    /// A crew of at most `jobs`, who log in if need be.
    pub(in crate::cli) fn new(
        server: Server,
        login: Option<Login>,
        terms: Terms,
        jobs: u16,
    ) -> Self {
        Self {
            server,
            login,
            terms,
            jobs: usize::from(jobs),
        }
    }

    /// Has each of `tasks` done by `carry`, several at once. `hear` is told what happens, and of
    /// every task once that it is done or failed; when it fails itself, all end.
    ///
    /// # Errors
    ///
    /// What `hear` fails with.
    pub(in crate::cli) fn work<T: Sync, R: Send>(
        &self,
        tasks: &[T],
        carry: impl Fn(&mut Courier<'_>, &T, &Tell<'_, R>) -> Result<R, Failed> + Sync,
        mut hear: impl FnMut(usize, Heard<R>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (next, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (events, heard) = bounded(EVENTS);
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(tasks.len()) {
                let (events, next, ended, carry) = (events.clone(), &next, &ended, &carry);
                scope.spawn(move || self.carry_all(tasks, (next, ended), carry, &events));
            }
            drop(events);
            let mut result = Ok(());
            for (task, event) in heard {
                if result.is_ok() {
                    result = hear(task, event);
                    if result.is_err() {
                        self.terms.stop.ask();
                    }
                }
            }
            result
        })
    }

    fn carry_all<T, R>(
        &self,
        tasks: &[T],
        (next, ended): (&AtomicUsize, &AtomicBool),
        carry: impl Fn(&mut Courier<'_>, &T, &Tell<'_, R>) -> Result<R, Failed>,
        events: &Sender<(usize, Heard<R>)>,
    ) {
        let connect = || self.server.dial(self.login.as_ref());
        let mut courier = Courier::new(connect, self.terms.clone());
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            let Some(what) = tasks.get(task) else { break };
            let done = match ended.load(Ordering::Relaxed) {
                true => Err(Failure::new(Exit::TryAgain, "not tried")),
                false => carry(&mut courier, what, &Tell { task, events }).map_err(|failed| {
                    ended.fetch_or(failed.ends_all, Ordering::Relaxed);
                    failed.failure
                }),
            };
            if events.send((task, Heard::Done(done))).is_err() {
                break;
            }
        }
        courier.leave();
    }
}

//! What all handlers share: the stores, the gate, the limits, and what is counted.

use super::Presence;
use crate::budget::Budget;
use crate::config::Limits;
use crate::gate::Gate;
use crate::rooms::{Bounds, Rooms};
use crate::store::{Arrival, FileWitness, Files, Kept, Messages, Witness};
use crate::time::{Clock, Random};
use crate::wire::{RoomName, UserName};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What may wait to be pushed to one connection, in bytes, while the memory of all is used up.
const LEAN_MAIL: usize = 16 << 10;

/// Everything a handler may ask for. One for the life of a server.
pub struct House {
    /// The messages.
    pub messages: Arc<dyn Messages>,
    /// The files.
    pub files: Arc<dyn Files>,
    /// Who reads which room.
    pub rooms: Arc<Rooms>,
    /// Who is let in.
    pub gate: Gate,
    /// Who is logged in where.
    pub presence: Presence,
    /// Where files are shown as they are published.
    pub show: Arc<dyn Show>,
    /// Every bound.
    pub limits: Limits,
    /// The memory that all connections share.
    pub budget: Budget,
    /// The salt that `hello` tells.
    pub salt: String,
    /// Whether secrets may be sent in the clear from beyond loopback.
    pub insecure: bool,
    /// The time of day.
    pub clock: Clock,
    /// Random bytes.
    pub random: Random,
    /// What has happened so far.
    pub counters: Arc<Counters>,
    /// Set once the server drains.
    pub draining: AtomicBool,
}

/// What a server has done since it started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Requests served: answered, or taken where no answer was asked for.
    pub served: AtomicU64,
    /// Requests refused.
    pub refused: AtomicU64,
    /// Requests whose body never came whole, or that a shutdown cut off.
    pub cut_off: AtomicU64,
    /// Messages taken.
    pub messages: AtomicU64,
    /// Files published.
    pub files: AtomicU64,
    /// Datagrams that the kernel threw away before they were read.
    pub lost: AtomicU64,
}

/// Where taken messages and files are shown as they come. Must not block: a slow terminal may
/// never slow a sender.
pub trait Show: Send + Sync {
    /// A message was taken.
    fn message(&self, room: &RoomName, from: Option<&UserName>, text: &str);

    /// A file was published.
    fn file(&self, name: &str, bytes: u64, from: Option<&UserName>);
}

/// Shows, counts and delivers messages once they are kept, so that nothing is told that a failing
/// disk or an earlier post with the same key kept out.
struct Window {
    show: Arc<dyn Show>,
    counters: Arc<Counters>,
    rooms: Arc<Rooms>,
}

/// The witness that shows messages on `show`, counts them in `counters`, and hands them to those
/// who read their rooms.
#[must_use]
pub fn watch(
    show: &Arc<dyn Show>,
    counters: &Arc<Counters>,
    rooms: &Arc<Rooms>,
) -> Arc<dyn Witness> {
    Arc::new(Window {
        show: Arc::clone(show),
        counters: Arc::clone(counters),
        rooms: Arc::clone(rooms),
    })
}

/// Rooms without readers, with the bounds that `limits` set.
#[must_use]
pub fn rooms(limits: &Limits, budget: &Budget) -> Arc<Rooms> {
    let bounds = Bounds {
        mail: limits.max_outbox,
        lean_mail: LEAN_MAIL,
        joins: limits.max_joins,
    };
    Arc::new(Rooms::new(bounds, budget.clone()))
}

impl Witness for Window {
    fn kept(&self, batch: Vec<Kept>) {
        let count = batch.len() as u64;
        self.counters.messages.fetch_add(count, Ordering::Relaxed);
        for Kept { message, .. } in &batch {
            // What is in somebody's own room is for that user only.
            if message.room.owner().is_none() {
                let from = message.from.as_ref();
                self.show.message(&message.room, from, &message.text);
            }
        }
        self.rooms.deliver(batch);
    }
}

/// The witness that shows files on `show` and counts them in `counters`.
#[must_use]
pub fn watch_files(show: &Arc<dyn Show>, counters: &Arc<Counters>) -> Arc<dyn FileWitness> {
    let (show, counters) = (Arc::clone(show), Arc::clone(counters));
    Arc::new(Arrivals { show, counters })
}

/// Shows and counts files once they are published.
struct Arrivals {
    show: Arc<dyn Show>,
    counters: Arc<Counters>,
}

impl FileWitness for Arrivals {
    fn published(&self, batch: &[Arrival]) {
        let count = batch.len() as u64;
        self.counters.files.fetch_add(count, Ordering::Relaxed);
        for file in batch.iter().filter(|file| !file.personal) {
            let owner = file.owner.as_ref();
            self.show.file(file.name.as_str(), file.size, owner);
        }
    }
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Hidden;

impl Show for Hidden {
    fn message(&self, _: &RoomName, _: Option<&UserName>, _: &str) {}
    fn file(&self, _: &str, _: u64, _: Option<&UserName>) {}
}

#[cfg(test)]
pub(crate) mod tests {
    //! A house on memory stores for the tests of handlers. Every test asks something of it, so
    //! it has no test of its own.

    use super::*;
    use crate::config::{COURSE_SALT, LoginPolicy};
    use crate::handler::{Call, Handler, Outcome, Sink};
    use crate::rooms::Reader;
    use crate::session::Session;
    use crate::store::conformance::Desk;
    use crate::store::{Account, MemoryFiles, MemoryMessages, MemoryUsers};
    use crate::ticket::Redeemer;
    use crate::wire::{Answer, Fields};
    use parking_lot::Mutex;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::UNIX_EPOCH;

    /// What was shown.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) enum Shown {
        /// A message: its room and text.
        Message(String, String),
        /// A file: its name and size in bytes.
        File(String, u64),
    }

    impl Shown {
        pub(crate) fn message(room: &str, text: &str) -> Self {
            Self::Message(room.to_owned(), text.to_owned())
        }
    }

    /// Shows to the test.
    #[derive(Clone, Default)]
    struct Window(Arc<Mutex<Vec<Shown>>>);

    impl Show for Window {
        fn message(&self, room: &RoomName, _: Option<&UserName>, text: &str) {
            self.0.lock().push(Shown::message(room.as_str(), text));
        }

        fn file(&self, name: &str, bytes: u64, _: Option<&UserName>) {
            self.0.lock().push(Shown::File(name.to_owned(), bytes));
        }
    }

    impl House {
        /// A house on the given stores whose clock stands still at 1970.
        pub(crate) fn for_tests(
            messages: Arc<dyn Messages>,
            files: Arc<dyn Files>,
            accounts: impl IntoIterator<Item = Account>,
        ) -> Self {
            let (show, counters): (Arc<dyn Show>, _) = (Arc::new(Hidden), Arc::default());
            let (limits, budget) = (Limits::default(), Budget::new(1 << 20));
            Self {
                messages,
                files,
                rooms: rooms(&limits, &budget),
                gate: Gate::new(Arc::new(MemoryUsers::new(accounts))),
                presence: Presence::default(),
                show,
                limits,
                budget,
                salt: COURSE_SALT.to_owned(),
                insecure: false,
                clock: Clock::from_fn(|| UNIX_EPOCH),
                random: Random::seeded(1),
                counters,
                draining: AtomicBool::new(false),
            }
        }
    }

    /// A house, one connection to it, and what a test wants to see of both.
    pub(crate) struct TestHouse {
        pub(crate) house: House,
        pub(crate) session: Session,
        pub(crate) messages: Arc<MemoryMessages>,
        pub(crate) files: MemoryFiles,
        pub(crate) reader: Reader,
        window: Window,
        desk: Arc<Desk>,
    }

    impl TestHouse {
        pub(crate) fn new() -> Self {
            Self::with_accounts([])
        }

        pub(crate) fn with_accounts(accounts: impl IntoIterator<Item = Account>) -> Self {
            let clock = Clock::from_fn(|| UNIX_EPOCH);
            let messages = Arc::new(MemoryMessages::new(clock, &Random::seeded(1)));
            let files = MemoryFiles::posting_to(messages.clone(), Clock::from_fn(|| UNIX_EPOCH));
            let mut house = House::for_tests(messages.clone(), Arc::new(files.clone()), accounts);
            let window = Window::default();
            house.show = Arc::new(window.clone());
            files.observe(watch_files(&house.show, &house.counters));
            messages.observe(watch(&house.show, &house.counters, &house.rooms));
            let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
            Self {
                house,
                session: Session::new(peer, LoginPolicy::Optional),
                messages,
                files,
                reader: Reader::default(),
                window,
                desk: Desk::new(),
            }
        }

        /// Puts other files in the place of those that are there.
        pub(crate) fn put_files(&mut self, files: MemoryFiles) {
            files.observe(watch_files(&self.house.show, &self.house.counters));
            self.house.files = Arc::new(files.clone());
            self.files = files;
        }

        pub(crate) fn shown(&self) -> Vec<Shown> {
            self.window.0.lock().clone()
        }

        /// Serves one request with the body `pieces` to its end, as dispatch would.
        pub(crate) fn serve(
            &mut self,
            handler: &dyn Handler,
            fields: &Fields,
            pieces: &[&[u8]],
        ) -> Answer {
            let redeemer: Arc<dyn Redeemer> = self.desk.clone();
            let mut call = Call::new(&self.house, &mut self.session, &redeemer, 1, 1)
                .with_reader(&mut self.reader);
            let mut outcome = handler.begin(&mut call, fields)?;
            if let Outcome::Sink(mut sink) = outcome {
                for piece in pieces {
                    sink.write(piece)?;
                }
                outcome = sink.finish(&mut call)?;
            }
            assert_eq!(call.has_issued(), matches!(outcome, Outcome::Ticket));
            match outcome {
                Outcome::Reply(reply) => Ok(reply),
                Outcome::Ticket => self.desk.next().answer,
                Outcome::Source(reply, source) => {
                    let mut body = vec![0; source.bytes() as usize];
                    assert_eq!(source.read_at(0, &mut body).unwrap(), body.len());
                    Ok(reply.with_body(body))
                }
                Outcome::Sink(_) => panic!("a sink that ends in a sink"),
            }
        }

        /// Ends a request whose body is whole and that is answered at once.
        pub(crate) fn finish(&mut self, sink: Box<dyn Sink>) -> Answer {
            let redeemer: Arc<dyn Redeemer> = self.desk.clone();
            let mut call = Call::new(&self.house, &mut self.session, &redeemer, 1, 1);
            match sink.finish(&mut call)? {
                Outcome::Ticket => self.desk.next().answer,
                outcome => Option::<Answer>::from(outcome).expect("a reply"),
            }
        }

        /// The sink of a request that has begun.
        pub(crate) fn sink(&mut self, handler: &dyn Handler, fields: &Fields) -> Box<dyn Sink> {
            let redeemer: Arc<dyn Redeemer> = self.desk.clone();
            let mut call = Call::new(&self.house, &mut self.session, &redeemer, 1, 1);
            match handler.begin(&mut call, fields) {
                Ok(Outcome::Sink(sink)) => sink,
                _ => panic!("no body is wanted"),
            }
        }
    }
}

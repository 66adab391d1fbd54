//! One connection: who owns it, what has happened to it since it was last looked at, and what it
//! has become. What is done with it in a turn is in `turn`.

use super::asleep::Asleep;
use super::outbox::Outbox;
use super::peers::Seat;
use super::replies::Replies;
use super::shutdown::Guard;
use super::source::Transfer;
use super::stream::Stream;
use super::wait::Wait;
use crate::budget::{Budget, Charge};
use crate::config::Limits;
use crate::conversation::Serving;
use crate::handler::{Body, Cost, Handler, Overlap, Sink};
use crate::rooms::Reader;
use crate::session::Session;
use crate::ticket::Redeemed;
use crate::wire::{Header, Id, Refusal};
use parking_lot::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Some worker has it, or it lies in the queue.
const OWNED: u32 = 1;
/// Bytes arrived.
pub(super) const READABLE: u32 = 1 << 1;
/// There is room to write.
pub(super) const WRITABLE: u32 = 1 << 2;
/// The peer has ended or broken the stream.
pub(super) const ENDING: u32 = 1 << 3;
/// Answers lie in the inbox.
pub(super) const INBOX: u32 = 1 << 4;
/// A deadline may have passed.
pub(super) const TIMER: u32 = 1 << 5;
/// A permit to do costly work may be had.
pub(super) const PERMIT: u32 = 1 << 6;
/// The phase of the shutdown has changed.
pub(super) const PHASE: u32 = 1 << 7;
/// It is gone; news for it comes too late.
const CLOSED: u32 = 1 << 8;
/// Something is to be pushed.
pub(super) const MAIL: u32 = 1 << 9;
/// It has been idle for long, and there is little room left.
pub(super) const IDLE: u32 = 1 << 10;
/// There is an order for it.
pub(super) const ORDER: u32 = 1 << 11;

/// What tells that its peer, or what it reads, is alive.
const ALIVE: u32 = READABLE | WRITABLE | INBOX | MAIL;

/// What became of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notified {
    /// Nobody owned the connection: now the caller does, and must see to a turn.
    Owner,
    /// Its owner will find it.
    Noted,
    /// The connection is gone.
    Gone,
}

/// A connection, shared by those who may have news for it; its inside belongs to one owner at a
/// time.
pub(super) struct Connection {
    pub(super) key: u64,
    /// [`OWNED`], and what has happened since the owner last looked.
    state: AtomicU32,
    /// When something came or left at last, in milliseconds of the server's life.
    active: AtomicU64,
    /// Whether it was told to make way and had a reason to stay.
    stays: AtomicBool,
    inbox: Mutex<Vec<Redeemed>>,
    inside: Mutex<Inside>,
}

impl Connection {
    /// A new connection, owned by who makes it, with input to look for.
    pub(super) fn new(key: u64, inside: Inside) -> Self {
        Self {
            key,
            state: AtomicU32::new(OWNED | READABLE),
            active: AtomicU64::new(0),
            stays: AtomicBool::new(false),
            inbox: Mutex::default(),
            inside: Mutex::new(inside),
        }
    }

    /// Notes that `events` tell of at `now`, in milliseconds of the server's life.
    pub(super) fn note_activity(&self, events: u32, now: u64) {
        if events & ALIVE != 0 {
            self.active.store(now, Ordering::Relaxed);
            self.stays.store(false, Ordering::Relaxed);
        }
    }

    /// Notes that it was told to make way and stays.
    pub(super) fn stay(&self) {
        self.stays.store(true, Ordering::Relaxed);
    }

    /// Whether it is worth telling to make way: it did not stay since something came or left.
    pub(super) fn may_make_way(&self) -> bool {
        !self.stays.load(Ordering::Relaxed)
    }

    /// When something came or left at last, in milliseconds of the server's life.
    pub(super) fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    /// Notes `events`.
    pub(super) fn notify(&self, events: u32) -> Notified {
        let before = self.state.fetch_or(OWNED | events, Ordering::AcqRel);
        match before & (OWNED | CLOSED) {
            0 => Notified::Owner,
            OWNED => Notified::Noted,
            _ => Notified::Gone,
        }
    }

    /// Notes that it is gone, and tells what had happened since the last look. For the owner.
    pub(super) fn mark_closed(&self) -> u32 {
        self.state.fetch_or(CLOSED, Ordering::AcqRel)
    }

    /// What has happened since the last look. For the owner.
    pub(super) fn take_events(&self) -> u32 {
        self.state.fetch_and(OWNED, Ordering::AcqRel) & !OWNED
    }

    /// Gives it up, unless something has happened since the last look. For the owner.
    pub(super) fn park(&self) -> bool {
        self.state
            .compare_exchange(OWNED, 0, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Leaves an answer for the owner to find; [`INBOX`] tells of it.
    pub(super) fn deposit(&self, redeemed: Redeemed) {
        self.inbox.lock().push(redeemed);
    }

    /// Takes the answers that were left.
    pub(super) fn take_inbox(&self) -> Vec<Redeemed> {
        std::mem::take(&mut self.inbox.lock())
    }

    /// What only the owner touches. Never contended: the lock is how safe Rust says "owner".
    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock()
    }
}

/// A request whose header was told and whose body is arriving.
pub(super) struct Request {
    pub(super) id: Option<Id>,
    pub(super) cost: Cost,
    /// Where the body goes; `None` when it is thrown away.
    pub(super) sink: Option<Box<dyn Sink>>,
    pub(super) overlap: Overlap,
    /// Whether its bytes are a file's, whose pace is judged by progress only.
    pub(super) is_file: bool,
    /// Bytes of it that were thrown away.
    pub(super) discarded: u64,
}

/// A request that waits for its turn: for earlier answers, or for a permit.
pub(super) struct Held {
    pub(super) header: Header,
    pub(super) handler: Option<&'static dyn Handler>,
}

impl Held {
    /// What kind of body follows.
    pub(super) fn body(&self) -> Body {
        self.handler
            .map_or(Body::None, |handler| handler.spec().body)
    }
}

/// What becomes of further input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// It is read and served.
    Open,
    /// It is read and thrown away: the peer said `close`, or broke the stream.
    Ignored,
    /// There is none.
    Ended,
}

/// What a connection has become.
pub(super) struct Inside {
    /// `None` once it is closed.
    pub(super) stream: Option<Stream>,
    pub(super) conversation: Box<dyn Serving>,
    pub(super) session: Session,
    pub(super) input: Input,
    /// Whether a proxy has still to say whose connection this is.
    pub(super) awaits_proxy: bool,
    /// Bytes that were read and not consumed yet.
    pub(super) pending: Vec<u8>,
    pub(super) held: Option<Held>,
    pub(super) request: Option<Request>,
    pub(super) replies: Replies,
    /// Answers that are ready and held back.
    pub(super) asleep: Asleep,
    /// How many requests may wait for their answers, those held back included.
    pub(super) window: usize,
    /// Whether the conversation ever holds an answer back.
    pub(super) has_delays: bool,
    /// Whether a refusal can be told; if not it ends the connection.
    pub(super) tells_refusals: bool,
    /// Whether nothing is said any more after the answers that are owed.
    pub(super) concludes: bool,
    /// Stands for what is half received and what the conversation keeps.
    pub(super) kept: Charge,
    /// What the requests that wait for their answers are, all of one class; `None` if none do.
    pub(super) owed: Option<Overlap>,
    pub(super) outbox: Outbox,
    /// The body that follows what is in the outbox. Nothing comes between.
    pub(super) transfer: Option<Transfer>,
    /// The rooms that it joined, and what is to be pushed.
    pub(super) reader: Reader,
    /// Whether it ever joined a room.
    pub(super) has_joined: bool,
    /// Whether it reads on in the store once there is memory, and looks again after a while.
    pub(super) reads_later: bool,
    /// Whether it is still to be told that the server goes away.
    pub(super) owes_goodbye: bool,
    pub(super) last_word: Option<Refusal>,
    /// Whether the socket may have something to read.
    pub(super) readable: bool,
    /// Whether the poller said that the stream ends: it is then read until it does.
    pub(super) ending: bool,
    pub(super) is_registered: bool,
    pub(super) watches_output: bool,
    /// What it waits for a permit for.
    pub(super) waits_for: Option<Cost>,
    /// Whether it waits for others to give memory back, and looks again after a while.
    pub(super) waits_for_memory: bool,
    /// Whether headers are still held to what is allowed before a login.
    pub(super) has_small_headers: bool,
    /// Whether it ever sent an id, and so reads what it is told.
    pub(super) reads: bool,
    /// Whether it was told anything at all.
    pub(super) was_told: bool,
    /// Whether nothing more is said, because writing was shut down.
    pub(super) is_muted: bool,
    /// Bytes of bodies received and of output sent, and frames begun: what progress is judged by.
    pub(super) progress: u64,
    /// Since when it may owe a login.
    pub(super) opened: Instant,
    pub(super) wait: Option<Wait>,
    /// The time of this connection's entry among the timers.
    pub(super) armed: Option<Instant>,
    /// When it is closed at the latest, once its end has begun.
    pub(super) farewell: Option<Instant>,
    /// Count it as under way, and among its address's connections, until it is closed.
    pub(super) guards: Option<(Guard, Seat)>,
}

impl Inside {
    /// A connection at its start: `conversation` has said what it says first.
    pub(super) fn new(
        stream: Stream,
        session: Session,
        mut conversation: Box<dyn Serving>,
        limits: &Limits,
        budget: &Budget,
        guards: (Guard, Seat),
    ) -> Self {
        let mut outbox = Outbox::new(budget.charge());
        conversation.open(outbox.end());
        Self {
            stream: Some(stream),
            window: limits.max_unanswered.min(conversation.window()),
            has_delays: conversation.has_delays(),
            tells_refusals: conversation.tells_refusals(),
            has_small_headers: session.owes_login(),
            conversation,
            session,
            input: Input::Open,
            awaits_proxy: false,
            pending: Vec::new(),
            held: None,
            request: None,
            replies: Replies::default(),
            asleep: Asleep::default(),
            concludes: false,
            kept: budget.charge(),
            owed: None,
            outbox,
            transfer: None,
            reader: Reader::default(),
            has_joined: false,
            reads_later: false,
            owes_goodbye: false,
            last_word: None,
            readable: false,
            ending: false,
            is_registered: false,
            watches_output: false,
            waits_for: None,
            waits_for_memory: false,
            reads: false,
            was_told: false,
            is_muted: false,
            progress: 0,
            opened: Instant::now(),
            wait: None,
            armed: None,
            farewell: None,
            guards: Some(guards),
        }
    }
}

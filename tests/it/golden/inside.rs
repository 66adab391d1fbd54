//! Plays a conversation in process: the conversation's state machine, dispatch and the handlers
//! over stores in memory. No socket, no thread, no time: what is said depends on the bytes and a
//! seed alone, so that a failing seed fails again.

use super::form::{Conversation, Event, Setup};
use super::play::said_as_expected;
use crate::support::{limits, proof};
use gatepost::budget::Budget;
use gatepost::config::{COURSE_SALT, Listen};
use gatepost::conversation::framed::FramedServing;
use gatepost::conversation::{Serving, Step};
use gatepost::dispatch;
use gatepost::gate::Gate;
use gatepost::handler::{
    Call, Counters, Hidden, House, Outcome, Presence, Show, Sink, rooms, watch, watch_files,
};
use gatepost::rooms::{Reader, Silent};
use gatepost::session::{Role, Session};
use gatepost::store::{Account, Files, MemoryFiles, MemoryMessages, MemoryUsers, Messages, Secret};
use gatepost::ticket::{Redeemed, Redeemer};
use gatepost::time::{Clock, Random};
use gatepost::wire::{Answer, Expect, Header, Id, Refusal, UserName};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Where tickets are redeemed: the stores in memory do it before they return.
#[derive(Default)]
struct Desk(Mutex<Vec<Redeemed>>);

impl Redeemer for Desk {
    fn redeem(&self, batch: Vec<Redeemed>) {
        self.0.lock().unwrap().extend(batch);
    }
}

/// A request whose body is under way, with its id. Without a sink it was answered: the body is
/// skipped.
type Request = (Option<Id>, Option<Box<dyn Sink>>);

/// One connection without a socket.
struct Host {
    house: House,
    session: Session,
    conversation: FramedServing,
    desk: Arc<Desk>,
    /// Input that is not whole yet.
    pending: Vec<u8>,
    /// What was said.
    out: Vec<u8>,
    reader: Reader,
    /// Whether what is pushed waits until it is expected.
    stalls: bool,
    request: Option<Request>,
    slot: u64,
    is_over: bool,
}

fn furnish(setup: &Setup) -> House {
    let account = |(name, password): &(String, String)| Account {
        name: UserName::new(name).unwrap(),
        secret: Secret::Md5(proof(password)),
        role: match setup.admins.contains(name) {
            true => Role::Admin,
            false => Role::User,
        },
    };
    let limits = limits(&setup.limits);
    let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH);
    let random = Random::seeded(1);
    let users = MemoryUsers::new(setup.accounts.iter().map(account));
    let (show, counters): (Arc<dyn Show>, Arc<Counters>) = (Arc::new(Hidden), Arc::default());
    let messages = Arc::new(MemoryMessages::new(clock.clone(), &random));
    let budget = Budget::new(limits.max_buffers);
    let rooms = rooms(&limits, &budget);
    messages.observe(watch(&show, &counters, &rooms));
    let files = MemoryFiles::posting_to(Arc::clone(&messages), clock.clone());
    files.observe(watch_files(&show, &counters));
    House {
        messages,
        files: Arc::new(files),
        gate: Gate::with(Arc::new(users), clock.clone(), random.clone()),
        presence: Presence::default(),
        show,
        rooms,
        budget,
        limits,
        salt: COURSE_SALT.to_owned(),
        insecure: false,
        clock,
        random,
        counters,
        draining: false.into(),
    }
}

impl Host {
    fn new(setup: &Setup) -> Self {
        let house = furnish(setup);
        let login = setup.login.as_deref().unwrap_or("optional");
        let listen: Listen = format!("framed://127.0.0.1:0?login={login}")
            .parse()
            .unwrap();
        let session = Session::new(([127, 0, 0, 1], 1).into(), listen.login);
        let max_header = if session.owes_login() {
            house.limits.max_header_before_login
        } else {
            house.limits.max_header
        };
        Self {
            house,
            session,
            conversation: FramedServing::new(max_header),
            desk: Arc::default(),
            pending: Vec::new(),
            out: Vec::new(),
            reader: Reader::default(),
            stalls: setup.stalls,
            request: None,
            slot: 0,
            is_over: false,
        }
    }

    /// Takes in what arrived in one piece.
    fn receive(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut input = pending.as_slice();
        while !self.is_over {
            match self.conversation.next(&mut input) {
                Ok(Step::More) => break,
                Ok(Step::Begin(header)) => self.begin(&header),
                Ok(Step::Announce(bytes)) => {
                    self.with_sink(|sink| dispatch::announce(sink, bytes));
                    let is_refused = self
                        .request
                        .as_ref()
                        .is_some_and(|(_, sink)| sink.is_none());
                    self.is_over |= is_refused && bytes > self.house.limits.max_discard;
                }
                Ok(Step::Piece(piece)) => self.with_sink(|sink| dispatch::write(sink, piece)),
                Ok(Step::End) => self.finish(),
                Ok(Step::Close) => self.is_over = true,
                Ok(step @ (Step::Amend(_) | Step::LastWords)) => panic!("{step:?} is not framed"),
                Err(refusal) => {
                    self.conversation.last_word(&refusal, &mut self.out);
                    self.is_over = true;
                }
            }
        }
        self.pending = input.to_vec();
        self.house.rooms.work_off(&Silent);
        if !self.stalls {
            self.push();
        }
    }

    /// Says what there is to push.
    fn push(&mut self) {
        let (reader, out) = (&mut self.reader, &mut self.out);
        while !reader.is_idle() {
            reader.take(out, 100);
            reader.tell_gaps(out);
            if !reader.is_open() {
                let messages = self.house.messages.as_ref();
                let read = reader.read_page(messages, out);
                read.expect("the memory is read");
            }
        }
    }

    fn begin(&mut self, header: &Header) {
        let handler = dispatch::look_up(&header.msg_type);
        let expect = dispatch::expect(handler, header);
        self.conversation.expect(expect);
        let outcome = self.call(|call| dispatch::begin(handler, call, header));
        let sink = match outcome {
            Ok(Outcome::Sink(sink)) => Some(sink),
            outcome => {
                self.settle(header.id.as_ref(), outcome);
                None
            }
        };
        if expect != Expect::Nothing {
            self.request = Some((header.id.clone(), sink));
        }
        if !self.session.owes_login() {
            self.conversation
                .set_max_header(self.house.limits.max_header);
        }
    }

    fn with_sink(&mut self, run: impl FnOnce(&mut dyn Sink) -> Result<(), Refusal>) {
        let Some((id, Some(mut sink))) = self.request.take() else {
            // Skipped; that there is a body is still remembered.
            self.request = Some((None, None));
            return;
        };
        match run(sink.as_mut()) {
            Ok(()) => self.request = Some((id, Some(sink))),
            Err(refusal) => {
                self.settle(id.as_ref(), Err(refusal));
                self.request = Some((None, None));
            }
        }
    }

    fn finish(&mut self) {
        if let Some((id, Some(sink))) = self.request.take() {
            let outcome = self.call(|call| dispatch::finish(call, sink));
            self.settle(id.as_ref(), outcome);
        }
    }

    fn call<T>(&mut self, run: impl FnOnce(&mut Call<'_>) -> T) -> T {
        self.slot += 1;
        let redeemer: Arc<dyn Redeemer> = self.desk.clone();
        let call = Call::new(&self.house, &mut self.session, &redeemer, 1, self.slot);
        run(&mut call.with_reader(&mut self.reader))
    }

    fn settle(&mut self, id: Option<&Id>, outcome: Result<Outcome, Refusal>) {
        let answer: Answer = match outcome {
            Ok(Outcome::Reply(reply)) => Ok(reply),
            Err(refusal) => Err(refusal),
            Ok(Outcome::Ticket) => {
                let mut redeemed = self.desk.0.lock().unwrap();
                assert_eq!(redeemed.len(), 1, "one ticket, redeemed at once");
                redeemed.remove(0).answer
            }
            Ok(Outcome::Source(reply, source)) => {
                let said = &mut self.out;
                if self
                    .conversation
                    .answer_header(id, &reply, source.bytes(), said)
                {
                    let mut at = 0;
                    while at < source.bytes() {
                        let piece = self.conversation.open_piece(source.bytes() - at, said);
                        let mut bytes = vec![0; usize::try_from(piece).unwrap()];
                        let read = source.read_at(at, &mut bytes).unwrap();
                        assert_eq!(read, bytes.len(), "a short file is read at once");
                        said.extend_from_slice(&bytes);
                        at += piece;
                    }
                }
                return;
            }
            Ok(Outcome::Sink(_)) => unreachable!("dispatch allows one body a request"),
        };
        self.conversation.answer(id, &answer, &mut self.out);
    }

    /// The next frame that was said.
    fn next(&mut self) -> Option<Vec<u8>> {
        if self.out.is_empty() {
            self.push();
        }
        let length = i32::from_le_bytes(*self.out.first_chunk()?);
        let end = 4 + usize::try_from(length).unwrap();
        let frame = self.out[4..end].to_vec();
        self.out.drain(..end);
        Some(frame)
    }
}

/// Plays `conversation`, cut by `seed` wherever that falls.
///
/// # Errors
///
/// The line at which it goes another way, and how.
pub(super) fn play(conversation: &Conversation, seed: u64) -> Result<(), String> {
    let cuts = Random::seeded(seed);
    let mut host = Host::new(&conversation.setup);
    for step in &conversation.steps {
        let result = match &step.event {
            Event::Send { bytes, .. } => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (piece, later) = rest.split_at(1 + cuts.below(rest.len()));
                    host.receive(piece);
                    rest = later;
                }
                Ok(())
            }
            Event::SendEof => {
                host.is_over = true;
                Ok(())
            }
            Event::Cut | Event::Pass(_) => Ok(()),
            Event::Eof if !host.is_over => Err("the conversation goes on".to_owned()),
            expected => said_as_expected(expected, host.next().as_deref()),
        };
        result.map_err(|error| format!("line {}: {error}", step.line))?;
    }
    match host.next() {
        None => Ok(()),
        Some(more) => Err(format!(
            "more was said: {:?}",
            String::from_utf8_lossy(&more)
        )),
    }
}

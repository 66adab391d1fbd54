//! From bytes to answers: what a connection's conversation finds in its input goes to dispatch,
//! and what dispatch says goes to the replies.

use super::admission::Admission;
use super::connection::{Held, Input, Inside, Request};
use super::turn::{Stop, Turn};
use crate::conversation::Step;
use crate::dispatch;
use crate::handler::{Body, Call, Cost, Outcome, Overlap};
use crate::wire::{Answer, Code, Expect, Fields, Header, Id, Refusal};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// When a client whose text was refused for lack of memory may try again.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// When one may try again whose login was refused because too many were waiting.
const LOGIN_RETRY: Duration = Duration::from_secs(5);

impl Turn<'_> {
    /// Serves what is whole in `input`, and moves it past that.
    pub(super) fn feed(&mut self, inside: &mut Inside, input: &mut &[u8]) -> Stop {
        loop {
            if inside.input == Input::Ignored {
                *input = &[];
                return Stop::Starved;
            }
            if let Some(stop) = self.hold(inside) {
                return stop;
            }
            let step = inside.conversation.next(input);
            // A file is judged by its progress; a text is not, or it could trickle in for ever.
            let is_file = inside
                .request
                .as_ref()
                .is_some_and(|request| request.is_file);
            let trickles = matches!(step, Ok(Step::Piece(_))) && !is_file;
            inside.progress += u64::from(!trickles && !matches!(step, Ok(Step::More)));
            match step {
                Ok(Step::More) => return Stop::Starved,
                Ok(Step::Begin(header)) => self.told(inside, header),
                Ok(Step::Announce(bytes)) => self.announce(inside, bytes),
                Ok(Step::Piece(piece)) => self.piece(inside, piece),
                Ok(Step::Amend(fields)) => self.amend(inside, &fields),
                Ok(Step::End) => self.finish(inside),
                Ok(Step::Close) => self.ignore_input(inside),
                Ok(Step::LastWords) => inside.concludes = true,
                Err(refusal) => {
                    self.break_off(inside, refusal);
                    *input = &[];
                    return Stop::Starved;
                }
            }
        }
    }

    /// Begins what was held if it may begin now, and says why feeding can't go on if it can't.
    fn hold(&mut self, inside: &mut Inside) -> Option<Stop> {
        if inside.is_full(&self.core.house) {
            return Some(Stop::Held);
        }
        if let Some(held) = &inside.held {
            let cost = dispatch::cost(held.handler, &held.header);
            // Who reads answers is told `busy`; who doesn't would lose its text, and waits.
            let hears_refusals = held.header.id.is_some() && inside.tells_refusals;
            inside.waits_for_memory =
                !hears_refusals && held.body() == Body::Frame && self.core.house.budget.is_spent();
            if inside.waits_for_memory || !inside.may_begin(held) {
                return Some(Stop::Held);
            }
            let is_turned_away = hears_refusals && self.is_line_too_long(inside, cost);
            if !is_turned_away && !self.enter(inside, cost) {
                return Some(Stop::Held);
            }
            if self.requests_left == 0 {
                return Some(Stop::Spent);
            }
            self.requests_left -= 1;
            match inside.held.take() {
                Some(held) if is_turned_away => {
                    let busy = Refusal::busy("too many logins are waiting", LOGIN_RETRY);
                    self.settle(inside, held.header.id, Overlap::None, Err(busy));
                }
                Some(held) => self.begin(inside, &held),
                None => {}
            }
        }
        if self.lacks_memory(inside) {
            return Some(Stop::Held);
        }
        let cost = inside
            .request
            .as_ref()
            .filter(|it| it.sink.is_some())
            .map(|it| it.cost);
        let may_work = cost.is_none_or(|cost| self.enter(inside, cost));
        (!may_work).then_some(Stop::Held)
    }

    /// Whether a login would come to the end of a line that is long enough. In the conversations of
    /// the course there is no word for that, and they wait.
    fn is_line_too_long(&self, inside: &Inside, cost: Cost) -> bool {
        let is_new =
            cost == Cost::Hashing && self.its_turn != Some(cost) && inside.waits_for.is_none();
        let has_permit = self.permit.as_ref().is_some_and(|it| it.covers(cost));
        let most = self.core.house.limits.max_waiting_logins;
        is_new
            && !has_permit
            && inside.session.takes_tokens
            && Admission::waiting(self.core, cost) >= most
    }

    /// Whether a text that has begun must wait, since the memory of all is exhausted. One whose sender
    /// hears of it is refused instead, which gives back what it has.
    fn lacks_memory(&mut self, inside: &mut Inside) -> bool {
        let text = inside.request.as_ref();
        let text = text.filter(|request| request.sink.is_some() && !request.is_file);
        let Some(text) = text.filter(|_| self.core.house.budget.is_exhausted()) else {
            inside.waits_for_memory = false;
            return false;
        };
        inside.waits_for_memory = text.id.is_none() || !inside.tells_refusals;
        if !inside.waits_for_memory {
            let busy = Refusal::busy("too many texts are under way", BUSY_RETRY);
            self.refuse_body(inside, Err(busy));
        }
        inside.waits_for_memory
    }

    /// Takes a header in; it begins as soon as it may.
    fn told(&mut self, inside: &mut Inside, header: Header) {
        let handler = dispatch::look_up(&header.msg_type);
        inside
            .conversation
            .expect(dispatch::expect(handler, &header));
        inside.reads |= header.id.is_some();
        inside.held = Some(Held { header, handler });
    }

    fn begin(&mut self, inside: &mut Inside, held: &Held) {
        let Held { header, handler } = held;
        let outcome = self.call(inside, |call| dispatch::begin(*handler, call, header));
        let overlap = dispatch::overlap(*handler);
        let expect = dispatch::expect(*handler, header);
        let id = header.id.clone();
        let sink = match outcome {
            Ok(Outcome::Sink(sink)) => Some(sink),
            outcome => {
                self.settle(inside, id.clone(), overlap, outcome);
                None
            }
        };
        if expect != Expect::Nothing {
            let cost = dispatch::cost(*handler, header);
            let is_file = sink.is_none() || held.body() == Body::File;
            inside.request = Some(Request {
                id,
                cost,
                sink,
                overlap,
                is_file,
                discarded: 0,
            });
        }
        self.fit_headers(inside);
    }

    fn announce(&mut self, inside: &mut Inside, bytes: u64) {
        let Some(request) = &mut inside.request else {
            return;
        };
        if let Some(sink) = &mut request.sink {
            let result = dispatch::announce(sink.as_mut(), bytes);
            self.refuse_body(inside, result);
        }
        let is_refused = inside
            .request
            .as_ref()
            .is_some_and(|request| request.sink.is_none());
        if is_refused && bytes > self.core.house.limits.max_discard {
            // The refusal has said what there is to say; reading all this would serve nobody.
            self.ignore_input(inside);
        }
    }

    fn piece(&mut self, inside: &mut Inside, piece: &[u8]) {
        let Some(request) = &mut inside.request else {
            return;
        };
        let Some(sink) = &mut request.sink else {
            request.discarded += piece.len() as u64;
            if request.discarded > self.core.house.limits.max_discard {
                self.ignore_input(inside);
            }
            return;
        };
        let result = dispatch::write(sink.as_mut(), piece);
        self.refuse_body(inside, result);
    }

    fn amend(&mut self, inside: &mut Inside, fields: &Fields) {
        if let Some(Request {
            sink: Some(sink), ..
        }) = &mut inside.request
        {
            let result = dispatch::amend(sink.as_mut(), fields);
            self.refuse_body(inside, result);
        }
    }

    /// Notes that a body is not wanted any more, if so it is.
    fn refuse_body(&mut self, inside: &mut Inside, result: Result<(), Refusal>) {
        let (Err(refusal), Some(request)) = (result, &mut inside.request) else {
            return;
        };
        request.sink = None;
        let (id, overlap) = (request.id.clone(), request.overlap);
        self.settle(inside, id, overlap, Err(refusal));
    }

    fn finish(&mut self, inside: &mut Inside) {
        let Some(Request {
            id,
            sink: Some(sink),
            overlap,
            ..
        }) = inside.request.take()
        else {
            return;
        };
        let outcome = self.call(inside, |call| dispatch::finish(call, sink));
        self.settle(inside, id, overlap, outcome);
        self.fit_headers(inside);
    }

    fn call<T>(&self, inside: &mut Inside, run: impl FnOnce(&mut Call<'_>) -> T) -> T {
        let (connection, slot) = (self.connection.key, inside.replies.next_slot());
        let (house, redeemer) = (&self.core.house, &self.worker.redeemer);
        let call = Call::new(house, &mut inside.session, redeemer, connection, slot);
        run(&mut call.with_reader(&mut inside.reader))
    }

    /// Notes what became of a request.
    fn settle(
        &mut self,
        inside: &mut Inside,
        id: Option<Id>,
        overlap: Overlap,
        outcome: Result<Outcome, Refusal>,
    ) {
        let answer: Answer = match outcome {
            Ok(Outcome::Reply(reply)) => Ok(reply),
            Err(refusal) => Err(refusal),
            Ok(Outcome::Source(reply, source)) => {
                match self.say_source(inside, id.as_ref(), &reply, source) {
                    Ok(()) => {
                        self.core.count(false);
                        inside.replies.skip();
                        return;
                    }
                    Err(refusal) => Err(refusal),
                }
            }
            Ok(Outcome::Ticket | Outcome::Sink(_)) => {
                inside.owed = Some(overlap);
                inside.replies.owe(id, None);
                return;
            }
        };
        self.core.count(answer.is_err());
        if let Err(refusal) = &answer
            && (id.is_none() || !inside.tells_refusals || refusal.code == Code::TooManyTries)
        {
            self.core.log_refusal(inside.session.peer, refusal);
        }
        if inside.replies.is_empty() && !inside.reader.is_open() {
            self.say(inside, id, &answer);
            inside.replies.skip();
        } else {
            inside.owed = Some(overlap);
            inside.replies.owe(id, Some(answer));
        }
    }

    /// Puts an answer that may leave into the outbox.
    pub(super) fn say(&mut self, inside: &mut Inside, id: Option<Id>, answer: &Answer) {
        let out = inside.outbox.end();
        inside.conversation.answer(id.as_ref(), answer, out);
        if answer.is_err() && id.is_some() && !inside.tells_refusals {
            // Whoever waits for an answer learns at least that none will come.
            self.ignore_input(inside);
        }
    }

    /// After a login headers may be as long as anybody's; after a logout, where a login is required,
    /// they may not any more, and the time for the next login begins.
    fn fit_headers(&self, inside: &mut Inside) {
        let owes_login = inside.session.owes_login();
        if inside.has_small_headers == owes_login {
            return;
        }
        inside.has_small_headers = owes_login;
        let limits = &self.core.house.limits;
        let most = if owes_login {
            inside.opened = Instant::now();
            limits.max_header_before_login
        } else {
            limits.max_header
        };
        inside.conversation.set_max_header(most);
    }

    /// Drops a request whose body will not come whole.
    pub(super) fn drop_request(&mut self, inside: &mut Inside) {
        let Some(request) = inside.request.take() else {
            return;
        };
        self.core
            .house
            .counters
            .cut_off
            .fetch_add(1, Ordering::Relaxed);
        if request.sink.is_some() && request.cost != Cost::Quick {
            // Undoing what the sink began may take as long as doing it.
            self.worker.give_way();
        }
    }
}

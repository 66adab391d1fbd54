//! From a request to its handler and back to an outcome: look-up, what follows the header, the
//! preconditions that handlers declare, and the fence that turns a panic into `internal`.
//!
//! The only crossing between untyped and typed; what a request does is left to the handlers.

use crate::handler::{Body, Call, Cost, HANDLERS, Handler, Outcome, Overlap, Sink};
use crate::wire::{Code, Expect, Fields, Header, Refusal};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The handler of `msg_type`, if it is served.
#[must_use]
pub fn look_up(msg_type: &str) -> Option<&'static dyn Handler> {
    HANDLERS
        .iter()
        .copied()
        .find(|handler| handler.spec().msg_type == msg_type)
}

/// What follows `header` on the wire, refused or not.
#[must_use]
pub fn expect(handler: Option<&dyn Handler>, header: &Header) -> Expect {
    // The numbers were checked when the header was parsed.
    let number = |name| header.fields.number(name).ok().flatten();
    let Some(handler) = handler else {
        return number("body").map_or(Expect::Nothing, Expect::Bytes);
    };
    match handler.spec().body {
        Body::None => Expect::Nothing,
        Body::Frame => Expect::Frame,
        Body::File => number("size").map_or(Expect::Frame, |size| {
            Expect::Bytes(size.saturating_sub(number("offset").unwrap_or(0)))
        }),
    }
}

/// What it costs to serve the request with `header`.
#[must_use]
pub fn cost(handler: Option<&dyn Handler>, header: &Header) -> Cost {
    handler.map_or(Cost::Quick, |handler| handler.cost(&header.fields))
}

/// Which earlier requests may still wait for their answers when `handler`'s begin. An unknown type
/// is refused at once and does nothing.
#[must_use]
pub fn overlap(handler: Option<&dyn Handler>) -> Overlap {
    handler.map_or(Overlap::Posts, |handler| handler.spec().overlap)
}

/// Begins a request: preconditions first, then the handler.
///
/// # Errors
///
/// The refusal, be it of a precondition or the handler's.
pub fn begin(
    handler: Option<&dyn Handler>,
    call: &mut Call<'_>,
    header: &Header,
) -> Result<Outcome, Refusal> {
    let Some(handler) = handler else {
        let name: String = header.msg_type.chars().take(64).collect();
        return Err(Refusal::new(
            Code::UnknownType,
            format!("there is no msg_type {name:?}"),
        ));
    };
    let spec = handler.spec();
    if call.session.owes_login() && !spec.before_login {
        return Err(Refusal::new(Code::LoginRequired, "log in first"));
    }
    if let Some(right) = spec.right
        && !call.session.role.may(right)
    {
        return Err(Refusal::new(
            Code::Forbidden,
            format!("this is for the role {}", right.least_role()),
        ));
    }
    settle(call, spec.msg_type, |call| {
        handler.begin(call, &header.fields)
    })
}

/// Tells `sink` how long its body will be.
///
/// # Errors
///
/// The sink's refusal, or `internal` if it panicked.
pub fn announce(sink: &mut dyn Sink, bytes: u64) -> Result<(), Refusal> {
    fence("a sink", || sink.announce(bytes))
}

/// Gives `piece` to `sink`.
///
/// # Errors
///
/// The sink's refusal, or `internal` if it panicked.
pub fn write(sink: &mut dyn Sink, piece: &[u8]) -> Result<(), Refusal> {
    fence("a sink", || sink.write(piece))
}

/// Gives `sink` what its header should have said.
///
/// # Errors
///
/// The sink's refusal, or `internal` if it panicked.
pub fn amend(sink: &mut dyn Sink, fields: &Fields) -> Result<(), Refusal> {
    fence("a sink", || sink.amend(fields))
}

/// Serves a request whose body is whole.
///
/// # Errors
///
/// The handler's refusal, or `internal` if it panicked.
pub fn finish(call: &mut Call<'_>, sink: Box<dyn Sink>) -> Result<Outcome, Refusal> {
    match settle(call, "a sink", |call| sink.finish(call))? {
        Outcome::Sink(_) => Err(fault("a sink asked for a second body")),
        outcome => Ok(outcome),
    }
}

/// Runs a handler inside the fence and sees to it that somebody owes the answer.
fn settle<'a>(
    call: &mut Call<'a>,
    name: &str,
    run: impl FnOnce(&mut Call<'a>) -> Result<Outcome, Refusal>,
) -> Result<Outcome, Refusal> {
    let outcome = fence(name, || run(call))?;
    if matches!(outcome, Outcome::Ticket) && !call.has_issued() {
        return Err(fault("a handler promised a ticket that it never took"));
    }
    Ok(outcome)
}

fn fence<T>(name: &str, run: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    // What a panic may leave half done is the call's own: it is answered and dropped.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let reason = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        tracing::error!(handler = name, ?reason, "a handler panicked");
        Err(Refusal::internal())
    })
}

fn fault(what: &'static str) -> Refusal {
    tracing::error!("{what}");
    Refusal::internal()
}

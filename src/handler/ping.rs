//! `ping`: is anybody there?

use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec};
use crate::wire::{Fields, Refusal, Reply};

/// Answers, and nothing else. Served before a login, so that a client can keep a connection warm.
pub(super) struct Ping;

impl Handler for Ping {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "ping",
            body: Body::None,
            cost: Cost::Quick,
            right: None,
            before_login: true,
            overlap: Overlap::Posts,
        }
    }

    fn begin(&self, _: &mut Call<'_>, _: &Fields) -> Result<Outcome, Refusal> {
        Ok(Outcome::Reply(Reply::new()))
    }
}

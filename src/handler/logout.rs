//! `logout`: nobody is at the other end any more, and a token ends.

use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec, reading, refuse, secrecy};
use crate::session::Right;
use crate::wire::{Fields, Refusal, Reply, Token};

/// The request type `logout`.
pub(super) struct Logout;

impl Handler for Logout {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "logout",
            body: Body::None,
            cost: Cost::Blocking,
            right: Some(Right::Logout),
            // Whoever finds an old token may end it without using it.
            before_login: true,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let named = match fields.text("token")? {
            Some(token) => {
                secrecy::check(call)?;
                Some(token.parse::<Token>()?.hash())
            }
            None => None,
        };
        let token = named.or(call.session.token);
        call.sign_out();
        reading::leave_closed(call);
        let Some(token) = token else {
            return Ok(Outcome::Reply(Reply::new()));
        };
        let ticket = call.ticket();
        call.house.gate.revoke(token, move |revoked| {
            let answer = revoked.map_err(|error| refuse("a token is revoked", &error));
            ticket.redeem(answer.map(|()| Reply::new()));
        });
        Ok(Outcome::Ticket)
    }
}

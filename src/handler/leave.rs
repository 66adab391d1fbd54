//! `leave`: a connection reads a room no longer. No push of that room follows the reply.

use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec};
use crate::session::Right;
use crate::wire::{Fields, Refusal, Reply, RoomName};

/// The request type `leave`.
pub(super) struct Leave;

impl Handler for Leave {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "leave",
            body: Body::None,
            cost: Cost::Quick,
            right: Some(Right::ReadRoom),
            before_login: false,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let room = RoomName::new(fields.required_text("room")?)?;
        let house = call.house;
        call.reader()?.0.leave(&house.rooms, &room);
        Ok(Outcome::Reply(Reply::new()))
    }
}

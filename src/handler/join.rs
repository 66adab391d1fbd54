//! `join`: a connection becomes a reader of a room. What was said there and what is being said is
//! pushed to it from then on, by [`crate::rooms`] and the server.

use super::bound::Bound;
use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec, reading, refuse};
use crate::rooms::JoinError;
use crate::session::Right;
use crate::store::StoreError;
use crate::wire::{Code, Fields, Refusal, Reply, RoomName};

/// The request type `join`.
pub(super) struct Join;

impl Handler for Join {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "join",
            body: Body::None,
            cost: Cost::Blocking,
            right: Some(Right::ReadRoom),
            before_login: false,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let room = RoomName::new(fields.required_text("room")?)?;
        reading::check(call.session, &room)?;
        let house = call.house;
        let messages = house.messages.as_ref();
        let since = Bound::of(fields, "since")?.map(|bound| bound.after(messages));
        let since = since.transpose().map_err(|error| failed(&error))?;
        let (reader, connection) = call.reader()?;
        let head = reader
            .join(&house.rooms, messages, connection, &room, since)
            .map_err(|error| match error {
                JoinError::TooMany(_) => Refusal::new(Code::Forbidden, error.to_string()),
                JoinError::Store(error) => failed(&error),
            })?;
        let store = messages.id().to_owned();
        let reply = Reply::new().with("head", head).with("store", store);
        Ok(Outcome::Reply(reply))
    }
}

fn failed(error: &StoreError) -> Refusal {
    refuse("a room is joined", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::handler::house;
    use crate::handler::house::tests::TestHouse;
    use crate::handler::leave::Leave;
    use crate::rooms::Silent;
    use crate::session::Role;
    use crate::store::Messages;
    use crate::store::conformance::message;
    use crate::wire::{Datum, Message, UserName, frame};

    fn room(name: &str) -> Fields {
        Fields::new().with("room", name)
    }

    fn join(house: &mut TestHouse, fields: Fields) -> Result<Datum, Code> {
        let reply = house.serve(&Join, &fields, &[]);
        let reply = reply.map_err(|refusal| refusal.code)?;
        assert_eq!(reply.fields[1].0, "store");
        Ok(reply.fields[0].1.clone())
    }

    /// The seqs that are pushed by now.
    fn pushed(house: &mut TestHouse) -> Vec<u64> {
        house.house.rooms.work_off(&Silent);
        let mut out = Vec::new();
        let messages = house.house.messages.as_ref();
        while !house.reader.is_idle() {
            house.reader.take(&mut out, 1);
            house.reader.read_page(messages, &mut out).unwrap();
        }
        let (mut rest, mut seqs) = (out.as_slice(), Vec::new());
        while let Some(header) = frame::split(&mut rest, 1 << 20).unwrap() {
            let header = serde_json::from_slice(header).unwrap();
            let text = frame::split(&mut rest, 1 << 20).unwrap().unwrap();
            let text = String::from_utf8(text.to_vec()).unwrap();
            seqs.push(Message::read(&header, Some(text)).unwrap().seq);
        }
        seqs
    }

    #[test]
    fn what_comes_after_the_bound_is_pushed_until_the_room_is_left() {
        let mut house = TestHouse::new();
        let post = |house: &TestHouse, room: &str| {
            house.messages.post(message(room, "", "", "x"), None);
        };
        for name in ["lobby", "attic", "lobby"] {
            post(&house, name);
        }
        assert_eq!(join(&mut house, room("lobby")), Ok(Datum::Number(3)));
        assert!(pushed(&mut house).is_empty());
        assert_eq!(
            join(&mut house, room("lobby").with("since", 1)),
            Ok(3.into())
        );
        post(&house, "attic");
        post(&house, "lobby");
        assert_eq!(pushed(&mut house), [3, 5]);
        // The clock of the house stands still at 1970.
        let since = room("attic").with("since", "1970-01-01T00:00:00Z");
        assert_eq!(join(&mut house, since), Ok(Datum::Number(4)));
        assert_eq!(pushed(&mut house), [2, 4]);
        let nothing_yet = room("cellar").with("since", 9);
        assert_eq!(join(&mut house, nothing_yet), Ok(Datum::Number(0)));
        for name in ["cellar", "attic", "lobby"] {
            post(&house, name);
        }
        for _ in 0..2 {
            house.serve(&Leave, &room("attic"), &[]).unwrap();
        }
        post(&house, "attic");
        assert_eq!(pushed(&mut house), [6, 8]);
    }

    #[test]
    fn only_so_many_rooms_are_joined_at_once() {
        let mut house = TestHouse::new();
        let limits = Limits {
            max_joins: 2,
            ..Limits::default()
        };
        house.house.rooms = house::rooms(&limits, &house.house.budget);
        assert!(join(&mut house, room("a")).is_ok() && join(&mut house, room("b")).is_ok());
        assert_eq!(join(&mut house, room("c")), Err(Code::Forbidden));
        assert!(join(&mut house, room("b")).is_ok());
        house.serve(&Leave, &room("a"), &[]).unwrap();
        assert!(join(&mut house, room("c")).is_ok());
    }

    #[test]
    fn what_cannot_be_joined_is_refused() {
        let mut house = TestHouse::new();
        for (fields, code) in [
            (Fields::new(), Code::BadHeader),
            (room("a b"), Code::BadRoom),
            (room("a").with("since", "soon"), Code::BadHeader),
            (room("@lisi"), Code::Forbidden),
        ] {
            assert_eq!(join(&mut house, fields), Err(code));
        }
        house.session.user = UserName::new("lisi").ok();
        house.session.role = Role::User;
        assert!(join(&mut house, room("@lisi")).is_ok());
        let refused = house.serve(&Leave, &Fields::new(), &[]).unwrap_err();
        assert_eq!(refused.code, Code::BadHeader);
    }
}

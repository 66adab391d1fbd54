//! `msg`: a text for a room, shown as it comes and kept by the store of messages. Who reads the
//! room is left to others.

use super::{Ack, Body, Call, Cost, Handler, Outcome, Overlap, Spec, TextSink, refuse};
use crate::budget::Charge;
use crate::session::Right;
use crate::store::{NewMessage, Pending, Receipt, StoreError};
use crate::wire::{Answer, Fields, Key, Refusal, Reply, RoomName};

/// What a message occupies until it is committed beside its text: names, key, ticket and its place
/// in the store's queue. In bytes; charged so that empty texts can't fill the memory either.
const OVERHEAD: usize = 512;

/// Takes in messages.
#[derive(Debug)]
pub(super) struct Message;

/// What the header of a message says.
struct Posting {
    room: RoomName,
    key: Option<Key>,
    ack: Ack,
}

impl Handler for Message {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "msg",
            body: Body::Frame,
            cost: Cost::Quick,
            right: Some(Right::Post),
            before_login: false,
            overlap: Overlap::Posts,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let posting = Posting {
            room: match fields.text("room")? {
                Some(room) => RoomName::new(room)?,
                None => call.session.room.clone(),
            },
            key: fields.text("key")?.map(Key::new).transpose()?,
            ack: Ack::of(fields)?,
        };
        TextSink::open(call, move |call, text, charge| {
            Ok(posting.post(call, text, charge))
        })
    }
}

impl Posting {
    fn post(self, call: &mut Call<'_>, text: String, mut charge: Charge) -> Outcome {
        let Self { room, key, ack } = self;
        let from = call.session.user.clone();
        charge.grow(OVERHEAD);
        let outcome = match ack {
            Ack::Durable => Outcome::Ticket,
            Ack::Received => Outcome::Reply(
                Reply::new()
                    .with("room", room.to_string())
                    .with("ack", Ack::Received),
            ),
        };
        let pending = matches!(outcome, Outcome::Ticket).then(|| Pending {
            ticket: call.ticket(),
            answer,
        });
        let message = NewMessage {
            room,
            from,
            key,
            text,
            charge,
            file: None,
        };
        call.house.messages.post(message, pending);
        outcome
    }
}

/// What a poster is told once the store knows.
fn answer(room: RoomName, receipt: Result<Receipt, &StoreError>) -> Answer {
    let receipt = receipt.map_err(|error| refuse("a message is kept", error))?;
    let readable = room.owner().is_none();
    let mut reply = Reply::new()
        .with("room", room.into_string())
        .with("seq", receipt.seq);
    if readable {
        // In somebody's own room it would tell a poster that others post there too.
        reply = reply.with("prev", receipt.prev);
    }
    reply = reply.with("time", receipt.time).with("ack", Ack::Durable);
    if receipt.duplicate {
        reply = reply.with("duplicate", true);
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::house::tests::{Shown, TestHouse};
    use crate::wire::{Code, Datum, UserName};
    use std::sync::atomic::Ordering;
    use std::time::UNIX_EPOCH;

    fn posted(house: &mut TestHouse, fields: Fields, text: &str) -> Answer {
        house.serve(&Message, &fields, &[text.as_bytes()])
    }

    fn room(name: &str) -> Fields {
        Fields::new().with("room", name)
    }

    #[test]
    fn a_resend_with_the_same_key_is_neither_shown_nor_counted() {
        let mut house = TestHouse::new();
        let keyed = || Fields::new().with("key", "k");
        posted(&mut house, keyed(), "first").unwrap();
        let reply = posted(&mut house, keyed(), "second").unwrap();
        assert!(reply.fields.contains(&("duplicate", Datum::Flag(true))));
        assert_eq!(house.shown(), [Shown::message("lobby", "first")]);
        assert_eq!(house.house.counters.messages.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_message_is_kept_shown_counted_and_answered() {
        let mut house = TestHouse::new();
        house.session.user = UserName::new("张三").ok();
        let reply = posted(&mut house, Fields::new(), "你好").unwrap();
        let expected = Reply::new()
            .with("room", "lobby".to_owned())
            .with("seq", 1)
            .with("prev", 0)
            .with("time", UNIX_EPOCH)
            .with("ack", "durable");
        assert_eq!(reply, expected);
        let stored = house.messages.stored();
        assert_eq!((stored.len(), &*stored[0].text), (1, "你好"));
        assert_eq!(stored[0].from, house.session.user);
        assert_eq!(house.shown(), [Shown::message("lobby", "你好")]);
        assert_eq!(house.house.counters.messages.load(Ordering::Relaxed), 1);
        assert_eq!(house.house.budget.used(), 0);
    }

    #[test]
    fn a_resend_is_told_that_it_is_one() {
        let mut house = TestHouse::new();
        let keyed = || Fields::new().with("key", "k");
        let first = posted(&mut house, keyed(), "a").unwrap();
        let again = posted(&mut house, keyed(), "b").unwrap();
        assert_eq!(again, first.with("duplicate", true));
        assert_eq!(house.messages.stored().len(), 1);
    }

    #[test]
    fn received_is_answered_without_a_seq() {
        let mut house = TestHouse::new();
        let reply = posted(&mut house, room("a").with("ack", "received"), "x").unwrap();
        let expected = Reply::new()
            .with("room", "a".to_owned())
            .with("ack", "received");
        assert_eq!(reply, expected);
        assert_eq!(house.messages.stored().len(), 1);
    }

    #[test]
    fn somebodys_own_room_is_neither_shown_nor_counted_up() {
        let mut house = TestHouse::new();
        posted(&mut house, room("@李四"), "one").unwrap();
        let reply = posted(&mut house, room("@李四"), "two").unwrap();
        let names: Vec<_> = reply.fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["room", "seq", "time", "ack"]);
        assert_eq!(reply.fields[1].1, Datum::Number(2));
        assert_eq!(house.shown(), []);
        assert_eq!(house.messages.stored().len(), 2);
    }

    #[test]
    fn wrong_fields_and_texts_are_refused_and_keep_nothing() {
        let mut house = TestHouse::new();
        let long = "x".repeat(129);
        for (fields, code) in [
            (room("a b"), Code::BadRoom),
            (Fields::new().with("room", 5), Code::BadHeader),
            (Fields::new().with("key", ""), Code::BadHeader),
            (Fields::new().with("key", &*long), Code::BadHeader),
            (Fields::new().with("ack", "written"), Code::BadHeader),
        ] {
            assert_eq!(posted(&mut house, fields, "x").unwrap_err().code, code);
        }
        let refused = house.serve(&Message, &Fields::new(), &[b"\xff"]);
        assert_eq!(refused.unwrap_err().code, Code::BadText);
        let large = vec![b'x'; house.house.limits.max_text + 1];
        let refused = house.serve(&Message, &Fields::new(), &[&large]);
        assert_eq!(refused.unwrap_err().code, Code::TooLarge);
        assert_eq!((house.messages.stored().len(), house.shown().len()), (0, 0));
    }

    #[test]
    fn what_the_store_cannot_keep_is_refused() {
        let told = |error| answer(RoomName::lobby(), Err(&error)).unwrap_err().code;
        assert_eq!(told(StoreError::NoSpace), Code::NoSpace);
        assert_eq!(told(StoreError::Fenced), Code::Internal);
        let mut house = TestHouse::new();
        house.house.messages.close();
        let refused = posted(&mut house, Fields::new(), "x");
        assert_eq!(refused.unwrap_err().code, Code::Internal);
    }
}

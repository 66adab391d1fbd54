//! `msg`: takes a text into a room. Keeping it is left to the message store, which redeems the
//! ticket once it is durable.

use super::{Body, Call, Cost, Handler, Outcome, Spec, TextSink, refuse};
use crate::budget::Charge;
use crate::session::Role;
use crate::store::{NewMessage, Pending, Receipt, StoreError};
use crate::wire::{Answer, Code, Fields, Key, Refusal, Reply, RoomName};
use std::sync::atomic::Ordering;

/// When a message is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ack {
    /// Once it is on the disk.
    Durable,
    /// At once; a crash may still lose it.
    Received,
}

/// The request type `msg`.
pub(super) struct Message;

/// What the header says.
struct Post {
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
            role: Role::Guest,
            before_login: false,
            overlaps: true,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let post = Post::read(call, fields)?;
        TextSink::open(call, move |call, text, charge| {
            Ok(post.take(call, text, charge))
        })
    }
}

impl Post {
    fn read(call: &Call<'_>, fields: &Fields) -> Result<Self, Refusal> {
        let room = match fields.text("room")? {
            Some(room) => RoomName::new(room)?,
            None => call.session.room.clone(),
        };
        let key = fields.text("key")?.map(Key::new).transpose()?;
        let ack = match fields.text("ack")? {
            None | Some("durable") => Ack::Durable,
            Some("received") => Ack::Received,
            Some(_) => {
                let reason = "`ack` must be \"durable\" or \"received\"";
                return Err(Refusal::new(Code::BadHeader, reason));
            }
        };
        Ok(Self { room, key, ack })
    }

    fn take(self, call: &mut Call<'_>, text: String, charge: Charge) -> Outcome {
        let (house, from) = (call.house, call.session.user.clone());
        if self.room.owner().is_none() {
            house.show.message(&self.room, from.as_ref(), &text);
        }
        house.counters.messages.fetch_add(1, Ordering::Relaxed);
        let received = (self.ack == Ack::Received).then(|| {
            let room = self.room.as_str().to_owned();
            Reply::new().with("room", room).with("ack", "received")
        });
        let message = NewMessage {
            room: self.room,
            from,
            key: self.key,
            text,
            charge,
        };
        match received {
            Some(reply) => {
                house.messages.post(message, None);
                Outcome::Reply(reply)
            }
            None => {
                let ticket = call.ticket();
                house
                    .messages
                    .post(message, Some(Pending { ticket, answer }));
                Outcome::Ticket
            }
        }
    }
}

/// Puts a receipt into words.
fn answer(room: RoomName, result: Result<Receipt, &StoreError>) -> Answer {
    let receipt = result.map_err(|error| refuse("messages", error))?;
    // How often others write to somebody's own room is that user's business.
    let is_own = room.owner().is_some();
    let mut reply = Reply::new()
        .with("room", room.into_string())
        .with("seq", receipt.seq);
    if !is_own {
        reply = reply.with("prev", receipt.prev);
    }
    reply = reply.with("time", receipt.time).with("ack", "durable");
    if receipt.duplicate {
        reply = reply.with("duplicate", true);
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn receipt() -> Receipt {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        Receipt {
            seq: 7,
            prev: 3,
            time,
            duplicate: false,
        }
    }

    fn names(answer: Answer) -> Vec<&'static str> {
        answer
            .unwrap()
            .fields
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn a_receipt_says_where_the_message_stands() {
        let lobby = RoomName::lobby();
        assert_eq!(
            names(answer(lobby.clone(), Ok(receipt()))),
            ["room", "seq", "prev", "time", "ack"]
        );
        let duplicate = Receipt {
            duplicate: true,
            ..receipt()
        };
        assert!(names(answer(lobby, Ok(duplicate))).contains(&"duplicate"));
    }

    #[test]
    fn posters_to_somebodys_own_room_learn_nothing_of_the_others() {
        let own = RoomName::new("@lisi").unwrap();
        assert!(!names(answer(own, Ok(receipt()))).contains(&"prev"));
    }

    #[test]
    fn a_full_disk_and_a_fenced_store_are_told_apart() {
        let code = |error| answer(RoomName::lobby(), Err(&error)).unwrap_err().code;
        assert_eq!(code(StoreError::NoSpace), Code::NoSpace);
        assert_eq!(code(StoreError::Fenced), Code::Internal);
    }
}

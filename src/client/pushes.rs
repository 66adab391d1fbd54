//! What a server says unasked, typed, and the queue in which it waits to be taken. Who is told
//! what, and what a client does about a gap, is left to [`super::Subscription`].

use super::Error;
use crate::wire::{Fields, Message, RoomName};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::time::Duration;

/// Something that a server said unasked.
#[derive(Debug, Clone, PartialEq)]
pub enum Push {
    /// A message in a room that this connection joined.
    Message(Message),
    /// Messages of a room that were not sent here; a history has them.
    Gap {
        /// The room.
        room: RoomName,
        /// The first one's seq.
        first: u64,
        /// The last one's seq; what comes after it is sent again.
        last: u64,
    },
    /// The server is about to shut down.
    GoingAway {
        /// How long to wait before the next connection, if it was told.
        retry_after: Option<Duration>,
    },
    /// Something that this client does not know. Its body was skipped.
    Other {
        /// Its `msg_type`.
        msg_type: String,
        /// Everything else its header says.
        fields: Fields,
    },
}

impl Push {
    /// Whether a push of this type has a body that is read; any other body is skipped.
    pub(super) fn has_text(msg_type: &str) -> bool {
        msg_type == "msg"
    }

    /// Reads a push from its header and its body.
    ///
    /// # Errors
    ///
    /// [`Error::Nonsense`] for a message or a gap that cannot be read.
    pub(super) fn read(msg_type: String, fields: Fields, body: Vec<u8>) -> Result<Self, Error> {
        let unreadable = || Error::Nonsense(format!("a push {msg_type:?} that cannot be read"));
        match msg_type.as_str() {
            "msg" => {
                let text = String::from_utf8(body).map_err(|_| unreadable())?;
                let object = fields
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.clone()));
                let object = Value::Object(object.collect::<Map<_, _>>());
                let message = Message::read(&object, Some(text)).ok_or_else(unreadable)?;
                Ok(Self::Message(message))
            }
            "gap" => {
                let number = |name| fields.number(name).ok().flatten();
                let room = fields.text("room").ok().flatten();
                let room = room.and_then(|room| RoomName::new(room).ok());
                match (room, number("first"), number("last")) {
                    (Some(room), Some(first), Some(last)) => Ok(Self::Gap { room, first, last }),
                    _ => Err(unreadable()),
                }
            }
            "going_away" => {
                let wait = fields.number("retry_after_ms").ok().flatten();
                let retry_after = wait.map(Duration::from_millis);
                Ok(Self::GoingAway { retry_after })
            }
            _ => Ok(Self::Other { msg_type, fields }),
        }
    }

    /// About how many bytes of memory it occupies.
    fn weight(&self) -> usize {
        const EACH: usize = 256;
        match self {
            Self::Message(message) => EACH + message.text.len(),
            Self::Gap { .. } | Self::GoingAway { .. } => EACH,
            Self::Other { fields, .. } => EACH * (1 + fields.iter().count()),
        }
    }
}

/// Pushes that came while something else was waited for, in order.
///
/// Bounded: a server that sends on while its answer is awaited could otherwise fill the memory.
/// Messages beyond the bound become a gap, which is what a server would have made of them too.
#[derive(Debug, Default)]
pub(super) struct Pushes {
    waiting: VecDeque<Push>,
    weight: usize,
}

/// The memory that waiting pushes may occupy, in bytes: 16 MiB.
const MOST: usize = 16 * 1024 * 1024;

impl Pushes {
    pub(super) fn enter(&mut self, push: Push) {
        let weight = push.weight();
        if self.weight + weight <= MOST {
            self.weight += weight;
            return self.waiting.push_back(push);
        }
        match push {
            Push::Message(message) => self.fold(message.room, message.seq, message.seq),
            Push::Gap { room, first, last } => self.fold(room, first, last),
            Push::GoingAway { .. } => self.waiting.push_back(push),
            Push::Other { .. } => {}
        }
    }

    /// Adds to the gap of `room` at the end of the queue, or begins one.
    fn fold(&mut self, room: RoomName, first: u64, last: u64) {
        let at_the_end = self.waiting.iter_mut().rev();
        let gaps = at_the_end.map_while(|push| match push {
            Push::Gap { room, last, .. } => Some((room, last)),
            _ => None,
        });
        for (other, until) in gaps {
            if *other == room {
                *until = last;
                return;
            }
        }
        self.waiting.push_back(Push::Gap { room, first, last });
    }

    pub(super) fn take(&mut self) -> Option<Push> {
        let push = self.waiting.pop_front()?;
        self.weight = self.weight.saturating_sub(push.weight());
        Some(push)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::time::SystemTime;

    fn message(room: &str, seq: u64, text: String) -> Push {
        Push::Message(Message {
            room: RoomName::new(room).unwrap(),
            seq,
            prev: seq - 1,
            time: SystemTime::UNIX_EPOCH,
            from: None,
            text,
            file: None,
        })
    }

    #[test]
    fn pushes_are_told_apart() {
        let read = |msg_type: &str, fields, body: &str| {
            Push::read(msg_type.to_owned(), fields, body.into()).unwrap()
        };
        let fields = Fields::new()
            .with("room", "a")
            .with("seq", 2)
            .with("prev", 1);
        let fields = fields
            .with("time", "1970-01-01T00:00:00.000Z")
            .with("from", Value::Null);
        assert_eq!(
            read("msg", fields.with("body", 2), "hi"),
            message("a", 2, "hi".to_owned())
        );
        let gap = Fields::new()
            .with("room", "a")
            .with("first", 2)
            .with("last", 5);
        let (room, first, last) = (RoomName::new("a").unwrap(), 2, 5);
        assert_eq!(read("gap", gap, ""), Push::Gap { room, first, last });
        let retry_after = Some(Duration::from_secs(1));
        let wait = Fields::new().with("retry_after_ms", 1000);
        assert_eq!(
            read("going_away", wait, ""),
            Push::GoingAway { retry_after }
        );
        assert!(matches!(
            read("news", Fields::new(), ""),
            Push::Other { .. }
        ));
        for (wrong, body) in [("msg", "x"), ("gap", "")] {
            assert!(Push::read(wrong.to_owned(), Fields::new(), body.into()).is_err());
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let time = "1970-01-01T00:00:0[0-9]Z|[0-9:TZ-]{0,24}";
        prop_oneof![
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[a-z@ ]{0,8}".prop_map(Value::from),
            time.prop_map(Value::from),
            Just(Value::Null),
            Just(json!({"name": "a", "size": 1})),
            Just(json!([1])),
        ]
    }

    proptest! {
        #[test]
        fn any_push_is_read_or_told(
            msg_type in "msg|gap|going_away|error|[a-z]{0,5}",
            values in prop::collection::vec((0usize..10, value()), 0..10),
            body: Vec<u8>,
        ) {
            const NAMES: [&str; 10] =
                ["room", "seq", "prev", "time", "from", "file", "first", "last", "retry_after_ms", "x"];
            let fields = values.into_iter().fold(Fields::new(), |fields, (name, value)| {
                fields.with(NAMES[name], value)
            });
            match Push::read(msg_type.clone(), fields, body) {
                Ok(Push::Message(_)) => prop_assert_eq!(msg_type, "msg"),
                Ok(Push::Gap { .. }) => prop_assert_eq!(msg_type, "gap"),
                Ok(_) => prop_assert!(msg_type != "msg" && msg_type != "gap"),
                Err(error) => prop_assert!(matches!(error, Error::Nonsense(_))),
            }
        }
    }

    #[test]
    fn what_does_not_fit_becomes_a_gap_of_its_room() {
        let mut pushes = Pushes::default();
        let text = "x".repeat(1024 * 1024);
        for seq in 1..=40 {
            let room = if seq % 2 == 0 { "even" } else { "odd" };
            pushes.enter(message(room, seq, text.clone()));
        }
        let (mut seen, mut gaps) = (0, Vec::new());
        while let Some(push) = pushes.take() {
            match push {
                Push::Message(message) => {
                    seen += 1;
                    assert_eq!(message.seq, seen);
                }
                Push::Gap { room, first, last } => gaps.push((room.into_string(), first, last)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, 15);
        assert_eq!(
            gaps,
            [("even".to_owned(), 16, 40), ("odd".to_owned(), 17, 39)]
        );
        // There is room again.
        pushes.enter(message("even", 41, text));
        assert!(matches!(pushes.take(), Some(Push::Message(_))) && pushes.is_empty());
    }
}

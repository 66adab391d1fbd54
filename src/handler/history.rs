//! `history`: a page of a room's messages. Reading on as they come is left to `join`.

use super::bound::Bound;
use super::paging::{self, PAGE_BYTES, PageBody};
use super::{Body, Call, Cost, Handler, House, Outcome, Overlap, Spec, reading, refuse};
use crate::session::Right;
use crate::store::{Query, Range, StoreError};
use crate::wire::{Code, FieldError, Fields, Refusal, Reply, RoomName};

/// The longest text that is searched for, in bytes.
const MAX_SEARCH: usize = 1 << 10;

/// The request type `history`.
pub(super) struct History;

/// Which part of the room is wanted, as the header says it.
#[derive(Debug, Clone, Copy)]
enum Part {
    Newest,
    Before(Bound),
    After(Bound),
}

impl Handler for History {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "history",
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
        let part = match (Bound::of(fields, "before")?, Bound::of(fields, "after")?) {
            (None, None) => Part::Newest,
            (Some(bound), None) => Part::Before(bound),
            (None, Some(bound)) => Part::After(bound),
            (Some(_), Some(_)) => {
                let reason = "a page lies `before` or `after` a message, not both";
                return Err(Refusal::new(Code::BadHeader, reason));
            }
        };
        let search = fields.text("search")?;
        if search.is_some_and(|text| text.is_empty() || text.len() > MAX_SEARCH) {
            let (name, expected) = ("search", "a text of 1 to 1024 bytes");
            return Err(FieldError { name, expected }.into());
        }
        let search = search.map(str::to_owned);
        let limit = paging::limit(call.house, fields)?;
        let query = |range| Query {
            room,
            range,
            limit,
            max_bytes: PAGE_BYTES,
            search,
        };
        let range = part.find(call.house).map_err(|error| failed(&error))?;
        page(call.house, &query(range)).map(Outcome::Reply)
    }
}

fn failed(error: &StoreError) -> Refusal {
    refuse("a history is read", error)
}

impl Part {
    fn find(self, house: &House) -> Result<Range, StoreError> {
        let messages = house.messages.as_ref();
        Ok(match self {
            Self::Newest => Range::Newest,
            Self::Before(bound) => Range::Before(bound.before(messages)?),
            Self::After(bound) => Range::After(bound.after(messages)?),
        })
    }
}

/// The page that `query` asks for. Where it is cut for its bytes, those next to the bound stay: the
/// oldest after one, else the newest.
fn page(house: &House, query: &Query) -> Result<Reply, Refusal> {
    let mut page = (house.messages.page(query)).map_err(|error| failed(&error))?;
    let ascends = matches!(query.range, Range::After(_));
    if !ascends {
        page.messages.reverse();
    }
    let mut body = PageBody::default();
    for message in &page.messages {
        if !body.push(message)? {
            page.more = true;
            break;
        }
    }
    if !ascends {
        body.reverse();
    }
    Ok(body.reply(page.more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::house::tests::TestHouse;
    use crate::session::Role;
    use crate::store::Messages;
    use crate::store::conformance::message;
    use crate::wire::{Message, UserName};
    use serde_json::Value;

    /// A house with these texts in the lobby, from seq 1 on.
    fn house(texts: &[&str]) -> TestHouse {
        let house = TestHouse::new();
        for text in texts {
            house.messages.post(message("lobby", "", "", text), None);
        }
        house
    }

    fn lobby() -> Fields {
        Fields::new().with("room", "lobby")
    }

    /// The seqs on the page, and whether there is more.
    fn seqs(house: &mut TestHouse, fields: Fields) -> Result<(Vec<u64>, bool), Code> {
        let reply = house.serve(&History, &fields, &[]);
        let reply = reply.map_err(|refusal| refusal.code)?;
        let body: Value = serde_json::from_slice(&reply.body.unwrap()).unwrap();
        let messages = body.as_array().unwrap().iter();
        let messages = messages.map(|object| Message::read(object, None).unwrap().seq);
        let seqs: Vec<_> = messages.collect();
        assert_eq!(reply.fields[0], ("count", (seqs.len() as u64).into()));
        Ok((seqs, reply.fields[1] == ("more", true.into())))
    }

    #[test]
    fn a_page_is_ascending_and_says_whether_there_is_more() {
        let mut house = house(&["a", "b", "你好", "B", "我叫马冬梅你好"]);
        let mut ask = |fields: Fields| seqs(&mut house, fields).unwrap();
        assert_eq!(ask(lobby()), (vec![1, 2, 3, 4, 5], false));
        assert_eq!(ask(lobby().with("limit", 2)), (vec![4, 5], true));
        let before = lobby().with("before", 3).with("limit", 1);
        assert_eq!(ask(before), (vec![2], true));
        let after = lobby().with("after", 3);
        assert_eq!(ask(after.clone()), (vec![4, 5], false));
        assert_eq!(ask(after.with("limit", 1)), (vec![4], true));
        assert_eq!(ask(lobby().with("search", "你好")), (vec![3, 5], false));
        assert_eq!(ask(lobby().with("search", "b")), (vec![2, 4], false));
        // The clock of the house stands still at 1970.
        let epoch = "1970-01-01T00:00:00Z";
        assert_eq!(ask(lobby().with("before", epoch)), (vec![], false));
        assert_eq!(ask(lobby().with("after", epoch)).0.len(), 5);
        let later = lobby().with("before", "1970-01-01T00:00:00.001Z");
        assert_eq!(ask(later).0.len(), 5);
        let nowhere = Fields::new().with("room", "nowhere");
        assert_eq!(ask(nowhere), (vec![], false));
    }

    #[test]
    fn what_a_page_has_no_room_for_is_left_to_the_next() {
        // Each is six times as long in JSON: one alone fits, two do not.
        let long = "\u{1}".repeat(PAGE_BYTES / 10);
        let mut house = house(&[&long, &long, "short"]);
        assert_eq!(seqs(&mut house, lobby()), Ok((vec![2, 3], true)));
        let before = lobby().with("before", 3);
        assert_eq!(seqs(&mut house, before), Ok((vec![2], true)));
        let after = lobby().with("after", 0);
        assert_eq!(seqs(&mut house, after), Ok((vec![1], true)));
    }

    #[test]
    fn what_cannot_be_a_page_is_refused() {
        let mut house = house(&["x"]);
        let long = "x".repeat(MAX_SEARCH + 1);
        assert!(seqs(&mut house, lobby().with("search", &long[1..])).is_ok());
        for (fields, code) in [
            (Fields::new(), Code::BadHeader),
            (Fields::new().with("room", "a b"), Code::BadRoom),
            (lobby().with("before", 1).with("after", 1), Code::BadHeader),
            (lobby().with("before", "soon"), Code::BadHeader),
            (lobby().with("limit", 0), Code::BadHeader),
            (lobby().with("search", ""), Code::BadHeader),
            (lobby().with("search", long), Code::BadHeader),
            (Fields::new().with("room", "@lisi"), Code::Forbidden),
        ] {
            assert_eq!(seqs(&mut house, fields.clone()), Err(code), "{fields:?}");
        }
        house.session.user = UserName::new("lisi").ok();
        house.session.role = Role::User;
        assert!(seqs(&mut house, Fields::new().with("room", "@lisi")).is_ok());
    }
}

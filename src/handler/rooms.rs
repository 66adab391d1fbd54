//! `rooms`: which rooms there are: those with messages, and those that somebody has joined.

use super::paging::{self, PageBody};
use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec, reading, refuse};
use crate::session::Right;
use crate::wire::{Fields, Refusal, RoomName};
use serde::Serialize;
use std::collections::BTreeMap;

/// The request type `rooms`.
pub(super) struct ListRooms;

/// A room in the list.
#[derive(Serialize)]
struct Entry<'a> {
    room: &'a str,
    head: u64,
    members: usize,
}

impl Handler for ListRooms {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "rooms",
            body: Body::None,
            cost: Cost::Blocking,
            right: Some(Right::ReadRoom),
            before_login: false,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let after = fields.text("after")?.map(RoomName::new).transpose()?;
        let (house, session) = (call.house, &*call.session);
        let limit = paging::limit(house, fields)?;
        // One more than is wanted tells whether there is more. The first of both lists together
        // are among the first of each.
        let personal = reading::personal_rooms(session);
        let heads = house.messages.rooms(after.as_ref(), limit + 1, personal);
        let heads = heads.map_err(|error| refuse("rooms are listed", &error))?;
        let is_seen = |room: &RoomName| reading::may_read(session, room);
        let joined = house.rooms.joined(after.as_ref(), limit + 1, is_seen);
        let heads = heads.into_iter().map(|head| (head.room, head.head));
        let mut rooms: BTreeMap<RoomName, u64> = heads.collect();
        for (room, _) in joined {
            rooms.entry(room).or_insert(0);
        }
        let mut more = rooms.len() > limit;
        let mut body = PageBody::default();
        for (room, head) in rooms.iter().take(limit) {
            let entry = Entry {
                room: room.as_str(),
                head: *head,
                members: house.rooms.members(room),
            };
            if !body.push(&entry)? {
                more = true;
                break;
            }
        }
        Ok(Outcome::Reply(body.reply(more)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::house::tests::TestHouse;
    use crate::handler::join::Join;
    use crate::session::Role;
    use crate::store::Messages;
    use crate::store::conformance::message;
    use crate::wire::{Code, UserName};

    /// The list in short: name, head and members of each room, and whether there is more.
    fn list(house: &mut TestHouse, fields: Fields) -> String {
        let reply = house.serve(&ListRooms, &fields, &[]).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&reply.body.unwrap()).unwrap();
        let rooms = body.as_array().unwrap().iter();
        let rooms = rooms.map(|room| {
            let name = room["room"].as_str().unwrap();
            format!("{name} {} {}", room["head"], room["members"])
        });
        let mut rooms: Vec<_> = rooms.collect();
        assert_eq!(reply.fields[0], ("count", (rooms.len() as u64).into()));
        if reply.fields[1] == ("more", true.into()) {
            rooms.push("...".to_owned());
        }
        rooms.join(", ")
    }

    #[test]
    fn rooms_with_messages_and_rooms_with_members_are_one_list() {
        let mut house = TestHouse::new();
        for room in ["b", "d", "b", "@lisi"] {
            house.messages.post(message(room, "", "", ""), None);
        }
        for room in ["a", "b", "c"] {
            house
                .serve(&Join, &Fields::new().with("room", room), &[])
                .unwrap();
        }
        let mut ask = |fields: Fields| list(&mut house, fields);
        let none = Fields::new;
        assert_eq!(ask(none()), "a 0 1, b 3 1, c 0 1, d 2 0");
        assert_eq!(ask(none().with("limit", 4)), "a 0 1, b 3 1, c 0 1, d 2 0");
        assert_eq!(ask(none().with("limit", 3)), "a 0 1, b 3 1, c 0 1, ...");
        assert_eq!(
            ask(none().with("after", "a").with("limit", 1)),
            "b 3 1, ..."
        );
        assert_eq!(ask(none().with("after", "c")), "d 2 0");
        assert_eq!(ask(none().with("after", "d")), "");
    }

    #[test]
    fn somebodys_own_room_is_listed_for_that_user_only() {
        let mut house = TestHouse::new();
        house.messages.post(message("@lisi", "", "", ""), None);
        house.session.role = Role::Admin;
        for room in ["@lisi", "@wangwu"] {
            house
                .serve(&Join, &Fields::new().with("room", room), &[])
                .unwrap();
        }
        assert_eq!(list(&mut house, Fields::new()), "@lisi 1 1, @wangwu 0 1");
        house.session.role = Role::User;
        house.session.user = UserName::new("wangwu").ok();
        assert_eq!(list(&mut house, Fields::new()), "@wangwu 0 1");
        house.session.user = None;
        assert_eq!(list(&mut house, Fields::new()), "");
    }

    #[test]
    fn a_wrong_page_is_refused() {
        let mut house = TestHouse::new();
        for (fields, code) in [
            (Fields::new().with("after", "a b"), Code::BadRoom),
            (Fields::new().with("after", 5), Code::BadHeader),
            (Fields::new().with("limit", 0), Code::BadHeader),
        ] {
            let refused = house.serve(&ListRooms, &fields, &[]).unwrap_err();
            assert_eq!(refused.code, code);
        }
    }
}

//! Who may read which room. `@name` is that user's own: others may post there, only that user and
//! admins may read it or learn that it is there.

use super::Call;
use crate::rooms::{Reader, Rooms};
use crate::session::{Right, Session};
use crate::store::PersonalRooms;
use crate::wire::{Code, Refusal, RoomName};

/// Whether `session` may read `room`.
pub(super) fn may_read(session: &Session, room: &RoomName) -> bool {
    let user = session.user.as_ref().map(|user| user.as_str());
    let right = match room.owner() {
        None => Right::ReadRoom,
        owner if owner == user => Right::ReadOwnRoom,
        Some(_) => Right::ReadAnyRoom,
    };
    session.role.may(right)
}

/// Sees to it that `session` may read `room`.
///
/// # Errors
///
/// `forbidden`, whether or not there are messages in it.
pub(super) fn check(session: &Session, room: &RoomName) -> Result<(), Refusal> {
    if may_read(session, room) {
        return Ok(());
    }
    let reason = "this room is read by the user whose own it is";
    Err(Refusal::new(Code::Forbidden, reason))
}

/// Which personal rooms `session` sees in a list.
pub(super) fn personal_rooms(session: &Session) -> PersonalRooms<'_> {
    match &session.user {
        _ if session.role.may(Right::ReadAnyRoom) => PersonalRooms::All,
        Some(user) => PersonalRooms::Of(user),
        None => PersonalRooms::None,
    }
}

/// Has `reader` leave what `session` may not read any more. Nothing of it follows.
pub fn leave_closed_rooms(session: &Session, reader: &mut Reader, rooms: &Rooms) {
    let owes_login = session.owes_login();
    reader.leave_where(rooms, |room| owes_login || !may_read(session, room));
}

/// The same for who asks in `call`.
pub(super) fn leave_closed(call: &mut Call<'_>) {
    let house = call.house;
    if let Some(reader) = call.reader.as_deref_mut() {
        leave_closed_rooms(call.session, reader, &house.rooms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LoginPolicy;
    use crate::session::Role;
    use crate::wire::UserName;

    #[test]
    fn a_personal_room_is_for_its_user_and_admins() {
        let session = |user: &str, role| Session {
            user: UserName::new(user).ok(),
            role,
            ..Session::new(([127, 0, 0, 1], 1).into(), LoginPolicy::Optional)
        };
        let guest = session("", Role::Guest);
        let (lisi, zhangsan) = (session("lisi", Role::User), session("zhangsan", Role::User));
        let admin = session("root", Role::Admin);
        let room = |name| RoomName::new(name).unwrap();
        for (reader, own) in [
            (&guest, false),
            (&zhangsan, false),
            (&lisi, true),
            (&admin, true),
        ] {
            assert!(may_read(reader, &room("lobby")));
            assert_eq!(check(reader, &room("@lisi")).is_ok(), own);
            // A room of nobody's is not one of those who have no name.
            assert_eq!(may_read(reader, &room("@")), reader.role == Role::Admin);
        }
        assert_eq!(personal_rooms(&guest), PersonalRooms::None);
        assert_eq!(personal_rooms(&admin), PersonalRooms::All);
        let own = UserName::new("lisi").unwrap();
        assert_eq!(personal_rooms(&lisi), PersonalRooms::Of(&own));
    }
}

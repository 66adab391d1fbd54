//! The list of rooms: one step in the index a room, however many messages it has.

use super::writing::head;
use crate::store::{PersonalRooms, RoomHead};
use crate::wire::RoomName;
use rusqlite::{Connection, OptionalExtension};

/// What comes right behind all names of personal rooms, which begin with `@`.
const BEHIND_PERSONAL: &str = "A";

/// The rooms after the name `after`, at most `limit`, and `personal` ones only as it says.
pub(super) fn rooms(
    connection: &Connection,
    after: Option<&RoomName>,
    limit: usize,
    personal: PersonalRooms<'_>,
) -> rusqlite::Result<Vec<RoomHead>> {
    let mut next = connection
        .prepare_cached("SELECT room FROM message WHERE room >= ?1 ORDER BY room LIMIT 1")?;
    let mut rooms = Vec::new();
    // The least name behind another is the same with a NUL, which no name holds.
    let behind = |room: &str| format!("{room}\0");
    let mut from = after.map_or_else(String::new, |after| behind(after.as_str()));
    while rooms.len() < limit {
        let found: Option<String> = next.query_row([&from], |row| row.get(0)).optional()?;
        let Some(name) = found else { break };
        if let Some(seen) = first_seen(&name, personal) {
            from = seen;
            continue;
        }
        from = behind(&name);
        // A name that is none is a row that rotted.
        if let Ok(room) = RoomName::new(name) {
            let head = head(connection, &room)?;
            rooms.push(RoomHead { room, head });
        }
    }
    Ok(rooms)
}

/// Where to go on from the room `name` if it is not to be seen; `None` if it is.
fn first_seen(name: &str, personal: PersonalRooms<'_>) -> Option<String> {
    let owner = name.strip_prefix('@')?;
    match personal {
        PersonalRooms::All => None,
        PersonalRooms::Of(user) if owner == user.as_str() => None,
        PersonalRooms::Of(user) if owner < user.as_str() => Some(format!("@{user}")),
        PersonalRooms::Of(_) | PersonalRooms::None => Some(BEHIND_PERSONAL.to_owned()),
    }
}

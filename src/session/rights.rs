//! Who may do what, as a table. The protocol document is tested against it; `dispatch` checks each
//! request against it, and stores are told what it says.

use super::Role;

/// Something that not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// To post a message.
    Post,
    /// To read a room that is nobody's own.
    ReadRoom,
    /// To read the room `@name` that is one's own.
    ReadOwnRoom,
    /// To read anybody's `@name`, and to have its files.
    ReadAnyRoom,
    /// To send a file.
    Upload,
    /// To fetch a file.
    Download,
    /// To list files.
    List,
    /// To remove a file that one sent.
    RemoveOwn,
    /// To remove any file.
    RemoveAny,
    /// To ask a bot.
    Bot,
    /// To end one's login or a token.
    Logout,
    /// To end another's connections.
    Kick,
}

/// Each right: what it is called in the documents, and the least role that has it. Where a login is
/// required, a guest has none but `logout`.
pub const RIGHTS: &[(Right, &str, Role)] = &[
    (Right::Post, "post a message", Role::Guest),
    (Right::ReadRoom, "read a room", Role::Guest),
    (Right::ReadOwnRoom, "read one's own `@name`", Role::User),
    (
        Right::ReadAnyRoom,
        "read any `@name` and its files",
        Role::Admin,
    ),
    (Right::Upload, "send a file", Role::Guest),
    (Right::Download, "fetch a file", Role::Guest),
    (Right::List, "list files", Role::Guest),
    (Right::RemoveOwn, "remove a file that one sent", Role::User),
    (Right::RemoveAny, "remove any file", Role::Admin),
    (Right::Bot, "ask a bot", Role::Guest),
    (Right::Logout, "log out, end a token", Role::Guest),
    (
        Right::Kick,
        "end another's connections (`kick`)",
        Role::Admin,
    ),
];

impl Right {
    /// The least role that has it.
    #[must_use]
    pub fn least_role(self) -> Role {
        let row = RIGHTS.iter().find(|(right, ..)| *right == self);
        row.map_or(Role::Admin, |(_, _, role)| *role)
    }
}

impl Role {
    /// Every role, from little to much.
    pub const ALL: [Self; 3] = [Self::Guest, Self::User, Self::Admin];

    /// Whether this role has `right`.
    #[must_use]
    pub fn may(self, right: Right) -> bool {
        self >= right.least_role()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_right_has_one_row_and_whoever_has_more_has_all_of_less() {
        let rights: HashSet<_> = RIGHTS.iter().map(|(right, ..)| right).collect();
        assert_eq!(rights.len(), RIGHTS.len());
        // `Kick` is the last of them: none is missing.
        assert_eq!(RIGHTS.len(), Right::Kick as usize + 1);
        for (right, _, least) in RIGHTS {
            let having = Role::ALL.map(|role| role.may(*right));
            assert!(having.is_sorted(), "{right:?}");
            assert_eq!(right.least_role(), *least);
            assert!(Role::Admin.may(*right));
        }
        assert!(!Role::User.may(Right::RemoveAny));
        assert!(!Role::Guest.may(Right::RemoveOwn));
    }
}

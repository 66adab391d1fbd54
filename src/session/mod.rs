//! What a connection has become: who is at the other end and what they may do. The bytes are left
//! to the conversation, the socket to the server.

mod rights;

pub use rights::{RIGHTS, Right};

use crate::config::LoginPolicy;
use crate::wire::{RoomName, TokenHash, UserName};
use std::fmt;
use std::net::SocketAddr;

/// What somebody may do, from little to much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Not logged in.
    Guest,
    /// Logged in.
    User,
    /// Logged in and trusted with everything.
    Admin,
}

impl Role {
    /// The word on the wire and in `users.txt`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Which secret a login stands on: a fingerprint of what `users.txt` has. One that changes ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretMark(pub [u8; 32]);

/// One connection's standing.
#[derive(Debug, Clone)]
pub struct Session {
    /// The other end's address.
    pub peer: SocketAddr,
    /// Whether this listener knows logins.
    pub login: LoginPolicy,
    /// Whether nobody on the way can read along.
    pub is_encrypted: bool,
    /// Where messages go that name no room.
    pub room: RoomName,
    /// Who is logged in.
    pub user: Option<UserName>,
    /// What they may do.
    pub role: Role,
    /// The secret that the login stands on.
    pub mark: Option<SecretMark>,
    /// The token that was used or handed out for it.
    pub token: Option<TokenHash>,
    /// Whether a login here is told a token.
    pub takes_tokens: bool,
}

impl Session {
    /// A guest's session.
    #[must_use]
    pub fn new(peer: SocketAddr, login: LoginPolicy) -> Self {
        Self {
            peer,
            login,
            is_encrypted: false,
            room: RoomName::lobby(),
            user: None,
            role: Role::Guest,
            mark: None,
            token: None,
            takes_tokens: true,
        }
    }

    /// Makes it a guest's again.
    pub fn log_out(&mut self) {
        self.user = None;
        self.role = Role::Guest;
        self.mark = None;
        self.token = None;
    }

    /// Whether nothing is served before a login, and none was made.
    #[must_use]
    pub fn owes_login(&self) -> bool {
        self.login == LoginPolicy::Required && self.user.is_none()
    }

    /// Whether nobody on the way can read along: the peer is on this machine, or all is encrypted.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.is_encrypted || self.peer.ip().to_canonical().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_private_inside_tls_only() {
        let session = |address: &str| Session::new(address.parse().unwrap(), LoginPolicy::Required);
        for here in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.2]:1"] {
            assert!(session(here).is_private(), "{here}");
        }
        for far in ["192.0.2.1:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"] {
            let mut session = session(far);
            assert!(!session.is_private(), "{far}");
            session.is_encrypted = true;
            assert!(session.is_private(), "{far}");
        }
    }
}

//! Bans: who must wait before the next try of a password, and who logged in of late. What a store
//! of them promises. The engines are `database` (lasting), a second connection to the same file for
//! the operator's commands, and `memory`.
//!
//! Who is banned, and for how long, is left to [`crate::gate`].

use super::{Done, StoreError};
use crate::wire::UserName;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// Where tries come from: an address, or one user's name tried from there. All of an IPv6 /64 is one
/// address, since it belongs to one host or household.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    network: IpAddr,
    user: Option<UserName>,
}

/// A wait that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// For whom.
    pub source: Source,
    /// How long it is, to the second.
    pub wait: Duration,
    /// Since when, to the second.
    pub since: SystemTime,
}

/// What is remembered of sources: of more than 100,000 of a kind, the newest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Waits, those that are over among them, by source.
    pub bans: Vec<Ban>,
    /// Who logged in, and when that was last noted, by source.
    pub known: Vec<(Source, SystemTime)>,
    /// Whose waits an operator has lifted.
    pub lifted: Vec<Source>,
}

/// Which bans are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichBans {
    /// Those of an address, with those of any user from there.
    Address(IpAddr),
    /// Those of one user, from anywhere.
    User(UserName),
    /// All there are.
    All,
}

/// A store of bans. What it is told without being asked to tell the end is written when that suits
/// it; where it can't be written nothing but the memory of it is lost.
pub trait Bans: Send + Sync {
    /// What is remembered. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that can't be read.
    fn remembered(&self) -> Result<Remembered, StoreError>;

    /// Whose waits an operator has lifted. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that can't be read.
    fn lifted(&self) -> Result<Vec<Source>, StoreError>;

    /// Remembers a ban in the place of an earlier one of that source.
    fn ban(&self, ban: Ban);

    /// Remembers that `source` logged in, and forgets its ban.
    fn know(&self, source: Source, since: SystemTime);

    /// Forgets that the waits of `sources` were lifted.
    fn forget_lifted(&self, sources: Vec<Source>);

    /// Forgets who was banned before `banned` and not since, and who was known before `known` and not
    /// since.
    fn forget_before(&self, banned: SystemTime, known: SystemTime);

    /// Lifts what is meant by `which`; `done` is told how many waits that were once it is durable.
    fn lift(&self, which: WhichBans, done: Done<u64>);
}

impl Source {
    /// All of the address `peer`.
    #[must_use]
    pub fn address(peer: IpAddr) -> Self {
        Self {
            network: network(peer),
            user: None,
        }
    }

    /// The name `user`, tried from the address `peer`.
    #[must_use]
    pub fn pair(peer: IpAddr, user: UserName) -> Self {
        Self {
            network: network(peer),
            user: Some(user),
        }
    }

    /// The address, of an IPv6 /64 the first.
    #[must_use]
    pub const fn network(&self) -> IpAddr {
        self.network
    }

    /// The user's name that was tried, if only that is meant.
    #[must_use]
    pub const fn user(&self) -> Option<&UserName> {
        self.user.as_ref()
    }
}

impl WhichBans {
    /// Whether a ban of `source` is meant.
    #[must_use]
    pub fn means(&self, source: &Source) -> bool {
        match self {
            Self::Address(peer) => source.network == network(*peer),
            Self::User(user) => source.user.as_ref() == Some(user),
            Self::All => true,
        }
    }
}

/// What counts as one address.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !u128::from(u64::MAX)).into()),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// The address, and behind a space the user.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            None => self.network.fmt(f),
            Some(user) => write!(f, "{} {user}", self.network),
        }
    }
}

/// A text that names no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceError;

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an address, nor an address and a user's name")
    }
}

impl std::error::Error for SourceError {}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (peer, user) = match text.split_once(' ') {
            Some((peer, user)) => (peer, Some(user)),
            None => (text, None),
        };
        let peer = peer.parse().map_err(|_| SourceError)?;
        match user {
            None => Ok(Self::address(peer)),
            Some(user) => {
                let user = UserName::new(user).map_err(|_| SourceError)?;
                Ok(Self::pair(peer, user))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let one = Source::address(ip("2001:db8::1"));
        assert_eq!(one, Source::address(ip("2001:db8::ffff:1")));
        assert_ne!(one, Source::address(ip("2001:db8:0:1::1")));
        assert_eq!(one.to_string(), "2001:db8::");
        let four = Source::address(ip("::ffff:192.0.2.1"));
        assert_eq!(four.to_string(), "192.0.2.1");
    }

    #[test]
    fn a_choice_means_what_it_says() {
        let user = UserName::new("李四").unwrap();
        let pair = Source::pair(ip("192.0.2.1"), user.clone());
        let address = Source::address(ip("192.0.2.1"));
        let means = |which: WhichBans| (which.means(&pair), which.means(&address));
        assert_eq!(means(WhichBans::All), (true, true));
        assert_eq!(means(WhichBans::User(user)), (true, false));
        assert_eq!(means(WhichBans::Address(ip("192.0.2.1"))), (true, true));
        assert_eq!(means(WhichBans::Address(ip("192.0.2.2"))), (false, false));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(bits: u128, four: u32, user in "[^|#@ \\p{C}\\p{Z}]{1,15}") {
            for peer in [IpAddr::V6(bits.into()), IpAddr::V4(four.into())] {
                let address = Source::address(peer);
                prop_assert_eq!(address.to_string().parse(), Ok(address));
                if let Ok(user) = UserName::new(user.clone()) {
                    let pair = Source::pair(peer, user);
                    prop_assert_eq!(pair.to_string().parse(), Ok(pair));
                }
            }
        }

        #[test]
        fn any_text_is_survived(text: String) {
            let _ = text.parse::<Source>();
        }
    }
}

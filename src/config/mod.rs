//! What an operator can set: the home folder, the listeners, the limits. Values only; where they
//! come from (flags, environment, file) is in [`mod@crate::cli`].

mod limits;
mod scheme;
mod url;

pub use limits::{LIMITS, Limit, Limits, Unit};
pub use scheme::{SCHEMES, Scheme};
pub use url::{Listen, LoginPolicy, UrlError};

use crate::tls::Identity;
use std::path::PathBuf;

/// The port of a framed conversation when none is named.
pub const DEFAULT_PORT: u16 = 8001;

/// The salt of the course's clients, which hash `salt + password`.
pub const COURSE_SALT: &str = "sdasdfagfawds";

/// Everything a server needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that holds `users.txt`, `uploads/` and the messages.
    pub home: PathBuf,
    /// Where to listen, and which conversation is spoken there. At least one.
    pub listen: Vec<Listen>,
    /// What goes before a password before it is hashed; told by `hello`.
    pub salt: String,
    /// Whether secrets may cross networks in the clear, and listeners beyond loopback are taken
    /// although nothing is encrypted.
    pub insecure: bool,
    /// Who the server is where it speaks TLS; needed if any listener does.
    pub identity: Option<Identity>,
    /// Every bound and deadline.
    pub limits: Limits,
}

impl Config {
    /// The defaults, at home in `home`, listening on a free loopback port: what a test wants.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn at(home: impl Into<PathBuf>) -> Self {
        let listen = "framed://127.0.0.1:0"
            .parse()
            .expect("a constant that parses");
        Self {
            home: home.into(),
            listen: vec![listen],
            salt: COURSE_SALT.to_owned(),
            insecure: false,
            identity: None,
            limits: Limits::default(),
        }
    }
}

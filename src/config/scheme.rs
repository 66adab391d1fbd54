//! Which conversations there are to listen for, and what a listener of each can be told.

/// Which conversation is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// The framed conversation.
    Framed,
    /// One text, one answer, and the server closes.
    Hello,
    /// A greeting, and an answer of the bot to every text.
    Bot,
    /// One file, its name and size before it.
    Upload,
    /// A greeting, one login, and the server closes.
    Login,
    /// An answer to every text, to `sleep` a late one.
    Delay,
    /// Texts that are not answered.
    Sink,
    /// Frames of text that are not answered.
    Frames,
    /// Datagrams of text.
    Udp,
}

/// Every scheme, in the order in which the documents list them.
pub const SCHEMES: &[Scheme] = &[
    Scheme::Framed,
    Scheme::Hello,
    Scheme::Bot,
    Scheme::Upload,
    Scheme::Login,
    Scheme::Delay,
    Scheme::Sink,
    Scheme::Frames,
    Scheme::Udp,
];

impl Scheme {
    /// The word before `://`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Framed => "framed",
            Self::Hello => "hello",
            Self::Bot => "bot",
            Self::Upload => "upload",
            Self::Login => "login",
            Self::Delay => "delay",
            Self::Sink => "sink",
            Self::Frames => "frames",
            Self::Udp => "udp",
        }
    }

    /// The scheme whose word is `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        SCHEMES.iter().copied().find(|scheme| scheme.word() == word)
    }

    /// The parameters that its URL takes.
    #[must_use]
    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Framed | Self::Delay | Self::Sink => &["login", "proxy", "room"],
            // Datagrams have no beginning at which a proxy could say whose they are.
            Self::Udp => &["login", "room"],
            Self::Hello => &["login", "proxy", "reply", "room"],
            Self::Frames => &["length", "login", "proxy", "room"],
            Self::Bot | Self::Upload => &["login", "proxy"],
            // It is about nothing else.
            Self::Login => &["proxy"],
        }
    }

    /// Whether somebody can log in in this conversation.
    #[must_use]
    pub const fn knows_logins(self) -> bool {
        matches!(self, Self::Framed | Self::Login)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_its_own_and_reads_back() {
        for scheme in SCHEMES {
            assert_eq!(Scheme::parse(scheme.word()), Some(*scheme));
            assert!(scheme.parameters().is_sorted(), "{}", scheme.word());
        }
        assert_eq!(Scheme::parse("http"), None);
    }
}

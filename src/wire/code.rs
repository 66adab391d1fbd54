//! The stable words by which a refusal is told apart. The words are the contract and never change;
//! the sentences beside them may.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// Why a request was refused. The words are stable; the protocol document lists each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name),+ }

        /// Every code, in the order in which the protocol document lists them.
        pub const CODES: &[Code] = &[$(Code::$name),+];

        impl Code {
            /// The word on the wire.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

codes! {
    /// The stream is broken: a negative length, a header over its limit, bytes past a file's end.
    BadFrame = "bad_frame",
    /// A header that is no JSON object or has a field of the wrong type.
    BadHeader = "bad_header",
    /// No such `msg_type`.
    UnknownType = "unknown_type",
    /// A text, file or body above its limit.
    TooLarge = "too_large",
    /// A text that is not UTF-8.
    BadText = "bad_text",
    /// A file name that cannot be one.
    BadName = "bad_name",
    /// A room name that cannot be one.
    BadRoom = "bad_room",
    /// This listener asks for a login first.
    LoginRequired = "login_required",
    /// Wrong user or wrong password; which of the two is not told.
    BadLogin = "bad_login",
    /// Too many failed logins; try again later.
    TooManyTries = "too_many_tries",
    /// Not allowed for this role, or not over this connection.
    Forbidden = "forbidden",
    /// No such file, room, user or bot.
    NotFound = "not_found",
    /// The offset or digest is not what is there now.
    Conflict = "conflict",
    /// The bytes received do not have the digest announced.
    DigestMismatch = "digest_mismatch",
    /// The disk is full; nothing was stored.
    NoSpace = "no_space",
    /// The user's quota, or everybody's, is used up.
    Quota = "quota",
    /// Too much at once; the refusal carries `retry_after_ms`.
    Busy = "busy",
    /// The server is shutting down.
    GoingAway = "going_away",
    /// The bot failed to answer.
    BotFailed = "bot_failed",
    /// A fault of the server; the details are in its log.
    Internal = "internal",
}

impl Code {
    /// The code whose word is `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        CODES.iter().copied().find(|code| code.word() == word)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_its_own_and_reads_back() {
        for code in CODES {
            assert_eq!(Code::parse(code.word()), Some(*code));
        }
        assert_eq!(Code::parse("no_such_code"), None);
    }
}

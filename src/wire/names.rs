//! Names that cannot be wrong: once built they are never checked again.

use super::{Code, Refusal};
use std::borrow::Borrow;
use std::fmt;

/// A name that was turned down, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameError {
    /// What kind of name it was, as in "a file name".
    pub kind: &'static str,
    /// What is wrong with it, as in "may not be empty".
    pub reason: &'static str,
    code: Code,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.reason)
    }
}

impl std::error::Error for NameError {}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::new(error.code, error.to_string())
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $code:ident, $max:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The longest one, in bytes of UTF-8.
            pub const MAX_BYTES: usize = $max;

            /// Checks a name.
            ///
            /// # Errors
            ///
            /// [`NameError`] says which rule it breaks.
            pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
                let name = name.into();
                let check: fn(&str) -> Option<&'static str> = $check;
                let reason = match name.len() {
                    0 => Some("may not be empty"),
                    bytes if bytes > $max => Some(concat!("may have at most ", $max, " bytes")),
                    _ => check(&name),
                };
                match reason {
                    Some(reason) => Err(NameError { kind: $kind, reason, code: Code::$code }),
                    None => Ok(Self(name)),
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name as owned text.
            #[must_use]
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A file's name: one path component of 1 to 255 bytes, without control characters, separators
    /// or a leading dot.
    FileName, "a file name", BadName, 255, |name| {
        if name.starts_with('.') {
            Some("may not begin with a dot")
        } else if name.contains(['/', '\\']) {
            Some("may not hold a separator")
        } else {
            name.chars().any(char::is_control).then_some("may not hold control characters")
        }
    }
}

name! {
    /// A room's name: 1 to 64 bytes, without control characters or white space. `@name` is that
    /// user's own room.
    RoomName, "a room name", BadRoom, 64, |name| {
        let bad = |c: char| c.is_control() || c.is_whitespace();
        name.chars().any(bad).then_some("may not hold white space or control characters")
    }
}

name! {
    /// A user's name: 1 to 63 bytes, without `|`, `#`, `@`, space or control characters.
    UserName, "a user name", BadHeader, 63, |name| {
        let bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '|' | '#' | '@');
        name.chars().any(bad).then_some("may not hold '|', '#', '@', white space or control characters")
    }
}

name! {
    /// The key that makes a post exactly-once: 1 to 128 bytes.
    Key, "a key", BadHeader, 128, |_| None
}

impl RoomName {
    /// The room of those who name none.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn lobby() -> Self {
        Self("lobby".to_owned())
    }

    /// The user whose own room this is, for `@name`.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.0.strip_prefix('@')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_one_component() {
        for good in [
            "a",
            "photo (2).png",
            "CON",
            "-rf",
            "a b",
            "相片.png",
            "a..b",
            &"x".repeat(255),
        ] {
            assert!(FileName::new(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".x",
            "../x",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            &"x".repeat(256),
        ] {
            assert!(FileName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn room_names_have_no_white_space() {
        assert!(RoomName::new("@李四").is_ok_and(|room| room.owner() == Some("李四")));
        assert!(RoomName::new("x".repeat(64)).is_ok());
        for bad in ["", "a b", "a\u{3000}b", "a\tb", &"x".repeat(65)] {
            assert!(RoomName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn user_names_fit_into_users_txt() {
        assert!(UserName::new("x".repeat(63)).is_ok());
        for bad in ["", "a|b", "#a", "a@b", "a b", "a\n", &"x".repeat(64)] {
            assert!(UserName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_error_is_a_sentence_with_a_code() {
        let refusal = Refusal::from(FileName::new(".x").unwrap_err());
        assert_eq!(
            refusal.to_string(),
            "bad_name: a file name may not begin with a dot"
        );
    }
}

//! The field `ack`: what a client wants to know before it is answered.

use crate::wire::{Datum, FieldError, Fields};

/// What an answer promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// It is on the disk.
    Durable,
    /// It came.
    Received,
}

impl Ack {
    /// What `fields` ask for; durable if they don't say.
    ///
    /// # Errors
    ///
    /// [`FieldError`] for anything but the two words.
    pub fn of(fields: &Fields) -> Result<Self, FieldError> {
        match fields.text("ack")? {
            None | Some("durable") => Ok(Self::Durable),
            Some("received") => Ok(Self::Received),
            Some(_) => Err(FieldError {
                name: "ack",
                expected: "`durable` or `received`",
            }),
        }
    }

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Received => "received",
        }
    }
}

impl From<Ack> for Datum {
    fn from(ack: Ack) -> Self {
        ack.word().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_words_and_a_default() {
        let of = |value: &str| Ack::of(&Fields::new().with("ack", value));
        assert_eq!(Ack::of(&Fields::new()), Ok(Ack::Durable));
        for ack in [Ack::Durable, Ack::Received] {
            assert_eq!(of(ack.word()), Ok(ack));
        }
        assert!(of("").is_err() && of("Durable").is_err());
        assert!(Ack::of(&Fields::new().with("ack", 1)).is_err());
    }
}

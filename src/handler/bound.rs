//! Places in a room's history: what `since`, `before` and `after` say, be it a seq or a time.

use crate::store::{Messages, StoreError};
use crate::wire::{FieldError, Fields, Refusal};
use serde_json::Value;
use std::time::SystemTime;

/// A place between two messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// A message's seq.
    Seq(u64),
    /// The moment before the first message that was taken in then or later.
    Time(SystemTime),
}

impl Bound {
    /// The bound in the field `name`, if it is there.
    ///
    /// # Errors
    ///
    /// `bad_header` if it is neither.
    pub(super) fn of(fields: &Fields, name: &'static str) -> Result<Option<Self>, Refusal> {
        let bound = match fields.get(name) {
            None => return Ok(None),
            Some(Value::String(time)) => humantime::parse_rfc3339(time).ok().map(Self::Time),
            Some(number) => number.as_u64().map(Self::Seq),
        };
        let expected = "a seq, or a time in UTC such as \"2024-05-01T08:00:00Z\"";
        match bound {
            Some(bound) => Ok(Some(bound)),
            None => Err(FieldError { name, expected }.into()),
        }
    }

    /// The seq after which everything is later than this. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store can't be read.
    pub(super) fn after(self, messages: &dyn Messages) -> Result<u64, StoreError> {
        match self {
            Self::Seq(seq) => Ok(seq),
            Self::Time(time) => messages.last_before(time),
        }
    }

    /// The seq before which everything is earlier than this. May block.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store can't be read.
    pub(super) fn before(self, messages: &dyn Messages) -> Result<u64, StoreError> {
        match self {
            Self::Seq(seq) => Ok(seq),
            Self::Time(time) => Ok(messages.last_before(time)?.saturating_add(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Code;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn of(value: impl Into<Value>) -> Result<Option<Bound>, Code> {
        Bound::of(&Fields::new().with("since", value), "since").map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_bound_is_a_seq_or_a_time() {
        let later = UNIX_EPOCH + Duration::from_millis(1500);
        assert_eq!(of(0), Ok(Some(Bound::Seq(0))));
        assert_eq!(of(u64::MAX), Ok(Some(Bound::Seq(u64::MAX))));
        assert_eq!(of("1970-01-01T00:00:01.5Z"), Ok(Some(Bound::Time(later))));
        assert_eq!(of(Value::Null), Ok(None));
        for wrong in ["", "7", "2024-05-01", "1970-01-01T00:00:01+08:00"] {
            assert_eq!(of(wrong), Err(Code::BadHeader), "{wrong:?}");
        }
        for wrong in [Value::from(-1), Value::from(1.5), true.into()] {
            assert_eq!(of(wrong), Err(Code::BadHeader));
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading_of_a_time(text: String) {
            let _ = of(text);
        }
    }
}

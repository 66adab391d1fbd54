//! The serving side of `udp://`: a datagram is whole or it isn't there at all, so there is nothing
//! to remember.

use super::RECEIVED;
use crate::wire::{Answer, Code, Header, Refusal};

/// The header of every request.
#[must_use]
pub fn header() -> Header {
    Header::new("msg")
}

/// The text that a datagram is.
///
/// # Errors
///
/// Why it is none.
pub fn text(datagram: &[u8]) -> Result<&str, Refusal> {
    let bad = |_| Refusal::new(Code::BadText, "the datagram is not UTF-8");
    std::str::from_utf8(datagram).map_err(bad)
}

/// What is said to `answer`. Always the same few bytes: a datagram may come under a wrong address,
/// and that one must not get more than was sent to us.
#[must_use]
pub fn words(answer: &Answer) -> Option<&'static str> {
    answer.is_ok().then_some(RECEIVED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Reply;

    #[test]
    fn only_what_is_stored_is_answered() {
        assert_eq!(words(&Ok(Reply::new().with_body("x"))), Some("已收到"));
        assert_eq!(words(&Err(Refusal::internal())), None);
    }

    #[test]
    fn an_empty_datagram_is_a_text_and_other_bytes_are_none() {
        assert_eq!(text(b""), Ok(""));
        assert_eq!(text(b"a\xff").unwrap_err().code, Code::BadText);
        assert_eq!(header().id, None);
    }
}

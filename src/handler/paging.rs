//! Pages: the fields by which a client asks for a part of a list, and the JSON array that it gets.
//! What the entries are is left to the request types.

use super::House;
use crate::wire::{Code, FieldError, Fields, Refusal, Reply};
use serde::Serialize;
use std::time::Duration;

/// Entries of a page unless the client says how many.
const LIMIT: usize = 100;

/// The most entries that a client may ask for at once.
const MOST: usize = 1_000;

/// What the body of a page has at most, in bytes, unless its one entry is longer.
pub(super) const PAGE_BYTES: usize = 2 << 20;

/// How many entries are wanted: `limit`, from 1 to 1,000, and 100 unless it is said.
///
/// # Errors
///
/// `bad_header` for anything else; `busy` while there is no memory for a page.
pub(super) fn limit(house: &House, fields: &Fields) -> Result<usize, Refusal> {
    let limit = match fields.number("limit")? {
        None => LIMIT,
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    if !(1..=MOST).contains(&limit) {
        let (name, expected) = ("limit", "from 1 to 1000");
        return Err(FieldError { name, expected }.into());
    }
    if house.budget.is_spent() {
        let reason = "too much is under way";
        return Err(Refusal::busy(reason, Duration::from_secs(1)));
    }
    Ok(limit)
}

/// Gathers a page's entries, each as JSON.
#[derive(Debug, Default)]
pub(super) struct PageBody {
    entries: Vec<Vec<u8>>,
    bytes: usize,
}

impl PageBody {
    /// Adds `entry`, unless the page has grown too large for it.
    ///
    /// # Errors
    ///
    /// `internal` if it has no form in JSON.
    pub(super) fn push(&mut self, entry: &impl Serialize) -> Result<bool, Refusal> {
        let json = serde_json::to_vec(entry).map_err(|error| {
            tracing::error!(%error, "an entry of a page can't be written");
            Refusal::new(Code::Internal, Refusal::internal().error)
        })?;
        // A comma each, and the brackets.
        let bytes = self.bytes + json.len() + 1;
        if bytes + 1 > PAGE_BYTES && !self.entries.is_empty() {
            return Ok(false);
        }
        self.bytes = bytes;
        self.entries.push(json);
        Ok(true)
    }

    /// Turns the order of the entries round.
    pub(super) fn reverse(&mut self) {
        self.entries.reverse();
    }

    /// The reply with this page; `more` says that the list goes on.
    pub(super) fn reply(self, more: bool) -> Reply {
        let count = self.entries.len() as u64;
        let mut body = Vec::with_capacity(self.bytes + 2);
        body.push(b'[');
        body.extend(self.entries.join(&b','));
        body.push(b']');
        Reply::new()
            .with("count", count)
            .with("more", more)
            .with_body(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::house::tests::TestHouse;

    #[test]
    fn a_limit_is_held_to_its_range() {
        let house = TestHouse::new().house;
        let of = |fields: Fields| limit(&house, &fields).map_err(|refusal| refusal.code);
        let said = |value: i64| of(Fields::new().with("limit", value));
        assert_eq!(of(Fields::new()), Ok(100));
        assert_eq!((said(1), said(1_000)), (Ok(1), Ok(1_000)));
        for wrong in [-1, 0, 1_001, i64::MAX] {
            assert_eq!(said(wrong), Err(Code::BadHeader), "{wrong}");
        }
    }

    #[test]
    fn a_page_is_refused_while_the_memory_is_used_up() {
        let house = TestHouse::new().house;
        let mut charge = house.budget.charge();
        charge.grow(1 << 30);
        let busy = limit(&house, &Fields::new()).unwrap_err();
        assert_eq!(busy.code, Code::Busy);
    }

    #[test]
    fn a_page_ends_at_its_bytes_and_has_at_least_one_entry() {
        let mut page = PageBody::default();
        // Three of these, their quotes and commas and the brackets fill a page to the last byte.
        let entry = "x".repeat((PAGE_BYTES - 10) / 3);
        let rest = PAGE_BYTES - 10 - 3 * entry.len();
        assert!(page.push(&entry).unwrap() && page.push(&entry).unwrap());
        assert!(
            !page
                .push(&format!("{entry}{}", "x".repeat(rest + 1)))
                .unwrap()
        );
        assert!(page.push(&format!("{entry}{}", "x".repeat(rest))).unwrap());
        assert!(!page.push(&0).unwrap());
        let body = page.reply(true).body.unwrap();
        assert_eq!(body.len(), PAGE_BYTES);
        let texts: Vec<String> = serde_json::from_slice(&body).unwrap();
        assert_eq!(texts.len(), 3);

        let mut page = PageBody::default();
        assert!(page.push(&"x".repeat(PAGE_BYTES)).unwrap());
        assert!(!page.push(&0).unwrap());
        let empty = PageBody::default().reply(false);
        assert_eq!(
            empty,
            Reply::new()
                .with("count", 0)
                .with("more", false)
                .with_body("[]")
        );
    }
}

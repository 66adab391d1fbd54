//! Where in `NAME-SIZE` and SIZE bytes, with nothing between them, the bytes begin. NAME may hold
//! dashes and digits, and the bytes may begin with either, so the stream alone can't tell before it
//! has ended: then the length of the prefix and SIZE must add up to what came.

use crate::wire::FileName;

/// The most digits that SIZE can have: those of 2⁶⁴ − 1.
const MAX_DIGITS: usize = 20;

/// The longest NAME-SIZE there can be, in bytes: 276. No cut lies further on.
pub(super) const LONGEST: usize = FileName::MAX_BYTES + 1 + MAX_DIGITS;

/// One place where NAME-SIZE may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// The length of NAME, in bytes.
    pub(super) name: usize,
    /// The length of NAME-SIZE, in bytes.
    pub(super) prefix: usize,
    /// What SIZE says, in bytes.
    pub(super) size: u64,
}

impl Cut {
    /// The length of the whole stream if this is where to cut it, in bytes.
    pub(super) const fn total(self) -> u64 {
        self.size.saturating_add(self.prefix as u64)
    }
}

/// Every place where `head`, the beginning of a stream, may be cut, shorter names first. SIZE is
/// written without leading zeros, as every client does: so `-0` is whole, and nothing is a shorter
/// form of something else.
pub(super) fn cuts(head: &[u8]) -> Vec<Cut> {
    let dashes = head.iter().enumerate().filter(|(_, byte)| **byte == b'-');
    let names = dashes
        .map(|(dash, _)| dash)
        .filter(|dash| is_name(&head[..*dash]));
    names.flat_map(|name| sizes(head, name)).collect()
}

fn is_name(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|name| FileName::new(name).is_ok())
}

/// The cuts behind the dash that follows a name.
fn sizes(head: &[u8], name: usize) -> impl Iterator<Item = Cut> {
    let digits = head[name + 1..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let numbers = digits.take(MAX_DIGITS).scan(Some(0u64), |size, digit| {
        let grown =
            size.and_then(|size| size.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
        // A leading zero is the whole number.
        *size = grown.filter(|size| *size > 0);
        grown
    });
    (name + 2..)
        .zip(numbers)
        .map(move |(prefix, size)| Cut { name, prefix, size })
}

/// Where a stream of `total` bytes is cut that begins with `head`: at the place that adds up, and
/// of several at the one with the longest name.
pub(super) fn decide(head: &[u8], total: u64) -> Option<Cut> {
    let fits = |cut: &Cut| cut.size.checked_add(cut.prefix as u64) == Some(total);
    cuts(head).into_iter().rev().find(fits)
}

/// Whether the stream of `total` bytes that begins with `head` may as well be one that broke off
/// right behind a longer SIZE: then all bytes behind `cut` are digits.
pub(super) fn may_be_broken_off(head: &[u8], cut: Cut, total: u64) -> bool {
    let is_all_here = total == head.len() as u64 && cut.size > 0;
    let digits = std::str::from_utf8(&head[cut.name + 1..]).unwrap_or_default();
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_all_here && is_number && digits.parse::<u64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The name and the content that `stream` is cut into.
    fn cut(stream: &str) -> Option<(&str, &str)> {
        let head = &stream.as_bytes()[..stream.len().min(LONGEST)];
        let cut = decide(head, stream.len() as u64)?;
        Some((&stream[..cut.name], &stream[cut.prefix..]))
    }

    #[test]
    fn a_stream_is_cut_where_it_adds_up() {
        assert_eq!(cut("a.txt-5hello"), Some(("a.txt", "hello")));
        assert_eq!(cut("a-5123ab"), Some(("a", "123ab")));
        assert_eq!(cut("照-片-2-1x"), Some(("照-片-2", "x")));
        assert_eq!(cut("a-0"), Some(("a", "")));
        assert_eq!(cut("2024-01-05.txt-3abc"), Some(("2024-01-05.txt", "abc")));
        assert_eq!(cut("a-100123456789"), Some(("a", "0123456789")));
    }

    #[test]
    fn of_several_cuts_the_longer_name_counts() {
        assert_eq!(cut("a-3x-0"), Some(("a-3x", "")));
        assert_eq!(cut("a-3-1x"), Some(("a-3", "x")));
    }

    #[test]
    fn what_does_not_add_up_is_no_file() {
        for stream in [
            "",
            "a",
            "a-",
            "-5hello",
            "a-5hell",
            "a-5hello!",
            "a5hello",
            "a-05hello",
            "a-10123456789",
        ] {
            assert_eq!(cut(stream), None, "{stream}");
        }
        for name in ["../x", ".x", "a/b", "a\\b", "a\nb", &"x".repeat(256)] {
            assert_eq!(cut(&format!("{name}-1y")), None, "{name}");
        }
        assert_eq!(cuts(b"\xff-1x"), []);
        // Sizes that overflow, by themselves and with their prefix.
        assert_eq!(cuts(b"a-18446744073709551616").len(), 19);
        let cuts = cuts(b"a-18446744073709551615");
        assert_eq!((cuts.len(), cuts[19].total()), (20, u64::MAX));
        assert_eq!(decide(b"a-18446744073709551615", u64::MAX), None);
    }

    #[test]
    fn only_digits_behind_a_cut_may_be_the_rest_of_a_size() {
        let may = |stream: &str| {
            let cut = decide(stream.as_bytes(), stream.len() as u64).unwrap();
            may_be_broken_off(stream.as_bytes(), cut, stream.len() as u64)
        };
        assert!(may("a-211"));
        assert!(may("a-5-3123"));
        assert!(!may("a-0"));
        assert!(!may("a-3x11"));
        assert!(!may("a-21x"));
        // A size of 64 bits has not so many digits, or not such ones.
        assert!(!may(&format!("a-25{}", "1".repeat(25))));
        assert!(may(&format!("a-17{}", "9".repeat(17))));
        assert!(!may(&format!("a-18{}", "9".repeat(18))));
    }

    proptest! {
        #[test]
        fn what_a_client_sends_is_cut_where_it_meant(
            name in "[a-z0-9 你-]{1,40}", content in "[^-]{0,400}",
        ) {
            let stream = format!("{name}-{}{content}", content.len());
            prop_assert_eq!(cut(&stream), Some((name.as_str(), content.as_str())));
        }

        #[test]
        fn dashes_in_the_content_only_ever_make_the_name_longer(
            name in "[a-c-]{1,5}", content in "[0-9a-]{0,12}",
        ) {
            let stream = format!("{name}-{}{content}", content.len());
            let (found, rest) = cut(&stream).unwrap();
            prop_assert!(found.starts_with(&name));
            prop_assert_eq!(&stream, &format!("{found}-{}{rest}", rest.len()));
        }

        #[test]
        fn the_cut_is_the_one_that_trying_all_would_find(
            stream in "[a./\n]{0,3}[a0-2-]{0,12}", odd in prop::option::of(0u8..=255),
        ) {
            let mut stream = stream.into_bytes();
            stream.extend(odd);
            let tried = (0..stream.len()).rev().find_map(|dash| {
                let name = std::str::from_utf8(&stream[..dash]).ok()?;
                FileName::new(name).ok()?;
                (dash + 1..=stream.len()).find_map(|prefix| {
                    let size = format!("-{}", stream.len() - prefix);
                    (stream[dash..prefix] == *size.as_bytes()).then_some((dash, prefix))
                })
            });
            let found = decide(&stream, stream.len() as u64);
            prop_assert_eq!(found.map(|cut| (cut.name, cut.prefix)), tried);
        }
    }
}

//! The name a file gets when the one it asks for is taken: `photo (2).png` beside `photo.png`.
//!
//! Only names are made here; whoever publishes makes sure that the name is still free.

use crate::wire::FileName;
use std::io;

/// How far the search for a free number leaps at most.
const MAX_LEAP: u64 = 1 << 16;

/// No character of a name is longer, in bytes.
const CHARACTER: usize = 4;

/// The name beside `asked` with a free number above `above`, and that number. `holds` tells which
/// names are taken.
///
/// Leaps ahead until a number is free and then halves the way back, so that ten thousand files of
/// one name cost the next one some twenty questions and no memory.
pub(super) fn beside(
    asked: &FileName,
    above: u64,
    holds: impl Fn(&FileName) -> io::Result<bool>,
) -> io::Result<(FileName, u64)> {
    let mut taken = above;
    let mut leap = 1;
    let mut free = taken + 1;
    while holds(&numbered(asked, free)?)? {
        taken = free;
        leap = MAX_LEAP.min(leap * 2);
        free += leap;
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        if holds(&numbered(asked, middle)?)? {
            taken = middle;
        } else {
            free = middle;
        }
    }
    Ok((numbered(asked, free)?, free))
}

/// `asked` with `number` between its stem and its extension, the stem shortened to fit.
fn numbered(asked: &FileName, number: u64) -> io::Result<FileName> {
    let asked = asked.as_str();
    let suffix = format!(" ({number})");
    let room = FileName::MAX_BYTES - suffix.len();
    let (stem, extension) = match asked.rfind('.') {
        // An extension that leaves no room for a stem is none.
        Some(dot) if asked.len() - dot + CHARACTER <= room => asked.split_at(dot),
        _ => (asked, ""),
    };
    let stem = &stem[..stem.floor_char_boundary(room - extension.len())];
    FileName::new([stem, &suffix, extension].concat()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::collections::BTreeSet;

    fn name(name: &str) -> FileName {
        FileName::new(name).unwrap()
    }

    #[test]
    fn the_number_stands_before_the_last_extension() {
        let long = "x".repeat(255);
        let wide = format!("{}.png", "好".repeat(83));
        let extension = format!("a.{}", "e".repeat(253));
        for (asked, beside) in [
            ("photo.png", "photo (2).png"),
            ("notes", "notes (2)"),
            ("archive.tar.gz", "archive.tar (2).gz"),
            ("odd.", "odd (2)."),
            ("photo (2).png", "photo (2) (2).png"),
            (&long, &format!("{} (2)", "x".repeat(251))),
            (&wide, &format!("{} (2).png", "好".repeat(82))),
            (&extension, &format!("a.{} (2)", "e".repeat(249))),
        ] {
            assert_eq!(numbered(&name(asked), 2).unwrap().as_str(), beside);
        }
    }

    #[test]
    fn many_taken_names_cost_few_questions() {
        let asked = name("a.png");
        let taken: BTreeSet<FileName> = (2..=10_000)
            .map(|number| numbered(&asked, number).unwrap())
            .collect();
        let questions = Cell::new(0);
        let holds = |name: &FileName| {
            questions.set(questions.get() + 1);
            Ok(taken.contains(name))
        };
        let (free, number) = beside(&asked, 1, holds).unwrap();
        assert_eq!((free.as_str(), number), ("a (10001).png", 10_001));
        assert!(questions.get() < 40, "{} questions", questions.get());
    }

    #[test]
    fn what_cannot_be_told_ends_the_search() {
        let broken = |_: &FileName| Err(io::ErrorKind::PermissionDenied.into());
        assert!(beside(&name("a"), 1, broken).is_err());
    }

    proptest! {
        #[test]
        fn every_name_has_names_beside_it(
            asked in r"[^./\\\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]{0,80}",
            first in 2u64..u64::from(u32::MAX),
        ) {
            let asked = name(asked.get(..255).unwrap_or(&asked));
            let one = numbered(&asked, first).unwrap();
            prop_assert_ne!(&one, &asked);
            prop_assert_ne!(one, numbered(&asked, first + 1).unwrap());
        }

        #[test]
        fn the_number_found_is_free(taken: BTreeSet<u8>, above in 1u64..300) {
            let asked = name("a");
            let taken: BTreeSet<FileName> =
                taken.iter().map(|n| numbered(&asked, u64::from(*n)).unwrap()).collect();
            let (free, number) = beside(&asked, above, |n| Ok(taken.contains(n))).unwrap();
            prop_assert!(!taken.contains(&free) && number > above);
        }
    }
}

//! Quantities as people write them (`64KiB`, `10s`, `1_000_000`) and back. What range is taken is
//! left to the table of limits.

use crate::config::Unit;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Suffixes from large to small, with what each multiplies by.
const BYTES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];
const TIMES: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a quantity: digits, perhaps with `_` between them, then its unit. Bytes need none, times
/// need one (a bare `10` could be seconds or milliseconds), things have none. `None` if it has no
/// such form; what exceeds 64 bits becomes the largest number, which is out of every range.
#[must_use]
pub fn parse(unit: Unit, text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.ends_with('_') {
        return None;
    }
    let number = digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_u64, |sum, digit| {
            sum.saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        });
    let suffix = suffix.trim_start();
    let factor = match (unit, suffix) {
        (Unit::Bytes | Unit::Count, "") => 1,
        (Unit::Time, "") if number == 0 => 1,
        _ => factors(unit)
            .iter()
            .find(|(name, _)| *name == suffix)
            .map(|(_, factor)| *factor)?,
    };
    Some(number.saturating_mul(factor))
}

/// The longest time that a client's flag takes, in milliseconds: a day.
const LONGEST: u64 = 24 * 3_600_000;

/// Reads a client's flag that is a time: 1 ms to 24 h.
///
/// # Errors
///
/// What is taken.
pub fn time(text: &str) -> Result<Duration, String> {
    within(Unit::Time, text, 1..=LONGEST).map(Duration::from_millis)
}

/// Reads a quantity that has to be within `range`.
///
/// # Errors
///
/// What is taken.
pub fn within(unit: Unit, text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let must = || {
        let (least, most) = (format(unit, *range.start()), format(unit, *range.end()));
        format!("must be {least} to {most}")
    };
    let value = parse(unit, text).ok_or_else(|| format!("is not {}; {}", form(unit), must()))?;
    if !range.contains(&value) {
        return Err(format!("is out of range; {}", must()));
    }
    Ok(value)
}

/// Writes a quantity with the largest unit that divides it.
#[must_use]
pub fn format(unit: Unit, value: u64) -> String {
    let fitting = factors(unit)
        .iter()
        .find(|(_, factor)| value > 0 && value.is_multiple_of(*factor));
    match (unit, fitting) {
        (Unit::Time, None) => "0s".to_owned(),
        (_, Some((suffix, factor))) if *suffix != "B" => format!("{}{suffix}", value / factor),
        _ => value.to_string(),
    }
}

/// What a quantity of this unit looks like, for messages.
#[must_use]
pub const fn form(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "a size such as 65536, 64KiB, 1MiB or 2GiB",
        Unit::Count => "a whole number such as 64 or 1_000_000",
        Unit::Time => "a time such as 500ms, 10s, 2m or 24h",
    }
}

const fn factors(unit: Unit) -> &'static [(&'static str, u64)] {
    match unit {
        Unit::Bytes => BYTES,
        Unit::Count => &[],
        Unit::Time => TIMES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNITS: [Unit; 3] = [Unit::Bytes, Unit::Count, Unit::Time];

    #[test]
    fn quantities_are_read() {
        for (unit, text, value) in [
            (Unit::Bytes, "65536", 65_536),
            (Unit::Bytes, "64KiB", 65_536),
            (Unit::Bytes, " 64 KiB ", 65_536),
            (Unit::Bytes, "1MiB", 1 << 20),
            (Unit::Bytes, "3TiB", 3 << 40),
            (Unit::Bytes, "12B", 12),
            (Unit::Count, "1_000_000", 1_000_000),
            (Unit::Time, "500ms", 500),
            (Unit::Time, "10s", 10_000),
            (Unit::Time, "2m", 120_000),
            (Unit::Time, "24h", 86_400_000),
            (Unit::Time, "0", 0),
            (Unit::Count, "99999999999999999999999", u64::MAX),
            (Unit::Bytes, "18446744073709551615TiB", u64::MAX),
        ] {
            assert_eq!(parse(unit, text), Some(value), "{text}");
        }
    }

    #[test]
    fn other_forms_are_none() {
        for (unit, text) in [
            (Unit::Bytes, ""),
            (Unit::Bytes, "KiB"),
            (Unit::Bytes, "1kb"),
            (Unit::Bytes, "1.5MiB"),
            (Unit::Bytes, "-1"),
            (Unit::Bytes, "10s"),
            (Unit::Bytes, "_1"),
            (Unit::Count, "1_"),
            (Unit::Count, "1 2"),
            (Unit::Count, "64KiB"),
            (Unit::Count, "٣"),
            (Unit::Time, "10"),
            (Unit::Time, "10 seconds"),
            (Unit::Time, "1h30m"),
        ] {
            assert_eq!(parse(unit, text), None, "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_told_the_range() {
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(
            time("0s"),
            Err("is out of range; must be 1ms to 24h".to_owned())
        );
        let wrong = time("1 day").unwrap_err();
        assert!(wrong.starts_with("is not a time such as"), "{wrong}");
        let size = |text| within(Unit::Bytes, text, 1..=2048);
        assert_eq!(size("1KiB"), Ok(1024));
        assert_eq!(
            size("3KiB"),
            Err("is out of range; must be 1 to 2KiB".to_owned())
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any::<u64>(), shift in 0_u32..64) {
            for value in [value >> shift, value >> shift << shift] {
                for unit in UNITS {
                    prop_assert_eq!(parse(unit, &format(unit, value)), Some(value));
                }
            }
        }

        #[test]
        fn any_text_is_taken_or_refused(text in "[0-9_]{0,24} ?[KMGTiBhms]{0,4}|.{0,40}") {
            for unit in UNITS {
                if let Some(value) = parse(unit, &text) {
                    prop_assert_eq!(parse(unit, &format(unit, value)), Some(value));
                }
            }
        }
    }
}

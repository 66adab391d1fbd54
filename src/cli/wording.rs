//! Numbers with their nouns, as a person would say them.

/// `number` of `noun`, which takes an `s` for more than one: `1 file`, `2 files`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The verb that goes with a number.
pub(super) const fn was(number: u64) -> &'static str {
    if number == 1 { "was" } else { "were" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(1, "byte"), "1 byte");
        assert_eq!(counted(0, "byte"), "0 bytes");
        assert_eq!((was(1), was(2)), ("was", "were"));
    }
}

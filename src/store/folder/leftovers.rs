//! What a start finds in `.incoming`: uploads that a crash cut off. Nothing was ever told about
//! those that no record names, and nobody can go on with them, so they are removed; what we did not
//! put there stays.

use crate::store::directory::Directory;
use crate::time::Random;
use std::collections::HashSet;
use std::io;

/// Random bytes in the name of a partial.
const NAME_BYTES: usize = 16;

/// What the name of a partial ends with.
const SUFFIX: &str = ".part";

/// A new name for a partial.
pub(super) fn partial_name(random: &Random) -> String {
    random.hex(NAME_BYTES) + SUFFIX
}

/// Whether `name` is one that [`partial_name`] makes.
fn is_partial(name: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.strip_suffix(SUFFIX)
        .is_some_and(|random| random.len() == 2 * NAME_BYTES && random.bytes().all(is_hex))
}

/// Removes every partial but those in `kept`. Returns a sentence about what was removed and one about what was not.
pub(super) fn clear(incoming: &Directory, kept: &HashSet<String>) -> io::Result<Vec<String>> {
    let (mut removed, mut bytes) = (0u64, 0u64);
    let mut foreign = Vec::new();
    for entry in incoming.entries()? {
        if kept.contains(&entry.name) {
            continue;
        }
        if entry.is_file && is_partial(&entry.name) {
            incoming.remove(&entry.name)?;
            removed += 1;
            bytes = bytes.saturating_add(entry.size);
        } else {
            foreign.push(entry.name);
        }
    }
    let mut notes = Vec::new();
    if removed > 0 {
        notes.push(format!(
            "{removed} uploads had not ended: their {bytes} bytes are removed"
        ));
    }
    foreign.sort_unstable();
    if let Some(first) = foreign.first() {
        notes.push(format!(
            "{} entries are not the daemon's and stay, {first:?} among them",
            foreign.len()
        ));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partials_go_and_everything_else_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let put = |name: &str, content: &str| {
            std::fs::write(scratch.path().join(name), content).unwrap();
        };
        let random = Random::seeded(1);
        put(&partial_name(&random), "12345");
        put(&partial_name(&random), "67");
        let kept = HashSet::from([partial_name(&random)]);
        kept.iter().for_each(|name| put(name, "89"));
        put("mine\u{7}.part", "x");
        let in_hex = "0123456789abcdef".repeat(2);
        put(&format!("{in_hex}.PART"), "x");
        std::fs::create_dir(scratch.path().join(format!("{in_hex}.part"))).unwrap();
        let incoming = Directory::open(scratch.path()).unwrap();
        assert_eq!(
            clear(&incoming, &kept).unwrap(),
            [
                "2 uploads had not ended: their 7 bytes are removed".to_owned(),
                format!(
                    "3 entries are not the daemon's and stay, {:?} among them",
                    format!("{in_hex}.PART")
                ),
            ]
        );
        assert_eq!(incoming.entries().unwrap().len(), 4);
    }

    #[test]
    fn an_empty_folder_is_not_worth_a_word() {
        let scratch = tempfile::tempdir().unwrap();
        let incoming = Directory::open(scratch.path()).unwrap();
        assert_eq!(clear(&incoming, &HashSet::new()).unwrap(), [""; 0]);
    }
}

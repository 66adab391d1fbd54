//! A set of messages of one block, each by its distance from the block's first, and its form on
//! the disk.

/// A block spans at most so many seqs.
pub(super) const DOCS: u64 = 4_096;

/// Length of the form that has a bit for each message; every other form is shorter.
const BITMAP: usize = DOCS as usize / 8;

/// A set of messages of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Docs([u64; BITMAP / 8]);

/// What lies on the disk is not what was written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged;

impl Docs {
    /// No message.
    pub(super) fn none() -> Self {
        Self([0; BITMAP / 8])
    }

    /// Every message.
    pub(super) fn all() -> Self {
        Self([u64::MAX; BITMAP / 8])
    }

    /// Adds the messages of a set on the disk.
    ///
    /// # Errors
    ///
    /// [`Damaged`] if it is no such set.
    pub(super) fn read(&mut self, list: List<'_>) -> Result<(), Damaged> {
        match list {
            List::One(doc) => self.insert(doc),
            List::Many(bytes) if bytes.len() == BITMAP => {
                for (word, bytes) in self.0.iter_mut().zip(bytes.as_chunks().0) {
                    *word |= u64::from_le_bytes(*bytes);
                }
                Ok(())
            }
            List::Many(mut bytes) => {
                let mut doc = 0;
                while !bytes.is_empty() {
                    doc = read_number(&mut bytes)?.checked_add(doc).ok_or(Damaged)?;
                    self.insert(doc)?;
                }
                Ok(())
            }
        }
    }

    fn insert(&mut self, doc: u64) -> Result<(), Damaged> {
        let word = usize::try_from(doc / 64).map_err(|_| Damaged)?;
        *self.0.get_mut(word).ok_or(Damaged)? |= 1 << (doc % 64);
        Ok(())
    }

    /// Keeps only what `other` has too.
    pub(super) fn keep(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= other;
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The messages, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        (0..DOCS).filter(|doc| self.0[(doc / 64) as usize] >> (doc % 64) & 1 == 1)
    }
}

/// A set as it lies on the disk.
#[derive(Debug, Clone, Copy)]
pub(super) enum List<'a> {
    /// A single message.
    One(u64),
    /// The distances from one to the next, or a bit for each.
    Many(&'a [u8]),
}

impl<'a> List<'a> {
    /// Takes a set off the front of `bytes`.
    ///
    /// # Errors
    ///
    /// [`Damaged`] if there is none.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Result<Self, Damaged> {
        let head = read_number(bytes)?;
        if head & 1 == 0 {
            return Ok(Self::One(head >> 1));
        }
        let length = usize::try_from(head >> 1).map_err(|_| Damaged)?;
        let (list, rest) = bytes.split_at_checked(length).ok_or(Damaged)?;
        *bytes = rest;
        Ok(Self::Many(list))
    }
}

/// Appends the set of `docs`, ascending, without repetitions and each less than [`DOCS`], to `bytes`.
pub(super) fn write_list(docs: impl Iterator<Item = u64> + Clone, bytes: &mut Vec<u8>) {
    let mut several = docs.clone();
    if let (Some(only), None) = (several.next(), several.next()) {
        return write_number(only << 1, bytes);
    }
    let mut list = Vec::new();
    let mut before = 0;
    for doc in docs.clone() {
        write_number(doc - before, &mut list);
        before = doc;
        if list.len() >= BITMAP {
            list = bitmap(docs);
            break;
        }
    }
    write_number((list.len() as u64) << 1 | 1, bytes);
    bytes.extend_from_slice(&list);
}

fn bitmap(docs: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut bits = vec![0; BITMAP];
    for doc in docs {
        bits[(doc / 8) as usize] |= 1 << (doc % 8);
    }
    bits
}

/// Appends `number` to `bytes`, seven bits a byte, the lowest first.
pub(super) fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off the front of `bytes`.
///
/// # Errors
///
/// [`Damaged`] if there is none of at most 63 bits.
pub(super) fn read_number(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    let mut number = 0;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Ok(number);
        }
    }
    Err(Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Docs, Damaged> {
        let (mut bytes, mut docs) = (bytes, Docs::none());
        docs.read(List::read(&mut bytes)?)?;
        Ok(docs)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(docs in btree_set(0..DOCS, 1..2_000)) {
            let mut bytes = Vec::new();
            write_list(docs.iter().copied(), &mut bytes);
            prop_assert!(bytes.len() <= BITMAP + 2);
            let read = read(&bytes).unwrap();
            prop_assert!(read.iter().eq(docs.iter().copied()));
            prop_assert!(!read.is_empty());
        }

        #[test]
        fn no_bytes_are_feared(bytes in vec(any::<u8>(), 0..700)) {
            let _ = read(&bytes);
        }

        #[test]
        fn numbers_come_back(number in 0..1u64 << 63) {
            let mut bytes = Vec::new();
            write_number(number, &mut bytes);
            let mut rest = &bytes[..];
            prop_assert_eq!(read_number(&mut rest), Ok(number));
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn messages_outside_the_block_are_damage() {
        for doc in [DOCS, 1 << 40] {
            let mut bytes = Vec::new();
            write_number(doc << 1, &mut bytes);
            assert_eq!(read(&bytes), Err(Damaged));
            let mut list = Vec::new();
            write_number(doc, &mut list);
            assert_eq!(Docs::none().read(List::Many(&list)), Err(Damaged));
        }
        assert_eq!(read(&[0x83, 0x80]), Err(Damaged));
    }

    #[test]
    fn both_must_have_it() {
        let mut docs = Docs::none();
        docs.insert(1).unwrap();
        docs.insert(4_095).unwrap();
        let mut other = Docs::none();
        other.insert(4_095).unwrap();
        docs.keep(&other);
        assert!(docs.iter().eq([4_095]));
        docs.keep(&Docs::all());
        assert!(docs.iter().eq([4_095]));
        docs.keep(&Docs::none());
        assert!(docs.is_empty());
    }
}

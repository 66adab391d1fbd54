//! The bytes of files: told from a seed and a place, so that no test holds a large file in memory,
//! and so that no two places or files are alike and a shifted or swapped piece is found.

use super::chance::mix;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes that are compared in one go. A multiple of 8.
const PIECE: usize = 1 << 20;

/// Fills `piece` with the bytes of the file called `seed` from `offset` on, which is a multiple of
/// 8.
pub(crate) fn fill(seed: u64, offset: u64, piece: &mut [u8]) {
    assert_eq!(offset % 8, 0);
    let start = mix(seed).wrapping_add(offset / 8);
    for (place, word) in (0u64..).zip(piece.chunks_mut(8)) {
        // One multiplication: unlike anywhere else, and quick enough for gigabytes.
        let bytes = (start.wrapping_add(place))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_le_bytes();
        word.copy_from_slice(&bytes[..word.len()]);
    }
}

/// The whole file called `seed`.
pub(crate) fn bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fill(seed, 0, &mut bytes);
    bytes
}

/// Compares the file at `path` with the one called `seed`.
#[track_caller]
pub(crate) fn assert_file(path: &Path, seed: u64, size: u64) {
    let mut file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(file.metadata().unwrap().len(), size, "{}", path.display());
    let length = usize::try_from(size.min(PIECE as u64)).unwrap();
    let (mut expected, mut found) = (vec![0; length], vec![0; length]);
    let mut offset = 0;
    while offset < size {
        let length = usize::try_from(size - offset).map_or(PIECE, |left| left.min(PIECE));
        fill(seed, offset, &mut expected[..length]);
        file.read_exact(&mut found[..length]).unwrap();
        assert!(
            expected[..length] == found[..length],
            "{} differs in the {length} bytes from {offset} on",
            path.display()
        );
        offset += length as u64;
    }
}

#[test]
fn pieces_make_the_whole_and_nothing_is_alike() {
    let whole = bytes(7, 1_001);
    let mut piece = [0; 101];
    fill(7, 800, &mut piece);
    assert_eq!(whole[800..901], piece);
    let words: std::collections::HashSet<_> = whole.chunks_exact(8).collect();
    assert_eq!(words.len(), 125);
    assert_ne!(whole[..8], bytes(8, 8));
}

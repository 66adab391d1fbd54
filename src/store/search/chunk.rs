//! A chunk: some tokens of a block, ascending, each with the set of messages that have it, in as
//! many bytes as fit a page of the file.

use super::docs::{DOCS, Damaged, Docs, List, read_number, write_list, write_number};
use std::ops::Range;

/// A chunk is at most so long, in bytes; with what SQLite needs for itself it fills a page.
const BYTES: usize = 4_000;

/// A number is at most so long, in bytes.
const NUMBER: usize = 9;

/// Bits of a message's place in the block in a posting, below its token.
const DOC_BITS: u32 = DOCS.ilog2();

/// That the message `doc` of a block has `token`.
pub(super) fn posting(token: u64, doc: u64) -> u64 {
    token << DOC_BITS | doc
}

/// A chunk as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Its first token.
    pub(super) low: u64,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// The chunks that hold `postings`, which ascend and don't repeat.
pub(super) fn chunks(postings: &[u64]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut list = Vec::with_capacity(BYTES);
    let mut before = 0;
    for alike in postings.chunk_by(|a, b| a >> DOC_BITS == b >> DOC_BITS) {
        let token = alike[0] >> DOC_BITS;
        list.clear();
        write_list(alike.iter().map(|posting| posting & (DOCS - 1)), &mut list);
        let fits = |chunk: &Chunk| chunk.bytes.len() + NUMBER + list.len() <= BYTES;
        if !chunks.last().is_some_and(fits) {
            before = token;
            chunks.push(Chunk {
                low: token,
                bytes: Vec::with_capacity(BYTES),
            });
        }
        if let Some(chunk) = chunks.last_mut() {
            write_number(token - before, &mut chunk.bytes);
            chunk.bytes.extend_from_slice(&list);
        }
        before = token;
    }
    chunks
}

/// Adds to `docs` the messages that have one of `tokens`, out of the chunk of `bytes` that begins
/// with the token `low`.
///
/// # Errors
///
/// [`Damaged`] if it is no chunk.
pub(super) fn read(
    low: u64,
    mut bytes: &[u8],
    tokens: &Range<u64>,
    docs: &mut Docs,
) -> Result<(), Damaged> {
    let mut token = low;
    while !bytes.is_empty() {
        let step = read_number(&mut bytes)?;
        token = token.checked_add(step).ok_or(Damaged)?;
        let list = List::read(&mut bytes)?;
        if token >= tokens.end {
            break;
        }
        if token >= tokens.start {
            docs.read(list)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::search::gram::TOKENS;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            // Few tokens with many messages, and many with few.
            dense in btree_set((0u64..9, 0..DOCS), 0..4_000),
            sparse in btree_set((9..TOKENS, 0..DOCS), 0..2_000),
            from in 0u64..9,
            tokens in 1u64..9,
        ) {
            let all = || dense.iter().chain(&sparse);
            let postings: Vec<u64> = all().map(|(token, doc)| posting(*token, *doc)).collect();
            let chunks = chunks(&postings);
            prop_assert!(chunks.iter().all(|chunk| chunk.bytes.len() <= BYTES));
            prop_assert!(chunks.is_sorted_by(|a, b| a.low < b.low));
            for span in [from..from + tokens, 0..TOKENS] {
                let mut docs = Docs::none();
                for chunk in &chunks {
                    read(chunk.low, &chunk.bytes, &span, &mut docs).unwrap();
                }
                let wanted = all().filter(|(token, _)| span.contains(token));
                let wanted: std::collections::BTreeSet<u64> = wanted.map(|(_, doc)| *doc).collect();
                prop_assert!(docs.iter().eq(wanted));
            }
        }

        #[test]
        fn no_bytes_are_feared(low: u64, bytes in vec(any::<u8>(), 0..700)) {
            let _ = read(low, &bytes, &(0..TOKENS), &mut Docs::none());
        }
    }
}

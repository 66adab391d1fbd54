//! A block: the index of some thousand consecutive messages. It is collected in memory, written
//! whole, and never changed.

use super::chunk::{self, Chunk};
use super::docs::DOCS;
use super::gram;
use std::ops::ControlFlow;

/// Texts of so many bytes together make a block, however few they are. It bounds the memory that
/// making one takes, and what a search reads because no block speaks of it yet.
const BYTES: usize = 1 << 20;

/// Messages, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    /// How many.
    pub(super) messages: usize,
    /// The length of their texts together.
    pub(super) bytes: usize,
}

impl Amount {
    /// Whether they make a block.
    pub(super) fn makes_a_block(self) -> bool {
        self.messages >= DOCS as usize || self.bytes >= BYTES
    }

    /// Counts more of them.
    pub(super) fn add(&mut self, messages: usize, bytes: usize) {
        self.messages = self.messages.saturating_add(messages);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// Collects messages until they make a block.
#[derive(Debug)]
pub(super) struct Builder {
    after: u64,
    first: u64,
    last: u64,
    held: Amount,
    /// Whether the next message is too far away to be counted from the first.
    cut: bool,
    postings: Vec<u64>,
}

/// A block as it is written: it speaks of all messages after the seq `after` up to `last`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    /// The last seq of the block before it.
    pub(super) after: u64,
    /// The seq from which its messages are counted.
    pub(super) first: u64,
    /// Its last seq.
    pub(super) last: u64,
    /// Its tokens.
    pub(super) chunks: Vec<Chunk>,
}

impl Builder {
    /// Collects the messages after the seq `after`.
    pub(super) fn new(after: u64) -> Self {
        Self {
            after,
            first: after + 1,
            last: after,
            held: Amount::default(),
            cut: false,
            postings: Vec::new(),
        }
    }

    /// Takes a message, the next by its seq; breaks when no more is wanted.
    pub(super) fn add(&mut self, seq: u64, room: &str, text: &str) -> ControlFlow<()> {
        if self.held.messages == 0 {
            self.first = seq;
        }
        let doc = seq - self.first;
        if doc >= DOCS {
            self.cut = true;
            return ControlFlow::Break(());
        }
        self.last = seq;
        self.held.add(1, text.len());
        let tokens = gram::grams(text).chain([gram::room(room)]);
        let postings = tokens.map(|token| chunk::posting(token, doc));
        self.postings.extend(postings);
        if self.held.makes_a_block() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// The block.
    ///
    /// # Errors
    ///
    /// What was collected, if that makes no block yet.
    pub(super) fn seal(mut self) -> Result<Sealed, Amount> {
        if !self.cut && !self.held.makes_a_block() {
            return Err(self.held);
        }
        self.postings.sort_unstable();
        self.postings.dedup();
        Ok(Sealed {
            after: self.after,
            first: self.first,
            last: self.last,
            chunks: chunk::chunks(&self.postings),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(seqs: impl Iterator<Item = u64>, text: &str) -> Result<Sealed, Amount> {
        let mut builder = Builder::new(10);
        for seq in seqs {
            if builder.add(seq, "a", text).is_break() {
                break;
            }
        }
        builder.seal()
    }

    #[test]
    fn a_block_has_its_count_of_messages_or_of_bytes() {
        let held = collect(11..11 + DOCS - 1, "a").unwrap_err();
        assert_eq!((held.messages, held.bytes), (4_095, 4_095));
        assert_eq!(collect(11..u64::MAX, "a").unwrap().last, 10 + DOCS);
        let long = "好".repeat(BYTES / 6 + 1);
        let block = collect(11..u64::MAX, &long).unwrap();
        assert_eq!((block.after, block.first, block.last), (10, 11, 12));
    }

    #[test]
    fn unused_seqs_end_a_block() {
        let block = collect([20, 21, 21 + DOCS, 22 + DOCS].into_iter(), "a").unwrap();
        assert_eq!((block.after, block.first, block.last), (10, 20, 21));
        let block = collect([19 + DOCS, 20 + DOCS].into_iter(), "a");
        assert!(block.is_err(), "a block may begin anywhere");
    }
}

//! A walk through a room for a needle, block by block, in the order in which messages are wanted.

use super::docs::Docs;
use super::file::{Block, IndexError, IndexFile};
use super::gram;
use super::shared::Shared;
use crate::store::Range;
use std::ops::Range as Span;
use std::sync::Arc;

/// Which messages are to be looked at next. Not all of them hold the needle, but of those that a
/// walk passes over none does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Stretch {
    /// Those with these seqs, in the order of the walk, if there are such messages in the room.
    Candidates(Vec<u64>),
    /// All of the room between these seqs, both exclusive: no block speaks of them.
    Unindexed {
        /// The seq before them.
        after: u64,
        /// The seq behind them.
        before: u64,
    },
}

/// The stretches that a search goes through: upwards for [`Range::After`], else downwards.
#[derive(Debug)]
pub(in crate::store) struct Walk {
    shared: Arc<Shared>,
    /// As long as it can be used.
    index: Option<Indexed>,
    /// Tokens of which a message must have one of each; those that tell most come first.
    spans: Vec<Span<u64>>,
    ascends: bool,
    /// What is not walked yet lies between these seqs.
    after: u64,
    before: u64,
}

#[derive(Debug)]
struct Indexed {
    file: IndexFile,
    generation: u64,
    /// The blocks speak of all messages after this one
    begin: u64,
    /// up to here.
    end: u64,
}

impl Walk {
    /// A walk through the part `range` of `room` for `needle`, which is not empty.
    pub(super) fn new(shared: Arc<Shared>, room: &str, needle: &str, range: Range) -> Self {
        let (after, before) = match range {
            Range::Newest => (0, u64::MAX),
            Range::Before(seq) => (0, seq),
            Range::After(seq) => (seq, u64::MAX),
        };
        let room = gram::room(room);
        let mut spans = gram::spans(needle);
        spans.push(room..room + 1);
        Self {
            index: Indexed::open(&shared),
            shared,
            spans,
            ascends: matches!(range, Range::After(_)),
            after,
            before,
        }
    }

    /// The next seq on the way.
    fn next_seq(&self) -> u64 {
        if self.ascends {
            self.after + 1
        } else {
            self.before - 1
        }
    }

    fn walked_to(&mut self, after: u64, before: u64) {
        if self.ascends {
            self.after = before - 1;
        } else {
            self.before = after + 1;
        }
    }
}

impl Iterator for Walk {
    type Item = Stretch;

    fn next(&mut self) -> Option<Stretch> {
        while self.after < self.before.saturating_sub(1) {
            let seq = self.next_seq();
            let index = self.index.as_ref();
            let (begin, end) = index.map_or((0, 0), |index| (index.begin, index.end));
            let Some(index) = index.filter(|_| begin < seq && seq <= end) else {
                let (after, before) = if seq <= begin {
                    (self.after, self.before.min(begin + 1))
                } else {
                    (self.after.max(end), self.before)
                };
                self.walked_to(after, before);
                return Some(Stretch::Unindexed { after, before });
            };
            match candidates(&index.file, seq, &mut self.spans) {
                Ok((block, docs)) => {
                    let seqs = docs.iter().map(|doc| block.first.saturating_add(doc));
                    let wanted = |seq: &u64| self.after < *seq && *seq < self.before;
                    let mut seqs: Vec<u64> = seqs.filter(wanted).collect();
                    if !self.ascends {
                        seqs.reverse();
                    }
                    self.walked_to(block.after, block.last.saturating_add(1));
                    if !seqs.is_empty() {
                        return Some(Stretch::Candidates(seqs));
                    }
                }
                Err(error) => {
                    self.shared.report(index.generation, &error);
                    // What is left is searched without it.
                    self.index = None;
                }
            }
        }
        None
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        // One that can't end is not used again.
        if let Some(index) = self.index.take()
            && index.file.end_reading().is_ok()
        {
            self.shared.put_back(index.generation, index.file);
        }
    }
}

impl Indexed {
    fn open(shared: &Shared) -> Option<Self> {
        let (generation, file) = shared.reader()?;
        let span = |()| Ok((file.begin()?, file.end()?));
        match file.begin_reading().and_then(span) {
            Ok((begin, end)) => Some(Self {
                file,
                generation,
                begin,
                end,
            }),
            Err(error) => {
                shared.report(generation, &error);
                None
            }
        }
    }
}

/// The block that speaks of `seq`, and those of its messages that have a token in each of `spans`.
fn candidates(
    file: &IndexFile,
    seq: u64,
    spans: &mut [Span<u64>],
) -> Result<(Block, Docs), IndexError> {
    let block = file.block(seq)?;
    let mut docs = Docs::all();
    for at in 0..spans.len() {
        docs.keep(&file.docs(&block, &spans[at])?);
        if docs.is_empty() {
            // Rare here, so likely rare in the next block too.
            spans.swap(0, at);
            break;
        }
    }
    Ok((block, docs))
}

//! The states a disk may be in if power was lost at some moment: what was synced, and of the rest
//! what chance says.

use super::disk::{Change, Content, Disk, Done, SECTOR, Tree, What};
use super::timeline::Timeline;
use crate::trial::chance::Chance;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// How much outlives the loss of power beyond what was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Luck {
    /// Nothing.
    None,
    /// Everything: as after a kill.
    All,
    /// Of each file and folder everything or nothing.
    Either,
    /// Of each file and folder some of the first changes; of a write perhaps the first sectors.
    Some,
    /// The same, and of the writes that survived some sectors did not.
    Holes,
}

/// All of them, in the order in which they are tried.
pub(super) const LUCKS: [Luck; 5] = [Luck::None, Luck::Either, Luck::Some, Luck::Holes, Luck::All];

/// A moment at which power is lost, and what then survives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss {
    pub(super) moment: usize,
    pub(super) luck: Luck,
    pub(super) seed: u64,
}

/// What survives of one node.
#[derive(Debug, Clone, Copy, Default)]
struct Survival {
    /// So many of its changes were promised to.
    synced: usize,
    /// So many do.
    changes: usize,
    /// Whether some bytes of the next one do.
    torn: bool,
}

/// What is on the disk after `loss`, if the calls that `left_out` names had never been made.
pub(super) fn state(timeline: &Timeline, loss: Loss, left_out: &dyn Fn(&Done) -> bool) -> Disk {
    let mut chance = Chance::new(loss.seed);
    // The changes of each node until then, by their places in the record.
    let mut changes: Vec<Vec<usize>> = vec![Vec::new(); timeline.disk.nodes.len()];
    let mut survival = vec![Survival::default(); changes.len()];
    for (place, done) in timeline.done.iter().enumerate() {
        if done.begun > loss.moment || left_out(done) {
            continue;
        }
        let own = &mut changes[done.node];
        match done.what {
            What::Change(_) => own.push(place),
            What::Sync if done.ended <= loss.moment => {
                // Only what was over when the sync began is promised.
                let over = own
                    .iter()
                    .take_while(|place| timeline.done[**place].ended <= done.begun)
                    .count();
                let synced = &mut survival[done.node].synced;
                *synced = over.max(*synced);
            }
            What::Sync => {}
        }
    }
    for (survival, changes) in survival.iter_mut().zip(&changes) {
        let rest = changes.len() - survival.synced;
        let more = match loss.luck {
            Luck::None => 0,
            Luck::All => rest,
            Luck::Either => rest * usize::from(chance.below(2) == 0),
            Luck::Some | Luck::Holes => {
                survival.torn = chance.below(2) == 0;
                usize::try_from(chance.below(rest as u64 + 1)).unwrap()
            }
        };
        survival.changes = survival.synced + more;
    }
    hold_renames_together(timeline, &changes, &mut survival);
    build(timeline, loss, &changes, &survival, &mut chance)
}

/// No renaming is half done: what has not arrived has not left.
fn hold_renames_together(timeline: &Timeline, changes: &[Vec<usize>], survival: &mut [Survival]) {
    let mut settled = false;
    while !settled {
        settled = true;
        for node in 0..changes.len() {
            let Survival {
                synced,
                changes: kept,
                ..
            } = survival[node];
            for at in synced..kept {
                let place = changes[node][at];
                let What::Change(Change::Unlink {
                    moved_by: Some(arrival),
                    ..
                }) = timeline.done[place].what
                else {
                    continue;
                };
                let target = timeline.done[arrival].node;
                let arrived = changes[target][..survival[target].changes].contains(&arrival);
                if !arrived {
                    survival[node].changes = at;
                    settled = false;
                    break;
                }
            }
        }
    }
}

fn build(
    timeline: &Timeline,
    loss: Loss,
    changes: &[Vec<usize>],
    survival: &[Survival],
    chance: &mut Chance,
) -> Disk {
    let empty = |content: &Content| match content {
        Content::File(_) => Content::File(Vec::new()),
        Content::Folder(_) => Content::Folder(Default::default()),
    };
    let mut disk = Disk {
        nodes: timeline.disk.nodes.iter().map(empty).collect(),
    };
    for (node, content) in disk.nodes.iter_mut().enumerate() {
        let Survival {
            synced,
            changes: kept,
            torn,
        } = survival[node];
        for (at, place) in changes[node].iter().enumerate() {
            let What::Change(change) = &timeline.done[*place].what else {
                continue;
            };
            match change {
                _ if at < synced || at < kept && loss.luck != Luck::Holes => content.change(change),
                Change::Write { offset, bytes } if at < kept => {
                    content.change(&Change::Resize(length(content).max(offset + bytes.len())));
                    for (offset, bytes) in sectors(*offset, bytes) {
                        if chance.below(3) > 0 {
                            let bytes = bytes.to_vec();
                            content.change(&Change::Write { offset, bytes });
                        }
                    }
                }
                _ if at < kept => content.change(change),
                Change::Write { offset, bytes } if at == kept && torn => {
                    let pieces: Vec<_> = sectors(*offset, bytes).collect();
                    let whole = usize::try_from(chance.below(pieces.len() as u64 + 1)).unwrap();
                    for (offset, bytes) in &pieces[..whole] {
                        let (offset, bytes) = (*offset, bytes.to_vec());
                        content.change(&Change::Write { offset, bytes });
                    }
                }
                _ => break,
            }
        }
    }
    disk
}

fn length(content: &Content) -> usize {
    match content {
        Content::File(content) => content.len(),
        Content::Folder(_) => 0,
    }
}

/// A write in the pieces that a disk writes whole.
fn sectors(offset: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut rest = (offset, bytes);
    std::iter::from_fn(move || {
        let (offset, bytes) = rest;
        let length = (SECTOR - offset % SECTOR).min(bytes.len());
        let (piece, after) = bytes.split_at(length);
        rest = (offset + length, after);
        (!piece.is_empty()).then_some((offset, piece))
    })
}

/// A number that two states share only if they are the same.
pub(super) fn mark(tree: &Tree) -> u64 {
    let mut hasher = DefaultHasher::new();
    tree.hash(&mut hasher);
    hasher.finish()
}

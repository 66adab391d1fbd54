//! The harness finds what it is for: without syncs there are losses, and without any one kind of
//! sync or renaming there are, or it is written down here why that one is redundant.

use super::disk::{Done, What};
use super::{Recorded, Trial};
use crate::trial::chance::Chance;
use std::collections::BTreeSet;

/// States that are tried without one kind.
const STATES: usize = 300;

/// Kinds of syncs whose loss shows nowhere, and why they are made all the same.
const REDUNDANT: &[(&str, &str)] = &[];

/// Whether it is a promise, or a renaming, which others take for one.
fn is_point(done: &Done) -> bool {
    matches!(done.what, What::Sync) || done.kind.contains(": rename")
}

/// A state in which something is lost without what `left_out` says, if one is found.
fn loss(recorded: &Recorded, seed: u64, left_out: &dyn Fn(&Done) -> bool) -> Option<String> {
    let trials: Vec<Trial> = recorded.trials(STATES, seed, left_out);
    let (loss, fault) = recorded.faults(&trials, 1).pop()?;
    Some(format!("{loss:?}: {fault}"))
}

#[test]
#[ignore = "needs strace"]
fn without_any_sync_there_are_losses() {
    let seed = Chance::seed();
    println!("{}", Chance::how_to_repeat(seed));
    let recorded = Recorded::new(seed);
    let found = loss(&recorded, seed, &|done| matches!(done.what, What::Sync));
    assert!(found.is_some(), "this harness finds nothing");
}

#[test]
#[ignore = "needs strace"]
fn every_kind_of_sync_is_needed_or_has_its_reason() {
    let seed = Chance::seed();
    println!("{}", Chance::how_to_repeat(seed));
    let recorded = Recorded::new(seed);
    let points = recorded.timeline.done.iter().filter(|done| is_point(done));
    let kinds: BTreeSet<&str> = points.map(|done| done.kind.as_str()).collect();
    let mut wrong = Vec::new();
    for kind in kinds {
        let found = loss(&recorded, seed, &|done| done.kind == kind);
        let reason = REDUNDANT.iter().find(|(redundant, _)| *redundant == kind);
        println!("{kind}: {found:?}");
        if found.is_some() == reason.is_some() {
            wrong.push((kind, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

//! The harness finds what it is for: without syncs there are losses, and without any one kind of
//! sync or renaming there are, or it is written down here why that one is redundant.

use super::disk::{Done, What};
use super::recorded::{Recorded, spread};
use super::states::{LUCKS, Loss, Luck};
use crate::trial::chance::Chance;
use std::collections::{BTreeMap, BTreeSet};

/// In so many records a loss is looked for.
const RECORDS: u64 = 3;

/// States that are tried without one kind.
const STATES: usize = 400;

/// Of so many calls of that kind, spread over the record, what comes right after them is tried.
const POINTS: usize = 24;

/// How far after them power is lost, in moments: right after them, or somewhat later.
const AFTER: [u64; 2] = [16, 80];

/// Kinds of syncs that may be left out without a loss, or without one that is found each time; and
/// why they are made all the same.
const REDUNDANT: &[(&str, Shows, &str)] = &[
    (
        "serving: sync /home",
        Shows::Never,
        "SQLite makes it once it has written the head of the WAL; the start has made the entry of \
         the WAL durable already",
    ),
    (
        "start: sync /home/gatepost.db-journal",
        Shows::Perhaps,
        "it is there for one change, from which on the database has a WAL: nobody was told of \
         anything before, but the head of the database must not be torn",
    ),
    (
        "start: sync /home/gatepost-index.db",
        Shows::Never,
        "the index holds nothing that the messages don't tell, and is made anew",
    ),
    (
        "start: sync /home/gatepost-index.db-journal",
        Shows::Never,
        "the same",
    ),
    (
        "start: sync /home/gatepost.db-wal",
        Shows::Perhaps,
        "what a kill left in the WAL is synced before it is carried over; a loss shows only if \
         power goes in the middle of that, after such a kill",
    ),
    (
        "start: sync /home/uploads",
        Shows::Perhaps,
        "a name is synced before it is acknowledged; a start makes sure of one that a kill left \
         unsynced, which not every recorded run has",
    ),
    (
        "start: sync /home/uploads/*",
        Shows::Perhaps,
        "a durable file was synced before its record was made; a start makes sure of one that a \
         kill left half published, which not every recorded run has",
    ),
    (
        "start: sync /home/uploads/.incoming",
        Shows::Perhaps,
        "the name of a partial is synced before its offset is told; a start makes sure of one that \
         a kill left in between, which not every recorded run has",
    ),
    (
        "start: sync /home/uploads/.incoming/*",
        Shows::Perhaps,
        "the bytes of a partial are synced before its offset is told, and a start only makes sure \
         of them; no recorded run may have a kill in between",
    ),
];

/// Whether a loss may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Never,
    Perhaps,
}

/// Whether it is a promise, or a renaming, which others take for one.
fn is_point(done: &Done) -> bool {
    matches!(done.what, What::Sync) || done.kind.contains(": rename")
}

/// Moments soon after what is left out, at which everybody was just told or nobody was, with all
/// kinds of luck.
fn losses(recorded: &Recorded, seed: u64, left_out: &dyn Fn(&Done) -> bool) -> Vec<Loss> {
    let mut chance = Chance::new(seed);
    let points = recorded.timeline.done.iter().filter(|done| left_out(done));
    let points = spread(points.map(|done| done.ended).collect(), POINTS);
    let (moments, told_at) = (recorded.moments(), recorded.told_at().collect::<Vec<_>>());
    let mut losses = Vec::new();
    while losses.len() < STATES {
        for point in &points {
            let told = told_at.partition_point(|moment| moment < point);
            let told = told_at[told..]
                .iter()
                .take(12)
                .map(|moment| (*moment, Luck::None));
            let at = moments.partition_point(|moment| moment < point);
            let after = AFTER[usize::try_from(chance.below(2)).unwrap()];
            let at = at + usize::try_from(chance.below(after)).unwrap();
            let any = moments
                .get(at)
                .into_iter()
                .flat_map(|moment| LUCKS.iter().map(move |luck| (*moment, *luck)));
            for (moment, luck) in told.chain(any) {
                let seed = chance.next();
                losses.push(Loss { moment, luck, seed });
            }
        }
    }
    losses
}

/// A state in which something is lost without what `left_out` says, if one is found.
fn loss(
    recorded: &Recorded,
    seed: u64,
    left_out: &(dyn Fn(&Done) -> bool + Sync),
) -> Option<String> {
    let losses = losses(recorded, seed, left_out);
    let (_, mut faults) = recorded.try_out(losses.into_iter(), [STATES, 1], left_out);
    let (loss, fault) = faults.pop()?;
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
    let shows = |kind: &str| {
        let row = REDUNDANT.iter().find(|(redundant, ..)| *redundant == kind);
        row.map(|(_, shows, _)| *shows)
    };
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    // Not every record has a kill in the right place for each kind.
    for record in 0..RECORDS {
        let recorded = Recorded::new(seed + record);
        let points = recorded.timeline.done.iter().filter(|done| is_point(done));
        let kinds: BTreeSet<&str> = points.map(|done| done.kind.as_str()).collect();
        for kind in kinds {
            let is_open = found.get(kind).is_none_or(|found| {
                // One that shows a loss at times may do so another time.
                found.is_none() && shows(kind).is_none()
            });
            if is_open {
                let loss = loss(&recorded, seed, &|done| done.kind == kind);
                println!("{kind}: {loss:?}");
                found.insert(kind.to_owned(), loss);
            }
        }
        let mut open = found.iter().filter(|(_, loss)| loss.is_none());
        if open.all(|(kind, _)| shows(kind).is_some()) {
            break;
        }
    }
    found.retain(|kind, loss| match shows(kind) {
        None => loss.is_none(),
        Some(Shows::Never) => loss.is_some(),
        Some(Shows::Perhaps) => false,
    });
    assert!(found.is_empty(), "{found:#?}");
}

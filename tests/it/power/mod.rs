//! What outlives the loss of power. The real program is recorded while clients send to it, from the
//! first start in an empty folder over kills and restarts to an orderly end; from the record come
//! the states that a disk may have been in at any moment; a server is started on each, and all
//! that was acknowledged before that moment must be there.
//!
//! `recorded` are the lives of the daemon, `recorder` runs it under strace, `line` reads strace's
//! lines, `timeline` says what they mean, `disk` is the model of a disk, `states` loses power,
//! `receipts` are what was acknowledged, `stamps` are how the daemon knows files again, `verify` looks at what is left, and `needed` leaves out
//! one promise after the other.

mod disk;
mod line;
mod needed;
mod receipts;
mod recorded;
mod recorder;
mod stamps;
mod states;
mod timeline;
mod verify;

use crate::trial::chance::Chance;
use recorded::{Recorded, spread};
use states::{LUCKS, Loss, Luck};

/// Different states that are tried.
const STATES: usize = 1_000;

#[test]
#[ignore = "needs strace"]
fn whatever_was_acknowledged_outlives_a_loss_of_power() {
    let seed = Chance::seed();
    println!("{}", Chance::how_to_repeat(seed));
    let recorded = Recorded::new(seed);
    // First the worst: everybody was just told, and nothing is left but what was synced.
    let worst = spread(recorded.told_at().collect(), STATES / 3);
    let worst = worst.into_iter().map(|moment| Loss {
        moment,
        luck: Luck::None,
        seed: 0,
    });
    let mut chance = Chance::new(seed);
    let moments = recorded.moments();
    let any = (0..STATES * 10).map(|tried| Loss {
        moment: moments[usize::try_from(chance.below(moments.len() as u64)).unwrap()],
        luck: LUCKS[tried % LUCKS.len()],
        seed: chance.next(),
    });
    let (tried, faults) = recorded.try_out(worst.chain(any), [STATES, 5], &|_| false);
    println!(
        "{} answers, {} changes and syncs, {tried} states",
        recorded.answers.len(),
        recorded.timeline.done.len(),
    );
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(tried, STATES);
}

//! Five thousand connections that nobody uses cost no thread and no processor time, and make
//! nobody wait.

use super::{CROWDED, OTHER_FILES};
use crate::support::Daemon;
use crate::trial::process::{raise_open_files, threads, ticks};
use std::thread;
use std::time::{Duration, Instant};

/// Connections that are parked.
const IDLE: usize = 5_000;

/// How many newcomers try, one after the other.
const NEWCOMERS: usize = 50;

/// What each of them takes at most: far more than it should, and far less than it would take if
/// it had to wait for anybody.
const AT_ONCE: Duration = Duration::from_secs(2);

/// How long the daemon is watched at rest.
const REST: Duration = Duration::from_secs(1);

/// Processor time that it may have in that time, in ticks of 10 ms: a tenth.
const TICKS: u64 = 10;

#[test]
fn five_thousand_idle_connections_hold_nobody_up_and_cost_nothing() {
    let _alone = CROWDED.lock();
    raise_open_files(IDLE as u64 + OTHER_FILES);
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &["-q"]);
    daemon.peer().assert_in_step();
    let threads_before = threads(daemon.pid()).len();
    let mut idle: Vec<_> = (0..IDLE).map(|_| daemon.peer()).collect();
    // Some have been served before they idle, and most have not said a word.
    for peer in idle.iter_mut().step_by(3) {
        peer.assert_in_step();
    }
    for _ in 0..NEWCOMERS {
        let begun = Instant::now();
        daemon.peer().assert_in_step();
        let took = begun.elapsed();
        assert!(took < AT_ONCE, "a newcomer waited {took:?}");
    }
    assert_eq!(threads(daemon.pid()).len(), threads_before);

    let before = ticks(daemon.pid());
    // What is measured is an interval in which nothing happens.
    thread::sleep(REST);
    let spent = ticks(daemon.pid()) - before;
    assert!(spent <= TICKS, "{spent} ticks of 10 ms in {REST:?} at rest");

    // They are all there still.
    for peer in &mut idle {
        peer.assert_in_step();
    }
    assert_eq!(threads(daemon.pid()).len(), threads_before);
}

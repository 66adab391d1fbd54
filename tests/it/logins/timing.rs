//! Whether the time of a refusal tells a wrong user from a wrong password, and what a thousand logins
//! at once cost. Measured by hand; what decides is counted in every run.

use super::{by_password, write_users};
use crate::support::{Daemon, proof};
use crate::trial::process::{peak_memory, raise_open_files};
use gatepost::gate::{Gate, hash_proof};
use gatepost::session::Role;
use gatepost::store::{Account, MemoryUsers, Secret};
use gatepost::time::Random;
use gatepost::wire::UserName;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Logins at once, and what they may add to the daemon's memory.
const AT_ONCE: usize = 1_000;
const MEMORY: u64 = 64 << 20;

/// A gate with an account in each form.
fn gate() -> Gate {
    let hashed = hash_proof(&proof("123"), &Random::seeded(1)).unwrap();
    let account = |name: &str, secret: Secret| Account {
        name: UserName::new(name).unwrap(),
        secret,
        role: Role::User,
    };
    let old = account("old", Secret::Md5(proof("123")));
    Gate::new(Arc::new(MemoryUsers::new([account("new", hashed), old])))
}

/// Tries each of `users` with a wrong password so often, in turn; how long each try took, and how
/// many hashes were computed for each user.
fn refusals(users: [&str; 3], trials: usize) -> [(Vec<Duration>, u64); 3] {
    let gate = gate();
    let wrong = proof("124");
    let mut seen = users.map(|_| (Vec::new(), 0));
    for _ in 0..trials {
        for (user, (times, hashes)) in users.iter().zip(&mut seen) {
            let (before, begun) = (gate.hashes(), Instant::now());
            assert_eq!(gate.admit(user, &wrong), None);
            times.push(begun.elapsed());
            *hashes += gate.hashes() - before;
        }
    }
    seen
}

const USERS: [&str; 3] = ["new", "old", "nobody"];

#[test]
fn a_wrong_user_costs_as_many_hashes_as_a_wrong_password() {
    let hashes = refusals(USERS, 3).map(|(_, hashes)| hashes);
    assert_eq!(hashes, [3, 3, 3]);
}

/// The mean, and its standard error.
fn mean(times: &[Duration]) -> (f64, f64) {
    let n = times.len() as f64;
    let mean = times.iter().map(Duration::as_secs_f64).sum::<f64>() / n;
    let square = |time: &Duration| (time.as_secs_f64() - mean).powi(2);
    let variance = times.iter().map(square).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// The times without the tenth that something else on the machine made longest.
fn settled(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort();
    times.truncate(times.len() * 9 / 10);
    times
}

#[test]
#[ignore = "by hand: 6,000 password hashes; cargo test --release"]
fn two_thousand_refusals_of_each_kind_take_the_same_time() {
    let seen = refusals(USERS, 2_000).map(|(times, _)| mean(&settled(times)));
    for (user, (mean, error)) in USERS.iter().zip(seen) {
        eprintln!("{user}: {:.4} ms ± {:.4}", mean * 1e3, error * 1e3);
    }
    let (nobody, _) = seen[2];
    for (mean, error) in &seen[..2] {
        let apart = (mean - nobody).abs();
        // Neither more than chance makes of it, nor more than a hundredth.
        assert!(
            apart < 5.0 * error || apart < nobody / 100.0,
            "{apart} s apart"
        );
    }
}

#[test]
#[ignore = "by hand: 1,000 password hashes at once"]
fn a_thousand_logins_at_once_take_little_memory() {
    raise_open_files(AT_ONCE as u64 + 1_024);
    let home = tempfile::tempdir().unwrap();
    write_users(home.path(), &[("lisi", "123", "user")]);
    let daemon = Daemon::start(home.path(), &["-q", "--print=false"]);
    let mut first = daemon.peer();
    super::log_in(&mut first, "lisi", "123");
    let quiet = p99(&mut first, || false);
    let before = peak_memory(daemon.pid());
    let mut peers: Vec<_> = (0..AT_ONCE).map(|_| daemon.peer()).collect();
    for peer in &mut peers {
        peer.header(&by_password("lisi", "123"));
    }
    let (answers, busy) = std::thread::scope(|scope| {
        let answered = scope.spawn(|| {
            let answers = peers.iter_mut().map(|peer| {
                let stream = peer.stream();
                stream
                    .set_read_timeout(Some(Duration::from_secs(300)))
                    .unwrap();
                peer.answer()["ok"] == true
            });
            answers.filter(|ok| *ok).count()
        });
        let busy = p99(&mut first, || !answered.is_finished());
        (answered.join().unwrap(), busy)
    });
    assert_eq!(answers, AT_ONCE);
    let grown = peak_memory(daemon.pid()) - before;
    eprintln!(
        "{} MiB more; a message's p99 {quiet:?} before, {busy:?} meanwhile",
        grown >> 20
    );
    assert!(grown < MEMORY, "{grown} bytes more");
}

/// Posts messages one by one, a thousand at least and for as long as it `goes_on`; the 99th
/// percentile of how long a receipt took.
fn p99(peer: &mut crate::support::Peer, mut goes_on: impl FnMut() -> bool) -> Duration {
    let mut times = Vec::new();
    let post = serde_json::json!({"msg_type": "msg", "id": 1});
    while times.len() < 1_000 || goes_on() {
        let begun = Instant::now();
        assert_eq!(peer.ask_with(&post, b"hello")["ok"], true);
        times.push(begun.elapsed());
    }
    times.sort();
    times[times.len() * 99 / 100]
}

//! What the tests stand on: a client of their own, the server in process, and the real program as
//! a process. Nothing here waits by sleeping; each wait has a deadline and says what it waited for.

mod daemon;
mod peer;
mod server;

pub(crate) use daemon::{Daemon, PROGRAM};
pub(crate) use peer::{Peer, frame};
pub(crate) use server::Served;

use gatepost::config::{LIMITS, Limits};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a test waits for something that should come at once. Only a failing test takes it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The proof that the course's clients send for `password`: hex of MD5(salt + password).
pub(crate) fn proof(password: &str) -> String {
    use md5::{Digest, Md5};
    let digest = Md5::digest(format!("sdasdfagfawds{password}").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The default limits with some of them set, by key, in bytes, things or milliseconds.
#[track_caller]
pub(crate) fn limits(set: &[(String, u64)]) -> Limits {
    let mut limits = Limits::default();
    for (key, value) in set {
        let limit = LIMITS.iter().find(|limit| limit.key == key);
        let limit = limit.unwrap_or_else(|| panic!("there is no limit {key:?}"));
        (limit.set)(&mut limits, *value);
    }
    limits
}

/// Writes `users.txt` in `home`, in the course's form.
pub(crate) fn write_accounts(home: &Path, accounts: &[(String, String)]) {
    let lines = accounts
        .iter()
        .map(|(name, password)| format!("{name}|{}\n", proof(password)));
    std::fs::write(home.join("users.txt"), lines.collect::<String>()).unwrap();
}

/// The names of what lies in `home`'s `uploads`, sorted, without what begins with a dot.
pub(crate) fn uploads(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("uploads")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

/// What is left of partial files in `home`.
pub(crate) fn partials(home: &Path) -> usize {
    std::fs::read_dir(home.join("uploads/.incoming")).map_or(0, Iterator::count)
}

/// Waits until `true_now`, looking again and again, for what gives no sign when it happens: another
/// process's files and threads.
#[track_caller]
pub(crate) fn until(what: &str, mut true_now: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !true_now() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}

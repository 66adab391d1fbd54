//! Measuring a server: many connections that ask as fast as they are answered, each reply checked.
//! Printing is left to the command line.
//!
//! The load is a closed loop: a slow answer delays the request behind it, so the latencies say
//! how a server treats clients that wait for it, not how it would treat arrivals at a fixed rate.
//! What is posted and uploaded stays in the server's store.

mod drive;
mod link;
mod mix;
mod report;

pub use mix::{KINDS, Kind, Mix, MixError};
pub use report::{Report, Row};

use super::{Address, Client, Error};
use crate::wire::proof;
use drive::drive;
use link::{Link, Work};
use report::Tally;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::{Duration, Instant, SystemTime};

/// What is asked of a server, by how many.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub server: Address,
    /// Connections, at least 1.
    pub connections: usize,
    /// Requests that each connection keeps under way, 1 to [`WINDOW`](super::WINDOW).
    pub depth: usize,
    /// Threads that share the connections, at least 1.
    pub threads: usize,
    /// How long requests are sent. Answers are waited for beyond that.
    pub duration: Duration,
    /// What is asked.
    pub mix: Mix,
    /// The length of each text, in bytes.
    pub text_bytes: usize,
    /// The length of each file, in bytes. Each connection holds a few of them in memory.
    pub file_bytes: usize,
    /// A user and password with which each connection logs in first. [`Kind::Login`] needs one.
    pub login: Option<(String, String)>,
    /// Whether a proof may go over an unencrypted connection to another machine.
    pub insecure: bool,
    /// How long an answer may take before it counts as an error.
    pub timeout: Duration,
}

/// Opens all connections, then loads the server for the planned duration.
///
/// # Errors
///
/// [`Error`] if not all connections could be opened and logged in. What fails later is counted
/// in the report.
///
/// # Panics
///
/// If a thread of the load panicked, which is a bug here.
pub fn run(plan: &Plan) -> Result<Report, Error> {
    raise_open_files(plan.connections as u64 + 64);
    // Nobody else begins in the same nanosecond, so no file of another load has these names.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut work = Work::new(plan, &format!("{:x}", now.unwrap_or_default().as_nanos()));
    let threads = plan.threads.clamp(1, plan.connections.max(1));
    let mut shares: Vec<Vec<Link>> = (0..threads).map(|_| Vec::new()).collect();
    for number in 0..plan.connections {
        let mut client =
            Client::connect_to(&plan.server, plan.timeout)?.with_insecure(plan.insecure);
        if let Some((user, password)) = &plan.login {
            client.login(user, password)?;
            if work.login.is_none() {
                let salt = client.hello()?.salt;
                work.login = Some((user.clone(), proof(&salt, password)));
            }
        }
        shares[number % threads].push(Link::new(client.into_stream(), number));
    }
    let start = Instant::now();
    let deadline = start + plan.duration;
    let work = &work;
    let tally = std::thread::scope(|scope| {
        let running: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || drive(share, work, deadline)))
            .collect();
        let mut sum = Tally::new();
        for thread in running {
            sum.add(thread.join().expect("the load does not panic")?);
        }
        Ok::<_, Error>(sum)
    })?;
    Ok(Report::new(tally, start.elapsed()))
}

/// Raises the soft limit on open files so that `wanted` fit, as far as the hard one allows. If it
/// doesn't, connecting says so.
pub(super) fn raise_open_files(wanted: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        let raised = Rlimit {
            current: Some(current),
            maximum: limit.maximum,
        };
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

#[cfg(test)]
mod tests;

//! What the process may and does use: open files, and the processor time of a
//! thread. No policy here; callers say what the numbers are for.

use std::time::Duration;

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};

/// Raises the soft limit of open files to the hard one: a thousand
/// connections, and a backlog of thousands more, do not fit the usual 1,024.
/// Servers started from here inherit it.
pub(crate) fn raise_open_files() -> anyhow::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("reading the file limit")?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raising the file limit")?;
    }
    Ok(())
}

/// Processor time the calling thread has used so far.
pub(crate) fn thread_cpu_time() -> anyhow::Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("reading thread time")?;
    Ok(time.into())
}

//! The real program under strace: every call by which it could change its home, as it happens.

use super::line;
use super::timeline::CALLS;
use crate::support::{Daemon, PROGRAM};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

/// The longest string that is recorded, in bytes. A longer one is a failure.
const STRING: &str = "16777216";

/// A run of the daemon that is recorded.
pub(super) struct Recording {
    reader: JoinHandle<Vec<u8>>,
}

/// Fails where there is no strace, or where it may not trace.
#[track_caller]
pub(crate) fn need_strace() {
    let probe = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .stdin(Stdio::null())
        .output();
    let probe = probe.expect("this test needs strace (apt-get install strace)");
    assert!(
        probe.status.success(),
        "this test needs strace, and here it may not trace (ptrace is forbidden?): {}",
        String::from_utf8_lossy(&probe.stderr)
    );
}

/// Starts the daemon in `home` and records what it does; what lies in `aside` is ours. It is killed
/// in the call that `kill` names, if any: the first thread that makes it for the so-manieth time.
#[track_caller]
pub(super) fn start(home: &Path, aside: &Path, kill: Option<(&str, u64)>) -> (Daemon, Recording) {
    let pipe = aside.join("strace");
    if !pipe.exists() {
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }
    let mut command = Command::new("strace");
    // Detached, so that the daemon is our own child and not strace's.
    command.args(["-D", "-f", "-qq", "-xx", "-s", STRING]);
    command.args(["-e", &format!("trace={CALLS}")]);
    match kill {
        Some((call, when)) => {
            let kill = format!("inject={call}:signal=SIGKILL:when={when}");
            command.args(["-e", &kill]);
        }
        // Other calls then cost nothing; but strace injects nothing either.
        None => {
            command.arg("--seccomp-bpf");
        }
    }
    command.arg("-o").arg(&pipe);
    command.arg(PROGRAM);
    let reader = thread::spawn(move || {
        let mut record = Vec::new();
        let mut pipe = std::fs::File::open(pipe).unwrap();
        pipe.read_to_end(&mut record).unwrap();
        record
    });
    let daemon = Daemon::start_under(command, home, &["-qq", "--print=false", "--workers=8"]);
    (daemon, Recording { reader })
}

impl Recording {
    /// All the calls of the daemon, which has ended.
    #[track_caller]
    pub(super) fn calls(self) -> Vec<line::Call> {
        let record = self.reader.join().expect("the pipe can be read");
        let record = String::from_utf8(record).expect("strace writes texts");
        line::read(record.lines()).unwrap_or_else(|error| panic!("strace wrote: {error}"))
    }
}

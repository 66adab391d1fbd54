//! The real program under strace: every call by which it could change its home, as it happens.

use super::line;
use super::timeline::CALLS;
use crate::support::{Daemon, PROGRAM};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::thread::{self, JoinHandle};

/// The longest string that is recorded, in bytes. A longer one is a failure.
const STRING: &str = "16777216";

/// A run of the daemon that is recorded.
pub(super) struct Recording {
    reader: JoinHandle<Vec<u8>>,
}

/// Starts the daemon in `home` and records what it does; what lies in `aside` is ours. Some calls
/// are tampered with, if `inject` says so in strace's words.
#[track_caller]
pub(super) fn start(
    home: &Path,
    aside: &Path,
    inject: Option<&str>,
) -> (Result<Daemon, Vec<String>>, Recording) {
    let pipe = aside.join("strace");
    if !pipe.exists() {
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }
    let mut command = Command::new("strace");
    // Detached, so that the daemon is our own child and not strace's.
    command.args(["-D", "-f", "-qq", "-xx", "-s", STRING]);
    command.args(["-e", &format!("trace={CALLS}")]);
    match inject {
        Some(inject) => command.args(["-e", &format!("inject={inject}")]),
        // Other calls then cost nothing; but strace injects nothing either.
        None => command.arg("--seccomp-bpf"),
    };
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

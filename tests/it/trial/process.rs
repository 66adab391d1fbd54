//! What the system tells of a process, and the program run to its end.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The names of the process's threads, sorted.
pub(crate) fn threads(pid: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    // One that ends while we look has no name any more.
    let name = |path: std::path::PathBuf| {
        Some(
            fs::read_to_string(path.join("comm"))
                .ok()?
                .trim()
                .to_owned(),
        )
    };
    let mut names: Vec<_> = threads
        .filter_map(|thread| name(thread.ok()?.path()))
        .collect();
    names.sort();
    names
}

/// The most memory that the process ever had, in bytes.
#[track_caller]
pub(crate) fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    let kib: u64 = peak.expect("Linux says it").parse().unwrap();
    kib << 10
}

/// The processor time that the process has had, in the system's ticks of 10 ms.
#[track_caller]
pub(crate) fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The name, in brackets, may hold anything; fields 14 and 15 are counted from the state, 3.
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = rest.split_whitespace().collect();
    let ticks = |field: usize| -> u64 { fields[field - 3].parse().unwrap() };
    ticks(14) + ticks(15)
}

/// Raises this process's limit on open files as far as it may, which must be to `needed`: a test
/// that needs more than the machine allows has shown nothing.
#[track_caller]
pub(crate) fn raise_open_files(needed: u64) {
    let hard = getrlimit(Resource::Nofile).maximum;
    assert!(
        hard.is_none_or(|hard| hard >= needed),
        "this test needs {needed} open files, and the hard limit is {hard:?}: raise it (ulimit -Hn)"
    );
    let raised = Rlimit {
        current: hard,
        maximum: hard,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit it may be raised");
}

/// How the program ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program `gatepost serve`, which no setting of whoever runs the tests may reach.
pub(crate) fn serve(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GATEPOST_") {
            command.env_remove(name);
        }
    }
    command
        .stdin(Stdio::null())
        .args(["serve", "--home"])
        .arg(home);
    command
}

/// Runs a program that should refuse to start.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ended {
    let output = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("it says texts");
    Ended {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

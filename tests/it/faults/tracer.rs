//! strace beside the running program: it writes down which calls its threads make to the disk, or
//! lets some of them fail. Once it lets go, the disk works again, and the program never ended.

use crate::support::{Daemon, PATIENCE, PROGRAM};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

/// The calls by which the program changes its home. Not `write`, which is for sockets' wake-ups and
/// the log as well.
const CALLS: &str = "openat,openat2,pwrite64,ftruncate,fallocate,fsync,fdatasync,renameat2,unlinkat,\
    mkdirat,?rename,?unlink";

/// What the disk says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Error {
    /// Nobody knows what it holds. Once.
    Broken,
    /// There is no space, from now on.
    Full,
}

impl Error {
    /// In strace's words.
    fn inject(self, call: &str, position: usize) -> String {
        match self {
            Self::Broken => format!("inject={call}:error=EIO:when={position}"),
            Self::Full => format!("inject={call}:error=ENOSPC:when={position}+"),
        }
    }
}

/// A kind of calls of a kind of threads, which fail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// What the threads are called, without their numbers.
    pub(super) threads: String,
    pub(super) call: String,
}

/// One call that was seen.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) thread: u32,
    pub(super) place: Place,
    /// As strace writes it, with the paths of its files.
    pub(super) line: String,
}

/// A strace that is attached to threads of the program.
pub(super) struct Tracer {
    child: Child,
    names: HashMap<u32, String>,
    record: PathBuf,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.call, self.threads)
    }
}

/// The threads of a process: their numbers, and their names without numbers.
fn threads(pid: u32) -> HashMap<u32, String> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let thread = |path: PathBuf| {
        // One that ends while we look has no name any more.
        let name = fs::read_to_string(path.join("comm")).ok()?;
        let name = name.trim().trim_end_matches(|c: char| c.is_ascii_digit());
        let number = path.file_name()?.to_str()?.parse().ok()?;
        Some((number, name.trim_end_matches('-').to_owned()))
    };
    entries
        .filter_map(|entry| thread(entry.ok()?.path()))
        .collect()
}

impl Tracer {
    /// Only looks on.
    #[track_caller]
    pub(super) fn looking_on(pid: u32, aside: &Path) -> Self {
        Self::attach(threads(pid), aside, &["-e", &format!("trace={CALLS}")])
    }

    /// Has the calls of `place` fail with `error`, in each of its threads from the so-manieth on.
    #[track_caller]
    pub(super) fn breaking(
        pid: u32,
        aside: &Path,
        place: &Place,
        error: Error,
        position: usize,
    ) -> Self {
        let threads = threads(pid)
            .into_iter()
            .filter(|(_, name)| *name == place.threads)
            .collect();
        let call = &place.call;
        let mut calls = call.clone();
        let mut injected = vec![error.inject(call, position)];
        if error == Error::Full && call == "fdatasync" {
            // Or the file that is written to find out whether there is space could be synced.
            calls.push_str(",fsync");
            injected.push(error.inject("fsync", 1));
        }
        let trace = format!("trace={calls}");
        let mut what = vec!["-e", &trace];
        what.extend(injected.iter().flat_map(|inject| ["-e", inject]));
        Self::attach(threads, aside, &what)
    }

    #[track_caller]
    fn attach(names: HashMap<u32, String>, aside: &Path, what: &[&str]) -> Self {
        assert!(!names.is_empty(), "there is no such thread: {what:?}");
        let record = aside.join("seen");
        let mut command = Command::new("strace");
        command.arg("-y").arg("-o").arg(&record).args(what);
        for thread in names.keys() {
            command.arg("-p").arg(thread.to_string());
        }
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("strace starts");
        let (sender, lines) = channel();
        let errors = child.stderr.take().expect("it is piped");
        thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                // Whoever waits may have seen enough.
                let _ = sender.send(line);
            }
        });
        let mut said = Vec::new();
        let mut attached = 0;
        while attached < names.len() {
            let line = lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("strace can't attach: {said:#?}"));
            attached += usize::from(line.ends_with(" attached"));
            said.push(line);
        }
        Self {
            child,
            names,
            record,
        }
    }

    /// Lets go, so that every call does what it should. Returns what was seen of the home.
    #[track_caller]
    pub(super) fn let_go(mut self, home: &Path) -> Vec<Seen> {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a pid is not 0");
        // It has ended already if the program has.
        let _ = kill_process(pid, Signal::TERM);
        self.child.wait().expect("it is our child");
        let record = fs::read(&self.record).expect("strace writes what it sees");
        let home = home.to_str().expect("the path is a text");
        let seen = |line: &str| {
            // The thread is only named where there are several.
            let (thread, call) = match self.names.keys().next() {
                Some(only) if self.names.len() == 1 => (*only, line),
                _ => {
                    let (thread, call) = line.split_once(char::is_whitespace)?;
                    (thread.parse().ok()?, call.trim_start())
                }
            };
            let (name, _) = call.split_once('(')?;
            let place = Place {
                threads: self.names.get(&thread)?.clone(),
                call: name.to_owned(),
            };
            let line = call.to_owned();
            call.contains(home).then_some(Seen {
                thread,
                place,
                line,
            })
        };
        let record = String::from_utf8_lossy(&record);
        record.lines().filter_map(seen).collect()
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Both fail harmlessly if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Seen {
    /// Whether it was made to fail.
    pub(super) fn is_injected(&self) -> bool {
        self.line.ends_with("(INJECTED)")
    }

    /// Whether it was a sync of the messages, not of what is written to find out about space.
    pub(super) fn is_messages_sync(&self) -> bool {
        self.place.call.contains("sync") && self.line.contains("/gatepost.db-wal")
    }

    /// Whether it was a sync, of the messages or of the files.
    pub(super) fn is_sync(&self) -> bool {
        // The index of the search holds nothing that is not told by the messages.
        self.place.call.contains("sync") && !self.line.contains("/gatepost-index.db")
    }
}

/// Starts the program with `call` failing in each of its threads, once or from then on, at the
/// so-manieth time. What strace sees is in `record` once the program has ended.
///
/// # Errors
///
/// All that it said, if it ended before it listened.
#[track_caller]
pub(super) fn start_on_broken(
    home: &Path,
    record: &Path,
    call: &str,
    error: Error,
    position: usize,
) -> Result<Daemon, Vec<String>> {
    let mut command = Command::new("strace");
    // Detached, so that the program is our own child and not strace's.
    command.args(["-D", "-f", "-qq", "-e", &format!("trace={call}")]);
    command.args(["-e", &error.inject(call, position)]);
    command.arg("-o").arg(record).arg(PROGRAM);
    Daemon::start_under(command, home, &super::ARGUMENTS)
}

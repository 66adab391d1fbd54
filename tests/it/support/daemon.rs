//! The real program as a process of its own, in a home of its own. It is killed when the test ends,
//! however that ends.

use super::{PATIENCE, Peer};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_gatepost");

/// A running `gatepost serve`.
pub(crate) struct Daemon {
    child: Child,
    address: SocketAddr,
    lines: Receiver<String>,
    readers: Vec<JoinHandle<()>>,
    /// What it has said so far, on either stream.
    said: Vec<String>,
}

impl Daemon {
    /// Starts it in `home` with further arguments, and waits until it says where it listens.
    #[track_caller]
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Self {
        Self::start_under(Command::new(PROGRAM), home, arguments)
            .unwrap_or_else(|said| panic!("it ended as it started: {said:#?}"))
    }

    /// The same with a command that becomes the program once it is given the program's arguments.
    ///
    /// # Errors
    ///
    /// All that it said, if it ended before it listened.
    #[track_caller]
    pub(crate) fn start_under(
        mut command: Command,
        home: &Path,
        arguments: &[&str],
    ) -> Result<Self, Vec<String>> {
        // No setting of whoever runs the tests may reach it.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GATEPOST_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(["serve", "--listen", "framed://127.0.0.1:0", "--home"])
            .arg(home)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (sender, lines) = channel();
        let out = child.stdout.take().expect("it is piped");
        let err = child.stderr.take().expect("it is piped");
        let readers = vec![read_lines(out, sender.clone()), read_lines(err, sender)];
        let mut daemon = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            lines,
            readers,
            said: Vec::new(),
        };
        match daemon.look_for_line(|line| listening(line).is_some()) {
            Some(line) => daemon.address = listening(&line).expect("the line was chosen for it"),
            None => return Err(daemon.wait().1),
        }
        Ok(daemon)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for another conversation than the first, which begins with `scheme`.
    #[track_caller]
    pub(crate) fn address_of(&self, scheme: &str) -> SocketAddr {
        let mut lines = self.said.iter();
        let found = lines.find_map(|line| listening_for(scheme, line));
        found.unwrap_or_else(|| panic!("no {scheme} in {:#?}", self.said))
    }

    /// A new client.
    #[track_caller]
    pub(crate) fn peer(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        let pid = Pid::from_raw(pid).expect("a pid is not 0");
        kill_process(pid, signal).expect("the process is there");
    }

    /// Waits for a line of either stream that is `wanted`.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        self.look_for_line(wanted)
            .unwrap_or_else(|| panic!("it ended without such a line: {:#?}", self.said))
    }

    /// The same, `None` if it ends before it says so.
    #[track_caller]
    fn look_for_line(&mut self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if wanted(&line) {
                        return Some(line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no such line: {:#?}", self.said),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Waits for its end: the exit status, and all that it has said.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        // Both pipes close when it ends; that, unlike the end itself, can be waited for in time.
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {:#?}", self.said),
            }
        }
        let status = self.child.wait().expect("it is our child");
        (status, std::mem::take(&mut self.said))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail harmlessly if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

/// The address in a line that says where the program listens.
fn listening(line: &str) -> Option<SocketAddr> {
    listening_for("framed://", line)
}

fn listening_for(scheme: &str, line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(scheme)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    let address: SocketAddr = rest[..end.unwrap_or(rest.len())].parse().ok()?;
    (address.port() != 0).then_some(address)
}

fn read_lines(stream: impl Read + Send + 'static, sender: Sender<String>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Whoever waits may be gone; the pipe is read on so that the daemon is never stuck.
            let _ = sender.send(line);
        }
    })
}

#[test]
fn the_address_is_found_in_a_line() {
    let address = |line: &str| listening(line).map(|address| address.port());
    assert_eq!(
        address("listening on framed://127.0.0.1:4711, home /x"),
        Some(4711)
    );
    assert_eq!(address("listening on framed://127.0.0.1:4711"), Some(4711));
    assert_eq!(address("listening on framed://127.0.0.1:0"), None);
    assert_eq!(address("nothing"), None);
}

//! The real program, run to its end or heard while it goes on.

use crate::support::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The program with `arguments` for the server at `address`.
fn command(address: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GATEPOST_") {
            command.env_remove(name);
        }
    }
    command.env("GATEPOST_SERVER", address).args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it with `input` as its standard input: its exit code and what it said on both streams.
#[track_caller]
pub(crate) fn run(address: &str, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = command(address, arguments)
        .spawn()
        .expect("the program starts");
    // What it doesn't read it doesn't need: it may have left already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("only text is said");
    let code = output.status.code().expect("it ends by itself");
    (code, text(output.stdout), text(output.stderr))
}

/// A running program. It is killed when the test ends, however that ends.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Running {
    #[track_caller]
    pub(crate) fn start(address: &str, arguments: &[&str]) -> Self {
        let mut child = command(address, arguments)
            .spawn()
            .expect("the program starts");
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self {
            input: child.stdin.take(),
            out: lines(out),
            err: lines(err),
            child,
        }
    }

    /// Types a line.
    #[track_caller]
    pub(crate) fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input has not ended");
        input.write_all(format!("{line}\n").as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Ends its input.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// The next line of its standard output.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        self.out.recv_timeout(PATIENCE).expect("it says something")
    }

    /// The next line of its standard error.
    #[track_caller]
    pub(crate) fn complaint(&mut self) -> String {
        self.err.recv_timeout(PATIENCE).expect("it complains")
    }

    /// Whether it says nothing for a moment.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.out.recv_timeout(Duration::from_millis(100)).is_err()
    }

    /// Nobody reads its standard output any more.
    pub(crate) fn stop_reading(&mut self) {
        // The thread that reads ends with the next line that nobody takes.
        self.out = channel().1;
    }

    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends it a signal.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        let pid = Pid::from_raw(pid).expect("a pid is not 0");
        kill_process(pid, signal).expect("the process is there");
    }

    /// Its exit code.
    #[track_caller]
    pub(crate) fn end(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().expect("it ends by itself");
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail harmlessly if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver): (Sender<String>, _) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

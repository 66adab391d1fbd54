//! A server in a process of its own: started, found, stopped. Which servers,
//! and with which arguments, is left to `targets`.

use std::fs::{self, DirBuilder, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long a server may take to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Before the port, wherever a server says where it listens.
const ANNOUNCEMENT: &str = "framed://127.0.0.1:";

/// How a server's address becomes known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Address {
    /// It says so, on either of its outputs.
    Announced,
    /// It was told to listen here.
    Given(SocketAddr),
}

/// How a server is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By the end of its standard input.
    Stdin,
    /// By SIGTERM.
    Terminate,
}

/// A fresh directory for a server, and beside it the file its outputs go to.
#[derive(Debug)]
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let place = Self {
            directory: tempfile::tempdir().context("a directory for a server")?,
        };
        DirBuilder::new()
            .mode(0o700)
            .create(place.home())
            .context("a home for a server")?;
        Ok(place)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// Lets every user of the machine get to the home.
    pub(crate) fn open_to_all(&self) -> anyhow::Result<()> {
        let all = fs::Permissions::from_mode(0o755);
        Ok(fs::set_permissions(self.directory.path(), all)?)
    }

    fn output(&self) -> PathBuf {
        self.directory.path().join("output")
    }
}

/// A running server; killed where it is dropped without having been stopped.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    end: End,
    place: Place,
    address: SocketAddr,
}

impl ServerProcess {
    /// Starts `command` and returns once it is known to listen.
    pub(crate) fn start(
        mut command: Command,
        place: Place,
        address: Address,
        end: End,
    ) -> anyhow::Result<Self> {
        // A file rather than pipes: nobody has to keep reading while the
        // clock runs, and it is still there when the server is not.
        let output = File::create(place.output()).context("a file for a server's output")?;
        let stdin = match end {
            End::Stdin => Stdio::piped(),
            End::Terminate => Stdio::null(),
        };
        let child = command
            .stdin(stdin)
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let mut server = Self {
            child,
            end,
            place,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        };
        server.address = server.find(address)?;
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.place.home()
    }

    /// Processor time of the server and its children so far, those included
    /// that have ended.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        let mut ticks = 0;
        let mut pids = vec![self.child.id()];
        while let Some(pid) = pids.pop() {
            // A child may end while it is looked at; its parent has its time then.
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
                continue;
            };
            // Behind the name in parentheses: utime, stime, cutime, cstime are 12th to 15th.
            let rest = stat.rsplit_once(')').context("a process without a name")?.1;
            let fields = rest.split_whitespace().skip(11).take(4);
            ticks += fields
                .filter_map(|field| field.parse::<u64>().ok())
                .sum::<u64>();
            for task in fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten()
            {
                let children = task?.path().join("children");
                let children = fs::read_to_string(children).unwrap_or_default();
                pids.extend(
                    children
                        .split_whitespace()
                        .filter_map(|pid| pid.parse::<u32>().ok()),
                );
            }
        }
        // The kernel has told user space a hundredth of a second a tick for ever.
        Ok(Duration::from_millis(10 * ticks))
    }

    /// Asks the server to end, waits for it, and returns all it has said.
    pub(crate) fn stop(mut self) -> anyhow::Result<String> {
        match self.end {
            End::Stdin => drop(self.child.stdin.take()),
            End::Terminate => {
                let pid = Pid::from_raw(i32::try_from(self.child.id())?);
                kill(pid, Signal::SIGTERM).context("asking a server to end")?;
            }
        }
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                bail!("still running {PATIENCE:?} after being asked to end");
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.said()
    }

    fn find(&mut self, address: Address) -> anyhow::Result<SocketAddr> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(found) = self.look(address)? {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("ended at once ({status}); it said:\n{}", self.said()?);
            }
            thread::sleep(Duration::from_millis(5));
        }
        bail!(
            "not listening after {PATIENCE:?}; it said:\n{}",
            self.said()?
        )
    }

    fn look(&self, address: Address) -> anyhow::Result<Option<SocketAddr>> {
        match address {
            Address::Announced => Ok(announced(&self.said()?)),
            Address::Given(given) => Ok(TcpStream::connect(given).ok().map(|_| given)),
        }
    }

    fn said(&self) -> anyhow::Result<String> {
        let output = fs::read(self.place.output()).context("reading a server's output")?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Both fail of a server that has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first address announced in `text`. Port 0 is a wish, not an address,
/// and digits at the very end may have more to come.
fn announced(text: &str) -> Option<SocketAddr> {
    text.split(ANNOUNCEMENT).skip(1).find_map(|rest| {
        let end = rest.find(|character: char| !character.is_ascii_digit())?;
        let port: u16 = rest[..end].parse().ok()?;
        (port != 0).then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    })
}

/// The program `name`, where PATH has it.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program: &PathBuf| Path::is_file(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_found_on_any_line() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 4711));
        let text = "listen = framed://127.0.0.1:0\nready at framed://127.0.0.1:4711, pid 1\n";
        assert_eq!(announced(text), Some(address));
        assert_eq!(announced("framed://127.0.0.1:4711\n"), Some(address));
    }

    #[test]
    fn half_an_announcement_is_none() {
        assert_eq!(announced(""), None);
        assert_eq!(announced("framed://127.0.0.1:0\n"), None);
        assert_eq!(announced("framed://127.0.0.1:47"), None);
        assert_eq!(announced("framed://127.0.0.1:99999\n"), None);
    }

    #[test]
    fn a_server_that_ends_at_once_is_told_of_with_its_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such luck; exit 3"]);
        let place = Place::new().unwrap();
        let error = ServerProcess::start(command, place, Address::Announced, End::Stdin);
        assert!(error.unwrap_err().to_string().contains("no such luck"));
    }

    #[test]
    fn a_server_is_found_asked_to_end_and_heard() {
        for (end, script) in [
            (End::Stdin, "echo framed://127.0.0.1:4711; cat; echo bye"),
            (
                End::Terminate,
                "trap 'echo bye; exit' TERM; echo framed://127.0.0.1:4711 >&2; \
                 while :; do sleep 0.01; done",
            ),
        ] {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let place = Place::new().unwrap();
            let server = ServerProcess::start(command, place, Address::Announced, end).unwrap();
            assert_eq!(server.address().port(), 4711);
            assert!(server.stop().unwrap().ends_with("bye\n"));
        }
    }
}

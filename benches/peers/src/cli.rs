//! The command line. It only says what may be asked for; `runner` and
//! `servers` do it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// How fast gatepost answers a ping and takes a message in, next to servers
/// that do as little as possible.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure every server by turns and print the tables.
    Run(RunOptions),
    /// Be one of the servers compared with: print the bound address, then
    /// serve until standard input ends.
    Serve {
        server: Server,
        /// Where it may write, if it does.
        #[arg(long)]
        home: Option<PathBuf>,
    },
}

/// What to measure, and for how long.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// The gatepost binary; without it the baselines are measured alone.
    #[arg(long, value_name = "PATH")]
    pub(crate) gatepost: Option<PathBuf>,
    /// Its arguments, split at blanks; {home} becomes a fresh directory.
    #[arg(
        long,
        value_name = "ARGS",
        allow_hyphen_values = true,
        default_value = "serve --home {home} --listen framed://127.0.0.1:0 -q"
    )]
    pub(crate) gatepost_args: String,
    /// Length of one turn of one server, in seconds.
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Turns of each server; the medians over them are reported.
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = at_least_one())]
    pub(crate) rounds: u32,
    /// Ping and durable: connections held open, one measurement for each number.
    #[arg(
        long,
        value_name = "N,..",
        value_delimiter = ',',
        default_value = "1,16,64,256,1000",
        value_parser = at_least_one()
    )]
    pub(crate) connections: Vec<u32>,
    /// Ping and durable: requests in flight on each connection.
    #[arg(
        long,
        value_name = "D,..",
        value_delimiter = ',',
        default_value = "1",
        value_parser = at_least_one()
    )]
    pub(crate) depth: Vec<u32>,
    /// Connect: client threads.
    #[arg(
        long,
        value_name = "C",
        default_value_t = 4,
        value_parser = clap::value_parser!(u32).range(1..=64)
    )]
    pub(crate) connect_threads: u32,
    /// Fan-out: readers of the room.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one())]
    pub(crate) readers: u32,
    /// Fan-out: readers beside them that never read, one measurement for each
    /// number.
    #[arg(
        long,
        value_name = "N,..",
        value_delimiter = ',',
        default_value = "0,10"
    )]
    pub(crate) stalled: Vec<u32>,
    /// Fan-out: messages a second, one measurement for each number; 0 for as
    /// many as the readers take.
    #[arg(
        long,
        value_name = "N,..",
        value_delimiter = ',',
        default_value = "100,0"
    )]
    pub(crate) pace: Vec<u32>,
    /// Upload and download: the size of the big file, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=2047))]
    pub(crate) big_mib: u64,
    /// Upload and download: the number of small files.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one())]
    pub(crate) small_files: u32,
    /// Measure these rows only.
    #[arg(long, value_name = "ROW,..", value_delimiter = ',')]
    pub(crate) only: Vec<Row>,
}

/// A row of the design's table of speeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// Requests on connections that stay.
    Ping,
    /// Messages with a durable receipt, on connections that stay.
    Durable,
    /// One connection for each message.
    Connect,
    /// One publisher and many readers of a room.
    Fanout,
    /// Files to the server.
    Upload,
    /// Files from the server.
    Download,
}

/// The servers compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Server {
    /// Echo, a thread for each connection.
    EchoThreads,
    /// Echo on tokio's multi-thread runtime.
    EchoTokio,
    /// Takes messages, one connection after another on one thread.
    Course,
    /// Takes messages, a thread for each connection.
    CourseThreads,
    /// Takes files with all the syncs of a receipt and nothing else.
    Bare,
}

impl RunOptions {
    /// Whether `row` is to be measured.
    pub(crate) fn wants(&self, row: Row) -> bool {
        self.only.is_empty() || self.only.contains(&row)
    }
}

impl Server {
    /// Its name on the command line.
    pub(crate) fn argument(self) -> String {
        let value = self.to_possible_value().expect("no server is hidden");
        value.get_name().to_owned()
    }
}

fn at_least_one() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=60_000)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(length) if !length.is_zero() => Ok(length),
        _ => Err("must be more than nothing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lists_are_split_at_commas_and_nothing_is_refused() {
        let cli = Cli::try_parse_from(["x", "run", "--connections", "1,16", "--seconds", "0.5"]);
        let Ok(Command::Run(options)) = cli.map(|cli| cli.command) else {
            panic!("a valid command line was refused");
        };
        assert_eq!(options.connections, [1, 16]);
        assert_eq!(options.seconds, Duration::from_millis(500));
        assert!(Cli::try_parse_from(["x", "run", "--connections", "0"]).is_err());
        assert!(Cli::try_parse_from(["x", "run", "--seconds", "0"]).is_err());
        assert!(Cli::try_parse_from(["x", "run", "--seconds", "-1"]).is_err());
    }
}

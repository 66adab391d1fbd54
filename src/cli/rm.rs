//! `gatepost rm`: removes files from a server.

use super::exit::{Exit, Failure};
use super::files::tell;
use super::server::{Server, explain};
use super::terminal::complain;

/// Remove files from a server
///
/// Only their owner can, and an admin. A file that several users have sent stays until the last of
/// them removes it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepost rm --user lisi photo.png
  gatepost ls --json tmp- | jq -r .name | xargs -d '\\n' gatepost rm --user admin --")]
pub(super) struct Args {
    /// The names of the files on the server
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut client = args.server.connect()?;
    let mut failures = Vec::new();
    for name in &args.names {
        let removed = match client.is_open() {
            true => client.remove(name).map_err(explain),
            false => Err(Failure::new(Exit::TryAgain, "not tried")),
        };
        failures.extend(removed.err().map(|failure| failure.about(name)));
    }
    // Each is answered: how the goodbye goes changes nothing.
    let _ = client.close();
    let (each, all) = tell(failures, args.names.len(), "removed");
    each.iter().for_each(complain);
    all.map_or(Ok(()), Err)
}

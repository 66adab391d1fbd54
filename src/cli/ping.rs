//! `gatepost ping`: is a server there, and how far away.

use super::exit::Failure;
use super::output::Output;
use super::server::Server;
use serde_json::json;
use std::time::Instant;

/// Ask a server for a sign of life
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the answer as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut client = args.server.connect()?;
    let start = Instant::now();
    client.ping()?;
    let took = start.elapsed();
    let mut output = Output::stdout();
    if args.json {
        output.json(&json!({ "seconds": took.as_secs_f64() }))?;
    } else {
        output.line(format_args!(
            "{} answered in {took:.0?}",
            args.server.target.address
        ))?;
    }
    Ok(client.close()?)
}

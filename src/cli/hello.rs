//! `gatepost hello`: what a server says of itself.

use super::exit::Failure;
use super::output::Output;
use super::server::Server;
use super::wording::counted;
use serde_json::json;

/// Ask a server what it is
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
    let said = client.hello()?;
    let mut output = Output::stdout();
    if args.json {
        output.json(&json!({
            "server": said.server,
            "version": said.version,
            "proto": said.proto,
            "store": said.store,
            "login": said.login,
            "salt": said.salt,
            "max_header": said.max_header,
            "max_text": said.max_text,
            "bots": said.bots,
            "state": said.state,
        }))?;
    } else {
        let bytes = |limit: Option<u64>| {
            limit.map_or_else(|| "not told".to_owned(), |bytes| counted(bytes, "byte"))
        };
        output.line(format_args!(
            "{} {}, {}",
            said.server, said.version, said.state
        ))?;
        output.line(format_args!("protocol      {}", said.proto))?;
        output.line(format_args!("login         {}", said.login))?;
        output.line(format_args!("longest text  {}", bytes(said.max_text)))?;
        output.line(format_args!("bots          {}", said.bots.join(", ")))?;
    }
    Ok(client.close()?)
}

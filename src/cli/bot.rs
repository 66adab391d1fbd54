//! `gatepost bot`: one question, or one a line.

use super::exit::Failure;
use super::input::{invite, read_line};
use super::output::Output;
use super::server::Server;
use serde_json::json;
use std::io::BufReader;

/// Talk to the bot
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to say; several words are joined by spaces. Without any, each line of standard input
    /// is answered
    text: Vec<String>,
    /// Which bot [default: dongmei]
    #[arg(long, value_name = "NAME")]
    bot: Option<String>,
    /// Print each answer as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut client = args.server.connect()?;
    let mut output = Output::stdout();
    let mut answer = |text: &str| {
        let said = client.bot(args.bot.as_deref(), text)?;
        if args.json {
            output.json(&json!({ "text": said }))?;
        } else {
            output.line(&said)?;
        }
        Ok::<_, Failure>(!output.is_gone())
    };
    if args.text.is_empty() {
        invite();
        let mut input = BufReader::new(std::io::stdin());
        while let Some(line) = read_line(&mut input)? {
            let text = String::from_utf8(line)
                .map_err(|_| Failure::usage("standard input: a line is not UTF-8"))?;
            // An answer that nobody reads any more needs no next question.
            if !text.is_empty() && !answer(&text)? {
                break;
            }
        }
    } else {
        answer(&args.text.join(" "))?;
    }
    Ok(client.close()?)
}

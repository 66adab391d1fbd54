//! `gatepost say`: one message from the command line, or one a line from standard input.

use super::exit::Failure;
use super::input::{has_input, invite, read_line};
use super::output::Output;
use super::server::{Server, explain};
use super::wording::counted;
use crate::client::{Ack, Post, Poster, Receipt, Refused};
use serde_json::json;
use std::collections::VecDeque;
use std::io::{BufReader, Stdin};

/// Post a message and wait until it is safe
///
/// When the connection breaks it is made anew for as long as `--timeout`, and what has no receipt
/// is sent again; no message is taken twice.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The message; several words are joined by spaces. Without any, each line of standard input
    /// is a message (empty lines are left out)
    text: Vec<String>,
    /// The room [default: lobby]
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,
    /// When the server answers: once the message is safe on disk, or as soon as it is there
    #[arg(long, value_name = "WHEN", default_value = "durable", value_parser = ["durable", "received"])]
    ack: String,
    /// Post it only once, however often the same key is used; best something random
    #[arg(long, value_name = "KEY", requires = "text")]
    key: Option<String>,
    /// Print each receipt as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let post = Post {
        room: args.room,
        key: args.key,
        ack: match args.ack.as_str() {
            "received" => Ack::Received,
            _ => Ack::Durable,
        },
    };
    let patience = args.server.target.timeout;
    let mut poster = args.server.poster(args.server.login()?, patience);
    // A server that isn't there is said before anything is read.
    poster.client().map_err(explain)?;
    let mut output = Output::stdout();
    if args.text.is_empty() {
        invite();
        let input = BufReader::with_capacity(64 * 1024, std::io::stdin());
        Stream::new(args.json).run(&mut poster, &post, input, &mut output)?;
    } else {
        let receipt = poster.say(&args.text.join(" "), &post)?;
        if args.json {
            output.json(&receipt_as_json(&receipt))?;
        } else {
            output.line(receipt_as_line(&receipt))?;
        }
    }
    // What was asked for is answered: how the goodbye goes changes nothing, and a failure here
    // would only have it said again.
    let _ = poster.close();
    Ok(())
}

/// A receipt in a few words.
pub(super) fn receipt_as_line(receipt: &Receipt) -> String {
    let Receipt { room, seq, .. } = receipt;
    let again = if receipt.duplicate { ", as before" } else { "" };
    match seq {
        Some(seq) => format!("{room} {seq}{again}"),
        None => format!("{room}, received{again}"),
    }
}

fn receipt_as_json(receipt: &Receipt) -> serde_json::Value {
    let time = receipt
        .time
        .map(|time| humantime::format_rfc3339_millis(time).to_string());
    json!({
        "room": receipt.room,
        "seq": receipt.seq,
        "prev": receipt.prev,
        "time": time,
        "ack": receipt.ack,
        "duplicate": receipt.duplicate,
    })
}

/// Messages on their way, one a line, many at once.
struct Stream {
    json: bool,
    /// The lines whose answers are awaited; requests and answers have the same order.
    lines: VecDeque<u64>,
    taken: u64,
    refused: u64,
    first_refusal: Option<Failure>,
}

impl Stream {
    fn new(json: bool) -> Self {
        Self {
            json,
            lines: VecDeque::new(),
            taken: 0,
            refused: 0,
            first_refusal: None,
        }
    }

    fn run(
        mut self,
        poster: &mut Poster,
        post: &Post,
        input: BufReader<Stdin>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let sent = self.pump(poster, post, input, output);
        // What was taken is told even if the rest broke off.
        if !self.json {
            output.line(format_args!("{} taken", counted(self.taken, "message")))?;
        }
        let unknown = self.lines.len();
        sent.map_err(|failure| match unknown {
            0 => failure,
            _ => {
                let unknown = counted(unknown as u64, "message");
                failure.about(format_args!("{unknown} without a receipt"))
            }
        })?;
        match self.first_refusal {
            None => Ok(()),
            Some(first) => Err(first.about(format_args!("{} refused, the first", self.refused))),
        }
    }

    fn pump(
        &mut self,
        poster: &mut Poster,
        post: &Post,
        mut input: BufReader<Stdin>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut number = 0;
        loop {
            // Reading on may wait for a person or a program: nothing may be held back by that,
            // neither a message nor a receipt.
            if input.buffer().is_empty() {
                poster.flush()?;
                while !has_input()
                    && let Some(receipt) = poster.receive()?
                {
                    self.count(receipt, output)?;
                }
            }
            let Some(line) = read_line(&mut input)? else {
                break;
            };
            number += 1;
            if line.is_empty() {
                continue;
            }
            self.lines.push_back(number);
            poster.send(line, post)?;
            while let Some(receipt) = poster.received()? {
                self.count(receipt, output)?;
            }
        }
        while let Some(receipt) = poster.receive()? {
            self.count(receipt, output)?;
        }
        Ok(())
    }

    fn count(
        &mut self,
        receipt: Result<Receipt, Refused>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let line = self.lines.pop_front().unwrap_or_default();
        match receipt {
            Ok(receipt) => {
                self.taken += 1;
                if self.json {
                    output.json(&receipt_as_json(&receipt))?;
                }
            }
            Err(refused) => {
                self.refused += 1;
                let failure = || Failure::from(refused).about(format_args!("line {line}"));
                self.first_refusal.get_or_insert_with(failure);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::server::tests::typed;
    use clap::error::ErrorKind;

    #[test]
    fn a_message_is_all_its_words() {
        let args: Args = typed(&["你好", "|", "world", "--room", "gate"]).unwrap();
        assert_eq!(args.text.join(" "), "你好 | world");
        assert_eq!(
            (args.room.as_deref(), &*args.ack),
            (Some("gate"), "durable")
        );
        let args: Args = typed(&["--", "--not", "a flag"]).unwrap();
        assert_eq!(args.text.join(" "), "--not a flag");
    }

    #[test]
    fn one_key_cannot_go_with_many_messages() {
        let kind = typed::<Args>(&["--key", "k"]).unwrap_err();
        assert_eq!(kind, ErrorKind::MissingRequiredArgument);
        assert!(typed::<Args>(&["--key", "k", "x"]).is_ok());
        let kind = typed::<Args>(&["--ack", "maybe", "x"]).unwrap_err();
        assert_eq!(kind, ErrorKind::InvalidValue);
    }

    #[test]
    fn a_receipt_says_room_and_number() {
        let receipt = |seq, duplicate| {
            receipt_as_line(&Receipt {
                room: "lobby".to_owned(),
                seq,
                prev: None,
                time: None,
                ack: None,
                duplicate,
            })
        };
        assert_eq!(receipt(Some(7), false), "lobby 7");
        assert_eq!(receipt(Some(7), true), "lobby 7, as before");
        assert_eq!(receipt(None, false), "lobby, received");
    }
}

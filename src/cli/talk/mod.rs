//! `gatepost talk`: the client side of every conversation of the socket course. What is typed
//! comes from `lines`, one file each for what isn't text after text.

mod lines;
mod login;
mod many;
mod upload;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::server::explain;
use super::settings::units;
use super::terminal::complain;
use super::trust::Belief;
use crate::client::Error;
use crate::client::talk::{Conversation, Datagrams, Talk, Talking, Turn, Url};
use crate::config::COURSE_SALT;
use lines::Lines;
use std::ffi::OsString;
use std::time::Duration;

/// Talk to a server as the clients of the socket course do
///
/// URL is one of hello://, bot://, upload://, login://, delay://, sink://, frames:// and udp://,
/// with HOST:PORT behind it; hello+tls:// and so on, all but udp, speak inside TLS. frames://HOST:PORT?length=ascii writes lengths in digits. In sink://,
/// bot:// and delay:// nothing marks where a text ends: what is sent in quick succession may be
/// taken for one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The conversation and the server, as in `bot://127.0.0.1:8003`
    #[arg(value_name = "URL")]
    url: Url,
    /// What to say, each argument a text of its own; with upload:// the file. Without any, each
    /// line of standard input is a text, and the line `q` or `Q` leaves
    #[arg(value_name = "TEXT|FILE")]
    texts: Vec<OsString>,
    /// Have this many conversations at once, the texts dealt out among them, and print answers as
    /// they come
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// login: who logs in; asked for where it is not given
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// login: what the server salts its passwords with
    #[arg(long, value_name = "SALT", default_value = COURSE_SALT)]
    salt: String,
    /// login: send the proof of a password over an unencrypted connection to another machine
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    belief: Belief,
    /// upload: the name to give the file, instead of its own
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How long the server may be silent where it owes something [default: 30s, udp: 2s]
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    timeout: Option<Duration>,
}

/// How long a server may be silent, over a stream.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the answer to a datagram is waited for.
const DATAGRAM_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn run(mut args: Args) -> Result<(), Failure> {
    use Conversation::{Login, Udp, Upload};
    let conversation = args.url.conversation;
    let is_text_after_text = conversation.talking().is_some();
    for (flag, is_given, has_a_meaning) in [
        ("--jobs", args.jobs.is_some(), is_text_after_text),
        ("--user", args.user.is_some(), conversation == Login),
        ("--name", args.name.is_some(), conversation == Upload),
    ] {
        if is_given && !has_a_meaning {
            return Err(Failure::usage(format!(
                "{flag} has no meaning in this conversation"
            )));
        }
    }
    let timeout = args.timeout.unwrap_or(match conversation {
        Udp => DATAGRAM_TIMEOUT,
        _ => TIMEOUT,
    });
    let settled = args.belief.settle(&args.url.address, timeout);
    args.url.address = settled.map_err(explain)?;
    match conversation {
        Upload => upload::run(&args, timeout),
        Login => login::run(&args, timeout),
        Udp => {
            let lines = Lines::new(args.texts, conversation.takes_empty())?;
            let datagrams = Datagrams::new(&args.url.address, timeout)?;
            one_by_one(lines, Exchange::Datagrams(datagrams))
        }
        _ => {
            let (url, talk) = (args.url, None);
            let lines = Lines::new(args.texts, conversation.takes_empty())?;
            match args.jobs {
                Some(jobs) => many::run(&url, lines, jobs.into(), timeout),
                None => one_by_one(lines, Exchange::Stream { url, timeout, talk }),
            }
        }
    }
}

/// Says one line after the other and prints what is heard.
fn one_by_one(mut lines: Lines, mut exchange: Exchange) -> Result<(), Failure> {
    let mut output = Output::stdout();
    // A server that isn't there is told, and one that greets is heard, before the first line.
    exchange.open(&mut output)?;
    while let Some(line) = lines.next()? {
        match exchange.say(&line, &mut output) {
            Ok(()) => {}
            // What can't be said, a person may say otherwise; a program can't.
            Err(failure) if failure.exit == Exit::Usage && lines.is_person() => complain(failure),
            Err(failure) => return Err(failure),
        }
        // An answer that nobody reads any more needs no next text.
        if output.is_gone() {
            break;
        }
    }
    exchange.leave(&mut output)
}

/// With whom texts are exchanged.
enum Exchange {
    Stream {
        url: Url,
        timeout: Duration,
        talk: Option<Talk<Box<dyn Talking>>>,
    },
    Datagrams(Datagrams),
}

impl Exchange {
    /// Connects if there is no connection, and waits for the client's turn.
    fn open(&mut self, output: &mut Output) -> Result<(), Failure> {
        let Self::Stream { url, timeout, talk } = self else {
            return Ok(());
        };
        if talk.is_none()
            && let Some(talking) = url.conversation.talking()
        {
            *talk = Some(Talk::connect(&url.address, talking, *timeout)?);
        }
        self.hear(output, Talk::listen)
    }

    fn say(&mut self, text: &str, output: &mut Output) -> Result<(), Failure> {
        if let Self::Datagrams(datagrams) = self {
            let answer = datagrams.say(text, |waited| {
                let waited = humantime::format_duration(waited);
                complain(format_args!("no answer in {waited}, sent again"));
            })?;
            return output.line(answer);
        }
        self.open(output)?;
        // What came since the last line is shown before the answer to this one.
        self.hear(output, Talk::glance)?;
        self.hear(output, |talk| talk.say(text))?;
        self.hear(output, Talk::listen)?;
        // Where one answer is all, the next text begins another conversation.
        if let Self::Stream { talk, .. } = self {
            talk.take_if(|talk| talk.turn() == Turn::Over);
        }
        Ok(())
    }

    fn leave(&mut self, output: &mut Output) -> Result<(), Failure> {
        self.hear(output, Talk::leave)
    }

    /// Does `what` with the connection, if there is one, and prints what was heard by it.
    fn hear(
        &mut self,
        output: &mut Output,
        what: impl FnOnce(&mut Talk<Box<dyn Talking>>) -> Result<(), Error>,
    ) -> Result<(), Failure> {
        let Self::Stream {
            talk: Some(talk), ..
        } = self
        else {
            return Ok(());
        };
        let done = what(talk);
        while let Some(text) = talk.heard() {
            output.line(text)?;
        }
        Ok(done?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::server::tests::typed;
    use clap::error::ErrorKind;

    #[track_caller]
    fn unfit(line: &[&str]) {
        let failure = run(typed(line).unwrap()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{failure}");
    }

    #[test]
    fn a_url_and_numbers_are_checked_when_typed() {
        let args: Args = typed(&["frames://[::1]:9", "--timeout", "2m", "a", "b"]).unwrap();
        assert_eq!(args.timeout, Some(Duration::from_secs(120)));
        assert_eq!(args.texts, ["a", "b"]);
        for wrong in [
            &["framed://x:1"][..],
            &["sink://x"],
            &["sink://x:1", "--jobs", "0"],
            &["udp://x:1", "--timeout", "soon"],
        ] {
            let kind = typed::<Args>(wrong).unwrap_err();
            assert_eq!(kind, ErrorKind::ValueValidation, "{wrong:?}");
        }
    }

    #[test]
    fn a_flag_goes_only_with_its_conversation() {
        for url in ["udp://127.0.0.1:1", "login://127.0.0.1:1"] {
            unfit(&[url, "--jobs", "2"]);
        }
        unfit(&["bot://127.0.0.1:1", "--user", "x"]);
        unfit(&["sink://127.0.0.1:1", "--name", "x"]);
        unfit(&["login://127.0.0.1:1", "a text"]);
        unfit(&["upload://127.0.0.1:1"]);
        unfit(&["upload://127.0.0.1:1", "a", "b"]);
    }
}

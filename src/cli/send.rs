//! `gatepost send`: files, each with its receipt.

use super::exit::{Exit, Failure};
use super::output::Output;
use super::parcel::Parcel;
use super::server::Server;
use super::terminal::{complain, escape};
use super::wording::{counted, was};
use crate::client::{Client, Error, Phase, Progress, Stored};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::PathBuf;

/// Send files and wait until each is safe
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The files; `-` is standard input and needs --name
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The name to ask for, instead of the file's own; only with one file
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Print each receipt as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    if args.name.is_some() && args.files.len() > 1 {
        return Err(Failure::usage("--name goes with one file only"));
    }
    let parcels = args
        .files
        .iter()
        .map(|path| Parcel::new(path, args.name.as_deref()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sender = Sender {
        login: args.server.login()?,
        server: args.server,
        client: None,
    };
    let mut output = Output::stdout();
    let mut failures = Vec::new();
    let mut rest = parcels.iter();
    for parcel in rest.by_ref() {
        match sender.send(parcel) {
            Ok(stored) if args.json => output.json(&as_json(parcel, &stored))?,
            Ok(stored) => {
                output.line(stored_as_line(&stored))?;
                if let Some(rename) = rename(parcel, &stored) {
                    complain(rename);
                }
            }
            Err(Skip(failure)) => failures.push(failure.about(parcel)),
            Err(Stop(failure)) => {
                failures.push(failure.about(parcel));
                break;
            }
        }
    }
    failures.extend(rest.map(|parcel| Failure::new(Exit::TryAgain, "not tried").about(parcel)));
    sender.leave();
    let (each, all) = tell(failures, parcels.len());
    each.iter().for_each(complain);
    all.map_or(Ok(()), Err)
}

/// The failures to tell one by one, and the one that stands for all. A single file's stands for
/// itself.
fn tell(mut failures: Vec<Failure>, files: usize) -> (Vec<String>, Option<Failure>) {
    if files == 1 {
        return (Vec::new(), failures.pop());
    }
    let all = failures.first().map(|first| {
        let failed = failures.len() as u64;
        let sentence = format!("{failed} of {files} files {} not sent", was(failed));
        Failure::new(first.exit, sentence)
    });
    let each = failures
        .iter()
        .map(|failure| format!("gatepost: {failure}"));
    (each.collect(), all)
}

pub(super) fn stored_as_line(stored: &Stored) -> String {
    let again = if stored.duplicate { ", as before" } else { "" };
    format!("{} ({}{again})", stored.name, counted(stored.size, "byte"))
}

/// That a file is kept under another name than it asked for: a line of its own, since scripts may
/// read the receipt's.
pub(super) fn rename(parcel: &Parcel<'_>, stored: &Stored) -> Option<String> {
    let Stored { name, .. } = stored;
    (*name != parcel.name).then(|| format!("{} is kept as {name}", parcel.name))
}

fn as_json(parcel: &Parcel<'_>, stored: &Stored) -> serde_json::Value {
    json!({
        "asked": parcel.name,
        "name": stored.name,
        "size": stored.size,
        "digest": stored.digest.map(|digest| digest.to_string()),
        "duplicate": stored.duplicate,
    })
}

/// Why a file was not sent: it alone, or none after it can be either.
enum Unsent {
    Skip(Failure),
    Stop(Failure),
}
use Unsent::{Skip, Stop};

/// The connection over which files go, made anew when it is over.
struct Sender {
    server: Server,
    login: Option<(String, String)>,
    client: Option<Client>,
}

impl Sender {
    fn send(&mut self, parcel: &Parcel<'_>) -> Result<Stored, Unsent> {
        // A refusal in the midst of a long file costs the connection, not the files after it.
        let client = match self.client.take() {
            Some(client) if client.is_open() => client,
            _ => {
                let login = self.login.as_ref();
                self.server.connect_with(login).map_err(Stop)?
            }
        };
        let client = self.client.insert(client);
        let (file, size) = parcel.open().map_err(Skip)?;
        let bar = Bar::new(&parcel.name, size);
        let sent = client.send_file(&parcel.name, file, size, |progress| bar.show(progress));
        bar.finish();
        sent.map_err(|error| match error {
            Error::Refused(_) | Error::Unreadable(_) => Skip(error.into()),
            _ => Stop(error.into()),
        })
    }

    /// Says goodbye. Each file has its receipt or its failure: how that goes changes nothing.
    fn leave(&mut self) {
        if let Some(client) = self.client.take().filter(Client::is_open) {
            let _ = client.close();
        }
    }
}

/// The bar on standard error: bytes confirmed, rate, time left. Draws nothing where standard error
/// is no terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(name: &str, size: u64) -> Self {
        let style = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}";
        let bar = ProgressBar::new(size);
        bar.set_style(
            ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.set_prefix(escape(name).into_owned());
        Self(bar)
    }

    pub(super) fn show(&self, progress: Progress) {
        self.0.set_position(progress.confirmed);
        if progress.phase == Phase::Waiting {
            self.0.set_message("waiting for the server");
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_name_goes_with_one_file() {
        use crate::cli::server::tests::typed;
        assert!(typed::<Args>(&[]).is_err());
        let failure = run(typed(&["a", "b", "--name", "c"]).unwrap()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        let failure = run(typed(&["-"]).unwrap()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn one_file_fails_for_itself_and_several_are_counted() {
        let failure = || Failure::new(Exit::Refused, "no").about("a.png");
        assert_eq!(tell(vec![], 2), (vec![], None));
        assert_eq!(tell(vec![failure()], 1), (vec![], Some(failure())));
        let (each, all) = tell(vec![failure()], 3);
        assert_eq!(each, ["gatepost: a.png: no"]);
        let all = all.unwrap();
        assert_eq!(all.sentence, "1 of 3 files was not sent");
        assert_eq!(all.exit, Exit::Refused);
        let (_, all) = tell(vec![failure(), failure()], 3);
        assert_eq!(all.unwrap().sentence, "2 of 3 files were not sent");
    }

    #[test]
    fn a_file_that_nobody_takes_is_named() {
        use crate::cli::server::tests::typed;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let failure = run(typed(&["/a/b.png", "--server", &address]).unwrap()).unwrap_err();
        assert_eq!(failure.exit, Exit::NothingListens);
        let begin = "/a/b.png: nothing listens at";
        assert!(failure.sentence.starts_with(begin), "{failure}");
    }

    #[test]
    fn another_name_is_told() {
        let stored = |name: &str| Stored {
            name: name.to_owned(),
            size: 1,
            digest: None,
            duplicate: false,
            seq: None,
            prev: None,
        };
        let parcel = Parcel::new(Path::new("/x/a.png"), None).unwrap();
        assert_eq!(rename(&parcel, &stored("a.png")), None);
        let told = rename(&parcel, &stored("a (2).png"));
        assert_eq!(told.as_deref(), Some("a.png is kept as a (2).png"));
        assert_eq!(stored_as_line(&stored("a.png")), "a.png (1 byte)");
    }
}

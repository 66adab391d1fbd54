//! `gatepost send`: files, each with its receipt.

use super::exit::Failure;
use super::output::Output;
use super::parcel::Parcel;
use super::server::Server;
use super::terminal::{complain, escape};
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
    let login = args.server.login()?;
    let mut client = args.server.connect_with(login.as_ref())?;
    let mut output = Output::stdout();
    let mut failures = Vec::new();
    for parcel in &parcels {
        // A refusal in the midst of a long file costs the connection, not the files after it.
        if !client.is_open() {
            client = args.server.connect_with(login.as_ref())?;
        }
        match send(parcel, &mut client) {
            Ok(stored) if args.json => output.json(&as_json(parcel, &stored))?,
            Ok(stored) => output.line(stored_as_line(&stored))?,
            Err(Stop(failure)) => return Err(failure),
            Err(Skip(failure)) => failures.push(failure),
        }
    }
    if client.is_open() {
        client.close()?;
    }
    all_told(failures, parcels.len())
}

/// One failure that stands for all; when there are more files, each is told by itself first.
fn all_told(mut failures: Vec<Failure>, files: usize) -> Result<(), Failure> {
    if files == 1 {
        return failures.pop().map_or(Ok(()), Err);
    }
    for failure in &failures {
        complain(failure);
    }
    let Some(first) = failures.first() else {
        return Ok(());
    };
    let failed = failures.len();
    Err(Failure::new(
        first.exit,
        format!("{failed} of {files} files were not sent"),
    ))
}

pub(super) fn stored_as_line(stored: &Stored) -> String {
    let again = if stored.duplicate { ", as before" } else { "" };
    format!("{} ({} bytes{again})", stored.name, stored.size)
}

fn as_json(parcel: &Parcel<'_>, stored: &Stored) -> serde_json::Value {
    json!({
        "asked": parcel.name,
        "name": stored.name,
        "size": stored.size,
        "digest": stored.digest,
        "duplicate": stored.duplicate,
    })
}

/// Why a file was not sent: it alone, or none after it can be either.
enum Unsent {
    Skip(Failure),
    Stop(Failure),
}
use Unsent::{Skip, Stop};

fn send(parcel: &Parcel<'_>, client: &mut Client) -> Result<Stored, Unsent> {
    let about = |failure: Failure| failure.about(parcel.path.display());
    let (file, size) = parcel.open().map_err(|failure| Skip(about(failure)))?;
    let bar = Bar::new(&parcel.name, size);
    let sent = client.send_file(&parcel.name, file, size, |progress| bar.show(progress));
    bar.finish();
    sent.map_err(|error| match error {
        Error::Refused(_) | Error::Unreadable(_) => Skip(about(error.into())),
        _ => Stop(about(error.into())),
    })
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
    use crate::cli::exit::Exit;

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
        let failure = || Failure::new(Exit::Refused, "no");
        assert_eq!(all_told(vec![], 2), Ok(()));
        assert_eq!(all_told(vec![failure()], 1), Err(failure()));
        let counted = all_told(vec![failure()], 3).unwrap_err();
        assert_eq!(counted.sentence, "1 of 3 files were not sent");
        assert_eq!(counted.exit, Exit::Refused);
    }
}

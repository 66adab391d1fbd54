//! `gatepost send`: files and folders, each file with its receipt.

use super::exit::Failure;
use super::files::crew::{Crew, Failed, Heard, Tell, Told};
use super::files::telling::Telling;
use super::files::tree::Tree;
use super::files::{Carry, checksum, quoted};
use super::parcel::Parcel;
use super::server::Server;
use super::terminal::complain;
use super::wording::counted;
use crate::client::{Ack, Courier, Error, FilePost, Sending, Source, Stop, Stored};
use crate::time::Random;
use crate::wire::{Algorithm, FileName};
use serde_json::json;
use std::path::PathBuf;

/// Send files and wait until each is safe
///
/// Each receipt is printed as a line that `b3sum --check` and, with `--digest sha256`, `sha256sum
/// --check` read: the digest that the server has verified, and the name under which it keeps the
/// file. Everything else goes to standard error.
///
/// A file that broke off goes on where the server has it safe: by itself when the connection breaks,
/// and when the same command is given again, within 24 hours. Ctrl-C ends it so that it can, and
/// says how. A file that changes while it is sent is refused.
///
/// A folder is sent as its files, the hidden ones too; links and devices are left out. Names on a
/// server have no folders: the path, from the folder's own name on, is percent-encoded, so that
/// `photos/2024/a.jpg` is called `photos%2F2024%2Fa.jpg`, a `%` becomes `%25`, and nothing becomes
/// ambiguous. `gatepost get --folder photos` makes a folder of it again.
///
/// A bar shows what the server's machine has confirmed, at least, and is full only with the
/// receipt, when all of it is safe. With `--json` each line is an object with `event`, one of
/// `begin`, `resume`, `progress`, `retry`, `restart`, `receipt` and `error`, and with `file`, the
/// path.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepost send photo.png notes.txt
  gatepost send --digest sha256 *.iso >receipt; sha256sum --check receipt
  gatepost send --room team --limit-rate 2MiB photos/
  pg_dump db | gatepost send - --name db.sql")]
pub(super) struct Args {
    /// The files and folders; `-` is standard input and needs --name
    #[arg(required = true, value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
    /// The name to ask for, instead of the file's own; only with one file
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Post each file to this room, where it appears as a message once it is safe
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,
    /// The digest that is computed here, verified by the server, and printed
    #[arg(long, value_name = "DIGEST", default_value = "blake3", value_parser = ["blake3", "sha256"])]
    digest: String,
    /// When the server answers: once the file is safe on disk, or as soon as it is there
    #[arg(long, value_name = "WHEN", default_value = "durable", value_parser = ["durable", "received"])]
    ack: String,
    /// Start over, whatever an earlier try has left on the server
    #[arg(long)]
    no_resume: bool,
    #[command(flatten)]
    carry: Carry,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    if args.name.is_some() && args.files.len() > 1 {
        return Err(Failure::usage("--name goes with one file only"));
    }
    let tree = Tree::grow(&args.files, args.name.as_deref())?;
    for path in &tree.left_out {
        complain(format_args!("{}: is no file, and left out", path.display()));
    }
    let login = args.server.login()?;
    let terms = args.carry.terms()?;
    let stop = terms.stop.clone();
    let crew = Crew::new(args.server.clone(), login, terms, args.carry.jobs);
    let files = tree.parcels.iter();
    let files = files.map(|parcel| (parcel.to_string(), parcel.believed_size()));
    let mut telling = Telling::new(args.carry.json, files);
    let random = Random::system();
    let worked = crew.work(
        &tree.parcels,
        |courier, parcel, tell| args.send(courier, parcel, &random, &stop, tell),
        |file, heard| match heard {
            Heard::Told(told) => telling.told(file, &told),
            Heard::Done(Ok(stored)) => args.tell(&mut telling, file, &tree.parcels[file], &stored),
            Heard::Done(Err(failure)) => telling.failed(file, failure),
        },
    );
    let finished = telling.finish("sent");
    worked?;
    finished.map_err(|failure| match stop.is_asked() {
        true => failure.and(args.how_to_resume(&tree, |file| telling.is_done(file))),
        false => failure,
    })
}

impl Args {
    fn send(
        &self,
        courier: &mut Courier<'_>,
        parcel: &Parcel,
        random: &Random,
        stop: &Stop,
        tell: &Tell<'_, Stored>,
    ) -> Result<Stored, Failed> {
        let opened = parcel.open_until(stop);
        if stop.is_asked() {
            return Err(Error::Stopped.into());
        }
        let mut source = opened?;
        tell.tell(Told::Begun(Some(source.size())));
        let sending = Sending {
            post: FilePost {
                name: parcel.name.clone(),
                room: self.room.clone(),
                // A receipt that is lost must not have it appear twice.
                key: self.room.as_ref().map(|_| random.hex(16)),
                ack: match self.ack.as_str() {
                    "received" => Ack::Received,
                    _ => Ack::Durable,
                },
                digest: None,
            },
            algorithm: match self.digest.as_str() {
                "sha256" => Algorithm::Sha256,
                _ => Algorithm::Blake3,
            },
            digest: None,
            resume: !self.no_resume,
        };
        Ok(courier.send(&sending, &mut source, &mut |news| tell.news(&news))?)
    }

    /// Tells the receipt of a file.
    fn tell(
        &self,
        telling: &mut Telling,
        file: usize,
        parcel: &Parcel,
        stored: &Stored,
    ) -> Result<(), Failure> {
        // The line goes to whoever checks paths with it.
        let name = FileName::new(stored.name.as_str());
        let name = name.map_err(|error| Error::Nonsense(format!("a receipt: {error}")))?;
        let line = stored.digest.map(|digest| checksum(&digest, name.as_str()));
        let again = stored
            .duplicate
            .then(|| format!("{parcel}: was there already"));
        let posted = self.room.as_ref().zip(stored.seq);
        let posted = posted.map(|(room, seq)| format!("{parcel}: posted as {room} {seq}"));
        let event = json!({
            "event": "receipt",
            "asked": parcel.name,
            "name": stored.name,
            "size": stored.size,
            "digest": stored.digest.map(|digest| digest.to_string()),
            "duplicate": stored.duplicate,
            "room": self.room,
            "seq": stored.seq,
        });
        let remarks = [rename(parcel, stored), again, posted];
        telling.done(file, event, line, remarks.into_iter().flatten())
    }

    /// The command that goes on with what is not done.
    fn how_to_resume(&self, tree: &Tree, is_done: impl Fn(usize) -> bool) -> String {
        let open = |typed: usize| {
            let mut parcels = tree.origins.iter().enumerate();
            parcels.any(|(file, origin)| *origin == typed && !is_done(file))
        };
        let rest = self.files.iter().enumerate();
        let rest: Vec<_> = rest.filter(|(typed, _)| open(*typed)).collect();
        let is_input = |(_, path): &&(usize, &PathBuf)| path.as_os_str() == "-";
        if rest.iter().any(|path| is_input(&path)) {
            return "what came from standard input can't be resumed".to_owned();
        }
        let mut words = self.typed();
        words.push("--".to_owned());
        words.extend(rest.iter().map(|(_, path)| path.display().to_string()));
        let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        format!("resume with: gatepost send {}", words.join(" "))
    }

    /// The flags as they are typed.
    fn typed(&self) -> Vec<String> {
        let mut words = Vec::new();
        self.server.typed(&mut words);
        for (flag, value) in [("--name", &self.name), ("--room", &self.room)] {
            words.extend(value.as_ref().map(|value| format!("{flag}={value}")));
        }
        if self.digest != "blake3" {
            words.push(format!("--digest={}", self.digest));
        }
        if self.ack != "durable" {
            words.push(format!("--ack={}", self.ack));
        }
        self.carry.typed(&mut words);
        words
    }
}

pub(super) fn stored_as_line(stored: &Stored) -> String {
    let again = if stored.duplicate { ", as before" } else { "" };
    format!("{} ({}{again})", stored.name, counted(stored.size, "byte"))
}

/// That a file is kept under another name than it asked for: a line of its own, since scripts may
/// read the receipt's.
pub(super) fn rename(parcel: &Parcel, stored: &Stored) -> Option<String> {
    let Stored { name, .. } = stored;
    (*name != parcel.name).then(|| format!("{} is kept as {name}", parcel.name))
}

#[cfg(test)]
mod tests;

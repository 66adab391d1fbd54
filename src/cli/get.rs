//! `gatepost get`: files from a server, verified, each under its name only when it is whole.

use super::exit::Failure;
use super::files::crew::{Crew, Failed, Heard, Tell, Told};
use super::files::naming::{flatten, unfold};
use super::files::partial::{Partial, Pipe};
use super::files::telling::Telling;
use super::files::{Carry, checksum, quoted};
use super::parcel::Parcel;
use super::server::{Server, explain};
use super::terminal::complain;
use crate::client::{Client, Courier, Error, Fetched, Landing, MAX_PAGE, Source, digest_of};
use crate::wire::FileName;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Fetch files and verify them
///
/// A file gets its name here only when it is whole, its digest is that of the server, and it is on
/// the disk. Nothing is replaced; what is here already and is the same is left as it is. Until then it is beside its name, as `.NAME.gatepost-partial`, and
/// only you can read it. What broke off goes on there: by itself when the connection breaks, and when
/// the same command is given again. A server has no digest yet of a file that was just placed in its
/// folder by hand: such a file is fetched unverified, says so, and starts over when it breaks off.
///
/// Each file is printed as a line that `b3sum --check` or `sha256sum --check` reads, whichever
/// digest the server has. With `--json` each line is an object with `event`, one of `begin`,
/// `resume`, `progress`, `retry`, `restart`, `fetched` and `error`, and with `file`, the name on the
/// server.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepost get photo.png
  gatepost get db.sql -o - | psql db
  gatepost get a.iso b.iso -o /var/tmp >sums
  gatepost get --folder photos")]
pub(super) struct Args {
    /// The names of the files on the server
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Where to: a folder, a file where only one is fetched, or `-` for standard output
    #[arg(long, short, value_name = "FILE|DIR|-", default_value = ".")]
    output: PathBuf,
    /// The names are those of folders that were sent, and folders are made of their files again
    #[arg(long)]
    folder: bool,
    /// Start over, whatever an earlier try has left here
    #[arg(long)]
    no_resume: bool,
    #[command(flatten)]
    carry: Carry,
    #[command(flatten)]
    server: Server,
}

/// A file to be fetched.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    name: FileName,
    /// The path that it gets here; `None` for standard output.
    target: Option<PathBuf>,
    /// Its size in bytes, 0 where that shows only when it comes.
    size: u64,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let output = args.check_output()?;
    let login = args.server.login()?;
    let terms = args.carry.terms()?;
    let stop = terms.stop.clone();
    let wanted = match args.folder {
        true => {
            let client = args.server.connect_with(login.as_ref())?;
            let mut client = client.with_stop(stop.clone());
            let found = args.find(&mut client).map_err(explain)?;
            let _ = client.close();
            found
        }
        false => args.wanted(output)?,
    };
    let crew = Crew::new(args.server.clone(), login, terms, args.carry.jobs);
    let mut telling = Telling::new(
        args.carry.json,
        wanted.iter().map(|it| (it.to_string(), it.size)),
    );
    let worked = crew.work(
        &wanted,
        |courier, wanted, tell| args.fetch(courier, wanted, tell),
        |file, heard| match heard {
            Heard::Told(told) => telling.told(file, &told),
            Heard::Done(Ok(got)) => tell_got(&mut telling, file, &wanted[file], got),
            Heard::Done(Err(failure)) => telling.failed(file, failure),
        },
    );
    let finished = telling.finish("fetched");
    worked?;
    finished.map_err(|failure| match stop.is_asked() && output != Where::Pipe {
        true => failure.and(args.how_to_resume()),
        false => failure,
    })
}

/// Where the files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Pipe,
    File,
    Folder,
}

impl Args {
    fn check_output(&self) -> Result<Where, Failure> {
        let is_one = self.names.len() == 1 && !self.folder;
        if self.output == Path::new("-") {
            return match is_one && !self.carry.json {
                true => Ok(Where::Pipe),
                false => Err(Failure::usage(
                    "standard output takes one file, and nothing beside it",
                )),
            };
        }
        if self.output.is_dir() || self.folder {
            return Ok(Where::Folder);
        }
        match is_one {
            true => Ok(Where::File),
            false => Err(Failure::usage("is no folder, and several files were named")
                .about(self.output.display())),
        }
    }

    /// The files that were named.
    fn wanted(&self, output: Where) -> Result<Vec<Wanted>, Failure> {
        let (mut wanted, mut targets) = (Vec::new(), BTreeSet::new());
        for name in &self.names {
            let name = FileName::new(name.as_str())
                .map_err(|error| Failure::usage(error.to_string()).about(format!("{name:?}")))?;
            let target = match output {
                Where::Pipe => None,
                Where::File => Some(self.output.clone()),
                Where::Folder => Some(self.inside(Path::new(name.as_str()))),
            };
            if !targets.insert(target.clone()) {
                return Err(Failure::usage("is named twice").about(name));
            }
            wanted.push(Wanted {
                name,
                target,
                size: 0,
            });
        }
        Ok(wanted)
    }

    /// Where `path` is in the folder that they go to.
    fn inside(&self, path: &Path) -> PathBuf {
        match self.output == Path::new(".") {
            true => path.to_owned(),
            false => self.output.join(path),
        }
    }

    /// The files of the folders that were named.
    fn find(&self, client: &mut Client) -> Result<Vec<Wanted>, Error> {
        let mut wanted = Vec::new();
        for folder in &self.names {
            // As it is typed, or as a shell completes it.
            let folder = folder.trim_end_matches('/');
            let name = flatten(Path::new(folder));
            let name = name.map_err(|error| Error::Unreadable(io::Error::other(error)))?;
            let (prefix, mut after) = (format!("{name}%2F"), None);
            loop {
                let page = client.list(&prefix, after.as_ref(), MAX_PAGE)?;
                after = page.files.last().map(|file| file.name.clone());
                for file in page.files {
                    match unfold(&file.name) {
                        Some(path) => wanted.push(Wanted {
                            target: Some(self.inside(&path)),
                            name: file.name,
                            size: file.size,
                        }),
                        None => complain(format_args!("{}: stands for no path", file.name)),
                    }
                }
                if !page.more {
                    break;
                }
            }
        }
        Ok(wanted)
    }

    fn fetch(
        &self,
        courier: &mut Courier<'_>,
        wanted: &Wanted,
        tell: &Tell<'_, Got>,
    ) -> Result<Got, Failed> {
        tell.tell(Told::Begun(None));
        let Some(target) = &wanted.target else {
            let mut pipe = Pipe::new(io::stdout());
            return match courier.fetch(&wanted.name, &mut pipe, &mut |news| tell.news(&news)) {
                // Whoever read it has seen enough.
                Err(Error::Unwritable(error)) if error.kind() == ErrorKind::BrokenPipe => {
                    Ok(Got::Enough)
                }
                fetched => Ok(Got::New(fetched?)),
            };
        };
        let about = |error: io::Error| Failure::from(error).about(target.display());
        if let Some(parent) = target.parent().filter(|_| self.folder) {
            fs::create_dir_all(parent).map_err(about)?;
        }
        let mut partial = match Partial::open(target) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return match is_here(courier, &wanted.name, target, tell)? {
                    Some(fetched) => Ok(Got::Here(fetched)),
                    None => Err(about(error).into()),
                };
            }
            opened => opened.map_err(about)?,
        };
        if self.no_resume {
            partial.start_over().map_err(about)?;
        }
        match courier.fetch(&wanted.name, &mut partial, &mut |news| tell.news(&news)) {
            Ok(fetched) => {
                partial.publish().map_err(about)?;
                Ok(Got::New(fetched))
            }
            Err(error) => {
                partial.leave();
                Err(error.into())
            }
        }
    }

    /// The command that goes on: what is here by then is not fetched again.
    fn how_to_resume(&self) -> String {
        let words = self.typed();
        let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        format!("resume with: gatepost get {}", words.join(" "))
    }

    /// The arguments as they are typed.
    fn typed(&self) -> Vec<String> {
        let mut words = Vec::new();
        self.server.typed(&mut words);
        if self.output != Path::new(".") {
            words.push(format!("--output={}", self.output.display()));
        }
        if self.folder {
            words.push("--folder".to_owned());
        }
        self.carry.typed(&mut words);
        words.push("--".to_owned());
        words.extend(self.names.iter().cloned());
        words
    }
}

/// What became of a file.
enum Got {
    /// It was fetched.
    New(Fetched),
    /// The very same was here before.
    Here(Fetched),
    /// Nobody wanted all of it.
    Enough,
}

/// The server's file called `name`, if `target` is the very same.
fn is_here(
    courier: &mut Courier<'_>,
    name: &FileName,
    target: &Path,
    tell: &Tell<'_, Got>,
) -> Result<Option<Fetched>, Failed> {
    let stop = courier.stop();
    let Some(listed) = courier.client()?.look_up(name)? else {
        return Ok(None);
    };
    let Some(digest) = listed.digest else {
        return Ok(None);
    };
    let mut here = Parcel::new(target, Some(name.as_str()))?.open_until(&stop)?;
    if here.size() != listed.size {
        return Ok(None);
    }
    let found = digest_of(&mut here, digest.algorithm, &stop, &mut |news| {
        tell.news(&news)
    })?;
    Ok((found == digest).then_some(Fetched {
        size: listed.size,
        digest: Some(digest),
    }))
}

/// Tells that a file is here.
fn tell_got(telling: &mut Telling, file: usize, wanted: &Wanted, got: Got) -> Result<(), Failure> {
    let (fetched, was_here) = match got {
        Got::New(fetched) => (Some(fetched), false),
        Got::Here(fetched) => (Some(fetched), true),
        Got::Enough => (None, false),
    };
    let path = wanted
        .target
        .as_ref()
        .map(|path| path.display().to_string());
    let digest = fetched.as_ref().and_then(|fetched| fetched.digest);
    let event = json!({
        "event": "fetched",
        "path": path,
        "size": fetched.as_ref().map(|fetched| fetched.size),
        "digest": digest.map(|digest| digest.to_string()),
        "was_here": was_here,
    });
    let unverified = (fetched.is_some() && digest.is_none())
        .then(|| format!("{wanted}: not verified, since the server has no digest of it yet"));
    let here = was_here.then(|| format!("{wanted}: was here already"));
    let line = digest
        .zip(path)
        .map(|(digest, path)| checksum(&digest, &path));
    telling.done(file, event, line, unverified.into_iter().chain(here))
}

#[cfg(test)]
mod tests;

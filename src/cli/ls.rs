//! `gatepost ls`: which files a server has.

use super::exit::Failure;
use super::files::human;
use super::output::Output;
use super::server::Server;
use crate::client::{Listed, MAX_PAGE};
use crate::wire::UserName;
use serde_json::{Value, json};

/// List the files on a server
///
/// One a line: its size in bytes, when it was taken in, whose it is (`-` for guests and for what was
/// placed by hand), and its name.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepost ls
  gatepost ls photos%2F --human
  gatepost ls --json | jq -r 'select(.size > 1e9).name'")]
pub(super) struct Args {
    /// Only those whose names begin so
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Sizes as in 1.50 MiB
    #[arg(long)]
    human: bool,
    /// Print each file as a line of JSON, its digest with it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut client = args.server.connect()?;
    let mut output = Output::stdout();
    let (mut columns, mut after) = (Columns::default(), None);
    loop {
        let page = client.list(&args.prefix, after.as_ref(), MAX_PAGE)?;
        if !args.json {
            columns.widen(&page.files, args.human);
        }
        for file in &page.files {
            match args.json {
                true => output.json(&as_json(file))?,
                false => output.record(columns.line(file, args.human))?,
            }
        }
        after = page.files.into_iter().next_back().map(|file| file.name);
        if !page.more || output.is_gone() {
            break;
        }
    }
    // All was answered: how the goodbye goes changes nothing.
    let _ = client.close();
    Ok(())
}

/// How wide the columns are so far. Later pages may be wider: nobody waits for the last of 100,000
/// files to see the first.
#[derive(Debug, Default)]
struct Columns {
    size: usize,
    owner: usize,
}

impl Columns {
    fn widen(&mut self, files: &[Listed], is_human: bool) {
        for file in files {
            self.size = self.size.max(size(file, is_human).len());
            self.owner = self.owner.max(owner(file).chars().count());
        }
    }

    fn line(&self, file: &Listed, is_human: bool) -> String {
        format!(
            "{:>size_width$}  {}  {:owner_width$}  {}",
            size(file, is_human),
            humantime::format_rfc3339_seconds(file.time),
            owner(file),
            file.name,
            size_width = self.size,
            owner_width = self.owner,
        )
    }
}

fn size(file: &Listed, is_human: bool) -> String {
    match is_human {
        true => human(file.size),
        false => file.size.to_string(),
    }
}

fn owner(file: &Listed) -> &str {
    file.owner.as_ref().map_or("-", UserName::as_str)
}

fn as_json(file: &Listed) -> Value {
    json!({
        "name": file.name.as_str(),
        "size": file.size,
        "digest": file.digest.map(|digest| digest.to_string()),
        "owner": file.owner.as_ref().map(UserName::as_str),
        "time": humantime::format_rfc3339_millis(file.time).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FileName;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn columns_are_aligned() {
        let file = |name: &str, size, owner: Option<&str>| Listed {
            name: FileName::new(name).unwrap(),
            size,
            digest: None,
            owner: owner.map(|owner| UserName::new(owner).unwrap()),
            time: UNIX_EPOCH + Duration::from_millis(1_500),
        };
        let files = [file("a b", 7, None), file("c", 2 << 20, Some("lisi"))];
        let lines = |is_human| {
            let mut columns = Columns::default();
            columns.widen(&files, is_human);
            let line = |file| columns.line(file, is_human);
            files.iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(
            lines(false),
            [
                "      7  1970-01-01T00:00:01Z  -     a b",
                "2097152  1970-01-01T00:00:01Z  lisi  c",
            ]
        );
        assert_eq!(lines(true)[1], "2.00 MiB  1970-01-01T00:00:01Z  lisi  c");
        let line = r#"{"digest":null,"name":"a b","owner":null,"size":7,"time":"1970-01-01T00:00:01.500Z"}"#;
        assert_eq!(as_json(&files[0]).to_string(), line);
    }
}

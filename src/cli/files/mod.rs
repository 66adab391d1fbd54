//! What `send` and `get` have in common: the flags, several connections at once, bars, and events
//! for scripts.

pub(super) mod bars;
pub(super) mod crew;
pub(super) mod naming;
pub(super) mod partial;
pub(super) mod telling;
pub(super) mod tree;

use super::exit::{Exit, Failure};
use super::interrupt;
use super::settings::units;
use super::terminal::escape;
use super::wording::was;
use crate::client::{Pace, Terms};
use crate::config::Unit;
use crate::time::Random;
use crate::wire::Digest;
use std::sync::Arc;
use std::time::Duration;

/// How files are carried.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Carry {
    /// Files that are under way at once, each over a connection of its own
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) jobs: u16,
    /// The most bytes a second, all files together, as in 10MiB
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    pub(super) limit_rate: Option<u64>,
    /// For how long it is tried again while nothing moves, after the connection broke
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = units::time)]
    pub(super) retry_for: Duration,
    /// Print what happens as lines of JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// The slowest rate that is taken, in bytes a second: slower than that a server takes for dead.
const SLOWEST: u64 = 10 * 1024;

fn rate(text: &str) -> Result<u64, String> {
    units::within(Unit::Bytes, text, SLOWEST..=1 << 40)
}

impl Carry {
    /// The terms that the flags make, and a first signal ends. Once a process.
    pub(super) fn terms(&self) -> Result<Terms, Failure> {
        Ok(Terms {
            patience: self.retry_for,
            pace: self.limit_rate.map(Pace::new).map(Arc::new),
            stop: interrupt::install()?,
            random: Random::system(),
        })
    }

    /// The flags that differ from what they are anyway, as they are typed.
    pub(super) fn typed(&self, words: &mut Vec<String>) {
        if self.jobs != 4 {
            words.push(format!("--jobs={}", self.jobs));
        }
        if let Some(rate) = self.limit_rate {
            let rate = units::format(Unit::Bytes, rate);
            words.push(format!("--limit-rate={rate}"));
        }
        if self.retry_for != Duration::from_secs(300) {
            let time = units::format(Unit::Time, self.retry_for.as_millis() as u64);
            words.push(format!("--retry-for={time}"));
        }
        if self.json {
            words.push("--json".to_owned());
        }
    }
}

/// The line that `sha256sum --check` and `b3sum --check` read. Where `name` has what would break
/// the line, they write it so, and say so in front.
pub(super) fn checksum(digest: &Digest, name: &str) -> String {
    let text = digest.to_string();
    let hex = text.split_once(':').map_or("", |(_, hex)| hex);
    if !name.contains(['\\', '\n', '\r']) {
        return format!("{hex}  {name}");
    }
    let name = name.replace('\\', "\\\\").replace('\n', "\\n");
    format!("\\{hex}  {}", name.replace('\r', "\\r"))
}

/// A size for a person, as in 1.5 MiB.
pub(super) fn human(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// `word` as a shell takes it for one word, and a terminal for nothing else.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", escape(word).replace('\'', r"'\''")),
    }
}

/// The failures to tell one by one, and the one that stands for all. A single file's stands for
/// itself.
pub(super) fn tell(
    mut failures: Vec<Failure>,
    files: usize,
    done: &str,
) -> (Vec<String>, Option<Failure>) {
    if files == 1 {
        return (Vec::new(), failures.pop());
    }
    // An interruption is what a script is to see.
    let interrupted = |failure: &&Failure| failure.exit == Exit::SecondSignal;
    let first = failures
        .iter()
        .find(interrupted)
        .or_else(|| failures.first());
    let all = first.map(|first| {
        let failed = failures.len() as u64;
        let sentence = format!("{failed} of {files} files {} not {done}", was(failed));
        Failure::new(first.exit, sentence)
    });
    let each = failures
        .iter()
        .map(|failure| format!("gatepost: {failure}"));
    (each.collect(), all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::server::tests::typed;

    #[test]
    fn flags_are_typed_as_they_were() {
        for line in [
            &[][..],
            &[
                "--jobs=2",
                "--limit-rate=10MiB",
                "--retry-for=90m",
                "--json",
            ],
        ] {
            let carry: Carry = typed(line).unwrap();
            let mut words = Vec::new();
            carry.typed(&mut words);
            let again: Carry =
                typed(&words.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
            assert_eq!(words.len(), line.len());
            assert_eq!(format!("{again:?}"), format!("{carry:?}"));
        }
        assert!(typed::<Carry>(&["--limit-rate", "1KiB"]).is_err());
        assert!(typed::<Carry>(&["--jobs", "0"]).is_err());
    }

    #[test]
    fn a_shell_takes_a_quoted_word_for_one() {
        assert_eq!(quoted("a/b-1.txt"), "a/b-1.txt");
        assert_eq!(quoted("相片"), "相片");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's a $x"), r"'it'\''s a $x'");
    }

    #[test]
    fn one_file_fails_for_itself_and_several_are_counted() {
        let failure = || Failure::new(Exit::Refused, "no").about("a.png");
        assert_eq!(tell(vec![], 2, "sent"), (vec![], None));
        assert_eq!(tell(vec![failure()], 1, "sent"), (vec![], Some(failure())));
        let (each, all) = tell(vec![failure()], 3, "sent");
        assert_eq!(each, ["gatepost: a.png: no"]);
        let all = all.unwrap();
        assert_eq!(all.sentence, "1 of 3 files was not sent");
        assert_eq!(all.exit, Exit::Refused);
        let stopped = Failure::new(Exit::SecondSignal, "interrupted");
        let (_, all) = tell(vec![failure(), stopped], 3, "sent");
        let all = all.unwrap();
        assert_eq!(all.sentence, "2 of 3 files were not sent");
        assert_eq!(all.exit, Exit::SecondSignal);
    }

    #[test]
    fn a_checksum_line_is_what_the_tools_read() {
        let digest: Digest = format!("sha256:{}", "0a".repeat(32)).parse().unwrap();
        assert_eq!(
            checksum(&digest, "a b"),
            format!("{}  a b", "0a".repeat(32))
        );
    }
}

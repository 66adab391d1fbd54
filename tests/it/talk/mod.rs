//! `gatepost talk`, the real program, with servers that speak only as the course's do.

mod conversations;
mod failures;
mod peers;

use gatepost::client::talk::{CONVERSATIONS, Url};
use std::io::Write;
use std::process::{Command, Stdio};

/// What a run of the program came to.
pub(crate) struct Said {
    /// The exit code.
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `gatepost talk` with `arguments`, and `input` as its standard input.
#[track_caller]
pub(crate) fn talk(arguments: &[&str], input: &str) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GATEPOST_") {
            command.env_remove(name);
        }
    }
    let mut child = command
        .arg("talk")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // What it doesn't read it doesn't need: it may have left already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("only text reaches a terminal");
    Said {
        exit: output.status.code().expect("it ends by itself"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

impl Said {
    /// Nothing went wrong, and `lines` were printed.
    #[track_caller]
    pub(crate) fn assert(&self, lines: &[&str]) {
        let out: Vec<_> = self.out.lines().collect();
        assert_eq!((self.exit, out.as_slice()), (0, lines), "{}", self.err);
        assert_eq!(self.err, "");
    }

    /// It failed with `exit` and said why.
    #[track_caller]
    pub(crate) fn assert_failed(&self, exit: i32, why: &str) {
        assert_eq!(self.exit, exit, "{}", self.err);
        assert!(self.err.contains(why), "{}", self.err);
        assert!(self.err.starts_with("gatepost: "), "{}", self.err);
    }
}

#[test]
fn the_documented_commands_name_every_conversation() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let document = std::fs::read_to_string(document).unwrap();
    let rows = document
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("://"));
    let commands = rows.filter_map(|row| row.split("gatepost talk ").nth(1));
    let urls = commands.map(|rest| rest.trim_start_matches('\'').split([' ', '\'', '`']).next());
    let urls: Vec<Url> = urls.map(|url| url.unwrap().parse().unwrap()).collect();
    for (word, conversation) in CONVERSATIONS {
        let is_named = urls.iter().any(|url| url.conversation == *conversation);
        assert!(is_named, "no row of the README talks {word}://");
    }
}

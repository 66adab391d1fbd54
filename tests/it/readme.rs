//! The README's commands, run as they are written.

use crate::support::{Daemon, uploads};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The lines of the README's first shell block, without the one that sets the path.
fn commands(readme: &str) -> Vec<&str> {
    let block = readme.split("```sh\n").nth(1).expect("a shell block");
    let block = block.split("```").next().expect("it ends");
    let is_command = |line: &&str| !line.is_empty() && !line.starts_with("export PATH=");
    block.lines().filter(is_command).collect()
}

#[test]
fn every_command_of_the_first_screen_works() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let home = tempfile::tempdir().unwrap();
    fs::copy(&source, home.path().join("README.md")).unwrap();
    let mut daemon = Daemon::start(home.path(), &[]);
    let program = Path::new(env!("CARGO_BIN_EXE_gatepost"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let readme = fs::read_to_string(&source).unwrap();
    let commands = commands(&readme);
    assert!(commands.len() > 4, "{commands:?}");
    let mut said = Vec::new();
    for command in commands {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(home.path())
            .env("PATH", &path)
            .env("XDG_STATE_HOME", home.path().join("state"))
            .env("GATEPOST_SERVER", daemon.address().to_string())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{command}: {}: {told}",
            output.status
        );
        said.push(String::from_utf8(output.stdout).unwrap());
    }
    assert_eq!(said[0], "lobby 1\n", "as the README says");
    assert!(said[2].contains("什么"), "{}", said[2]);
    assert!(said[4].contains("lisi"), "{}", said[4]);
    assert_eq!(uploads(home.path()), ["README.md"]);
    daemon.wait_for_line(|line| line.contains("你好"));
}

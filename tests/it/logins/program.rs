//! The program's own commands: a login that is kept, and what ends it.

use super::write_users;
use crate::support::{PROGRAM, Served};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A server, and somebody's home beside it.
struct House {
    served: Served,
    person: TempDir,
}

impl House {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        write_users(
            home.path(),
            &[("lisi", "123", "user"), ("root", "1", "admin")],
        );
        Self {
            served: Served::at(home, |_| {}),
            person: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs a client, with this password in its environment if there is one.
    fn run(&self, password: Option<&str>, words: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command
            .args(words)
            .env("XDG_STATE_HOME", self.person.path())
            .env("GATEPOST_SERVER", self.served.address().to_string())
            .env_remove("GATEPOST_PASSWORD")
            // No terminal to ask at.
            .stdin(Stdio::null());
        if let Some(password) = password {
            command.env("GATEPOST_PASSWORD", password);
        }
        command.output().unwrap()
    }

    #[track_caller]
    fn succeed(&self, password: Option<&str>, words: &[&str]) -> String {
        let ran = self.run(password, words);
        assert!(ran.status.success(), "{words:?}: {ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    }

    /// Runs one of the operator's commands, beside the server.
    #[track_caller]
    fn tokens(&self, words: &[&str]) -> String {
        let home = self.served.home().to_str().unwrap();
        let words = [&["user", "tokens"], words, &["--home", home]].concat();
        self.succeed(None, &words)
    }

    /// The files with tokens.
    fn kept(&self) -> Vec<PathBuf> {
        let folder = self.person.path().join("gatepost/tokens");
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn one_login_is_enough_until_it_is_ended() {
    let house = House::new();
    // Without a password there is no first login.
    assert!(!house.run(None, &["ls", "--user", "lisi"]).status.success());
    let said = house.succeed(Some("123"), &["login", "lisi"]);
    assert_eq!(said, "lisi is logged in as user\n");
    let kept = house.kept();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (mode(&kept[0]), mode(kept[0].parent().unwrap())),
        (0o600, 0o700)
    );
    for words in [
        &["ls", "--user", "lisi"][..],
        &["say", "hi", "--user", "lisi"],
    ] {
        house.succeed(None, words);
    }
    // Another user needs another one.
    assert!(!house.run(None, &["ls", "--user", "root"]).status.success());
    assert_eq!(house.tokens(&["list"]).lines().count(), 1);

    assert_eq!(
        house.succeed(None, &["logout", "lisi"]),
        "lisi is logged out\n"
    );
    assert_eq!(house.kept(), [""; 0].map(PathBuf::from));
    assert_eq!(house.tokens(&["list"]), "");
    assert!(!house.run(None, &["ls", "--user", "lisi"]).status.success());
    assert_eq!(house.run(None, &["logout", "lisi"]).status.code(), Some(2));
    house.succeed(None, &["logout"]);
}

#[test]
fn any_command_keeps_its_login_and_a_token_of_no_use_asks_anew() {
    let house = House::new();
    house.succeed(Some("123"), &["say", "hi", "--user", "lisi"]);
    assert_eq!(house.kept().len(), 1);
    let listed = house.tokens(&["list", "lisi"]);
    let id = listed.split(' ').next().unwrap();
    assert_eq!(house.tokens(&["revoke", id]), "1 ended\n");
    // It is refused, so there must be a password; with one, there is a new token.
    assert!(!house.run(None, &["ls", "--user", "lisi"]).status.success());
    assert_eq!(house.kept().len(), 0);
    house.succeed(Some("123"), &["ls", "--user", "lisi"]);
    house.succeed(None, &["ls", "--user", "lisi"]);
    assert_eq!(house.tokens(&["revoke", "--all"]), "1 ended\n");
    let home = house.served.home().to_str().unwrap();
    let none = house.run(None, &["user", "tokens", "revoke", "lisi", "--home", home]);
    assert_eq!(none.status.code(), Some(2), "{none:?}");
}

#[test]
fn an_admin_kicks_and_others_do_not() {
    let house = House::new();
    let mut peer = house.served.peer();
    super::log_in(&mut peer, "lisi", "123");
    let kick = ["kick", "lisi", "--user", "root"];
    assert_eq!(house.succeed(Some("1"), &kick), "1 connection ended\n");
    peer.assert_last_word("forbidden");
    let refused = house.run(Some("123"), &["kick", "root", "--user", "lisi"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}

#[test]
fn many_connections_of_one_command_are_one_login() {
    let house = House::new();
    let files: Vec<_> = (0..8)
        .map(|number| {
            let file = house.person.path().join(number.to_string());
            std::fs::write(&file, number.to_string()).unwrap();
            file.to_str().unwrap().to_owned()
        })
        .collect();
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let words = [&["send", "--user", "lisi"][..], &files[..]].concat();
    house.succeed(Some("123"), &words);
    assert_eq!(house.tokens(&["list"]).lines().count(), 1);
}

#[test]
fn where_nothing_can_be_kept_the_command_works_all_the_same() {
    let house = House::new();
    std::fs::write(house.person.path().join("gatepost"), "a file").unwrap();
    let ran = house.run(Some("123"), &["say", "hi", "--user", "lisi"]);
    assert!(ran.status.success(), "{ran:?}");
    let told = String::from_utf8(ran.stderr).unwrap();
    assert!(told.contains("the login is not kept"), "{told}");
    assert!(!told.contains("gp_"), "{told}");
}

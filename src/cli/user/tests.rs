//! `gatepost user` as typed at a shell, with a console of its own and a real folder.

use super::*;
use crate::config::COURSE_SALT;
use crate::gate::Gate;
use crate::store::UsersFile;
use crate::time::Clock;
use clap::Parser;
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: UserCommand,
}

/// Runs `gatepost user ARGS` with `typed` at a terminal: what it says, and what it warns of.
fn user(home: &TempDir, args: &str, typed: &[&str]) -> Result<(String, String), UserError> {
    let command = Line::try_parse_from(["user"].into_iter().chain(args.split(' ')));
    let command = command.map_err(|error| error.to_string()).unwrap().command;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut typed = typed.iter().map(|line| (*line).to_owned());
    let mut ask = |_: &str| typed.next().ok_or(io::ErrorKind::UnexpectedEof.into());
    let mut console = Console {
        ask: &mut ask,
        is_typed: true,
        out: &mut out,
        err: &mut err,
    };
    run_at(&mut console, &command, home.path(), COURSE_SALT)?;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ok((text(out), text(err)))
}

fn opens(home: &TempDir, name: &str, password: &str) -> bool {
    let path = home.path().join("users.txt");
    let users = UsersFile::open(path, Clock::system()).unwrap();
    let gate = Gate::new(Arc::new(users));
    gate.admit(name, &proof(COURSE_SALT, password)).is_some()
}

#[test]
fn an_account_is_added_changed_listed_and_removed() {
    let home = TempDir::new().unwrap();
    let (said, _) = user(&home, "add 李四 --admin", &["geheim", "geheim"]).unwrap();
    let file = home.path().join("users.txt");
    let expected = format!("李四 is added as admin in {}\n", file.display());
    assert_eq!(said, expected);
    assert!(opens(&home, "李四", "geheim"));
    user(&home, "passwd 李四", &["  neu ", "  neu "]).unwrap();
    assert!(!opens(&home, "李四", "geheim"));
    assert!(opens(&home, "李四", "  neu "));
    user(&home, "add bo", &["x", "x"]).unwrap();
    let (said, warned) = user(&home, "list", &[]).unwrap();
    assert_eq!(said, "bo  user   argon2id\n李四  admin  argon2id\n");
    assert_eq!(warned, "");
    user(&home, "remove 李四", &[]).unwrap();
    assert_eq!(user(&home, "list", &[]).unwrap().0, "bo  user   argon2id\n");
}

#[test]
fn a_password_is_refused_when_it_is_empty_or_mistyped() {
    let home = TempDir::new().unwrap();
    let refused = |typed: &[&str]| user(&home, "add bo", typed).unwrap_err();
    assert!(matches!(refused(&[""]), UserError::EmptyPassword));
    assert!(matches!(refused(&["a", "b"]), UserError::Mismatch));
    assert!(matches!(refused(&[]), UserError::Io(_)));
    assert_eq!(Failure::from(refused(&[])).exit, Exit::Usage);
    assert!(!home.path().join("users.txt").exists());
}

#[test]
fn what_cannot_be_done_is_told_before_a_password_is_asked_for() {
    let home = TempDir::new().unwrap();
    user(&home, "add bo", &["x", "x"]).unwrap();
    let refused = |args: &str| user(&home, args, &[]).unwrap_err();
    assert!(matches!(refused("add bo"), UserError::NameTaken(_)));
    assert!(matches!(refused("add a|b"), UserError::Name(_)));
    assert!(matches!(refused("passwd li"), UserError::NoSuchUser(_)));
    assert!(matches!(refused("remove li"), UserError::NoSuchUser(_)));
}

#[test]
fn a_list_warns_of_the_courses_form_and_of_unreadable_lines_and_shows_no_secret() {
    let home = TempDir::new().unwrap();
    let secret = proof(COURSE_SALT, "123");
    let text = format!("zhang|{secret}\nli|{secret}|root\n");
    fs::write(home.path().join("users.txt"), text).unwrap();
    let (said, warned) = user(&home, "list", &[]).unwrap();
    assert_eq!(said, "zhang  user   md5\n");
    assert!(
        warned.contains("zhang's secret is still in the course's form"),
        "{warned}"
    );
    assert!(
        warned.contains("line 2: the role is neither user nor admin"),
        "{warned}"
    );
    assert!(!warned.contains(&secret));
    let (_, warned) = user(&TempDir::new().unwrap(), "list", &[]).unwrap();
    assert!(warned.contains("gatepost user add NAME"), "{warned}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("users.txt")).unwrap();
    let error = user(&home, "add bo", &["x", "x"]).unwrap_err();
    assert!(matches!(error, UserError::Store(..)));
    assert!(error.to_string().contains("users.txt: "), "{error}");
}

#[test]
fn the_home_is_named_before_or_behind_the_command() {
    use crate::cli::server::tests::typed;
    for line in [
        ["--home", "x", "add", "bo"],
        ["add", "--home", "x", "bo"],
        ["add", "bo", "--home", "x"],
    ] {
        let args: UserArgs = typed(&line).unwrap();
        assert_eq!(args.home.as_deref(), Some("x".as_ref()), "{line:?}");
    }
}

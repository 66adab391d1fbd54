//! The engine and its editor against a real folder. Parsing, editing bytes and believing readings
//! are tested beside their code.

use super::super::users::conformance::{self, PHC, account, md5};
use super::edit::Change;
use super::*;
use crate::session::Role;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

fn user(name: &str) -> Account {
    account(name, md5('a'), Role::User)
}

/// A folder with a `users.txt` that says `text`.
fn house(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.txt");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(path: &Path) -> Vec<String> {
    let (accounts, _) = UsersEditor::new(path).list().unwrap();
    let name = |account: Account| account.name.into_string();
    accounts.into_iter().map(name).collect()
}

#[test]
fn it_keeps_accounts_as_every_engine_does() {
    let folder = TempDir::new().unwrap();
    let made = AtomicU64::new(0);
    conformance::check(|accounts| {
        let number = made.fetch_add(1, Ordering::Relaxed);
        let path = folder.path().join(format!("users{number}.txt"));
        let users = UsersFile::open(path, Clock::system()).unwrap();
        for account in accounts {
            users.editor().add(account).unwrap();
        }
        users
    });
}

#[test]
fn a_missing_file_is_created_with_a_comment_for_its_owner_only() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.txt");
    let users = UsersFile::open(&path, Clock::system()).unwrap();
    assert!(users.is_empty());
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .contains("gatepost user add")
    );
    assert_eq!(mode(&path), 0o600);
    assert_eq!(users.belief.lock().faults(), []);
    assert!(UsersFile::open("/nonexistent/users.txt", Clock::system()).is_err());
}

#[test]
fn what_another_program_writes_counts() {
    let (_folder, path) = house("");
    let users = UsersFile::open(&path, Clock::system()).unwrap();
    UsersEditor::new(&path).add(&user("a")).unwrap();
    assert_eq!(users.find("a"), Some(user("a")));
    // In place, of the same size, and perhaps within one tick of the file's time stamps.
    fs::write(&path, format!("a|{}\n", "b".repeat(32))).unwrap();
    assert_eq!(users.find("a"), Some(account("a", md5('b'), Role::User)));
}

#[test]
fn a_removed_account_is_gone_a_second_later() {
    let (_folder, path) = house("");
    let millis = Arc::new(AtomicU64::new(0));
    let now = Arc::clone(&millis);
    let clock = Clock::from_fn(move || {
        SystemTime::UNIX_EPOCH + Duration::from_millis(now.load(Ordering::Relaxed))
    });
    let users = UsersFile::open(&path, clock).unwrap();
    users.editor().add(&user("a")).unwrap();
    users.editor().add(&user("b")).unwrap();
    assert!(users.find("a").is_some());
    users.editor().remove(&user("a").name).unwrap();
    assert!(users.find("a").is_some());
    millis.store(999, Ordering::Relaxed);
    assert!(users.find("a").is_some());
    assert_eq!(users.take_gone(), []);
    millis.store(1_000, Ordering::Relaxed);
    assert_eq!(users.take_gone(), [user("a").name]);
    assert_eq!(users.find("a"), None);
    users.editor().add(&user("a")).unwrap();
    assert!(users.find("a").is_some());
    assert_eq!(users.take_gone(), [], "told once");
    fs::remove_file(&path).unwrap();
    assert!(!users.is_empty());
    millis.store(2_000, Ordering::Relaxed);
    assert!(users.is_empty());
}

#[test]
fn a_file_that_cannot_be_read_changes_nothing() {
    let (_folder, path) = house(&format!("a|{}\n", "a".repeat(32)));
    let users = UsersFile::open(&path, Clock::system()).unwrap();
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(users.find("a").is_some());
    assert!(users.unreadable.load(Ordering::Relaxed));
    fs::remove_dir(&path).unwrap();
    fs::write(&path, format!("a|{}\nb|{PHC}", "a".repeat(32))).unwrap();
    assert!(users.find("b").is_some());
    assert!(!users.unreadable.load(Ordering::Relaxed));
}

#[test]
fn an_edit_keeps_mode_comments_and_unreadable_lines() {
    let (folder, path) = house("# hello\r\nwhat is this\r\n");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let editor = UsersEditor::new(&path);
    editor.add(&user("a")).unwrap();
    editor
        .set_secret(&user("a").name, &Secret::Argon2(PHC.to_owned()))
        .unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("# hello\r\nwhat is this\r\na|{PHC}\r\n")
    );
    assert_eq!(mode(&path), 0o640);
    let (_, faults) = editor.list().unwrap();
    assert_eq!(faults.len(), 1);
    let mut left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["users.txt", "users.txt.lock"]);
}

#[test]
fn a_link_is_followed() {
    let (folder, path) = house("");
    let link = folder.path().join("link.txt");
    symlink(&path, &link).unwrap();
    UsersEditor::new(&link).add(&user("a")).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(&path), ["a"]);
}

#[test]
fn an_edit_made_without_the_lock_is_kept() {
    let (_folder, path) = house("# one\n");
    let other = format!("# two\nother|{}\n", "c".repeat(32));
    UsersEditor::new(&path)
        .change_while(Change::Add(&user("a")), |attempt| {
            if attempt == 0 {
                fs::write(&path, &other).unwrap();
            }
        })
        .unwrap();
    let expected = format!("{other}a|{}\n", "a".repeat(32));
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
}

#[test]
fn an_edit_gives_up_on_a_file_that_never_rests() {
    let (folder, path) = house("");
    let outcome = UsersEditor::new(&path).change_while(Change::Add(&user("a")), |attempt| {
        fs::write(&path, format!("# {attempt}\n")).unwrap();
    });
    let Err(EditError::Store(StoreError::Io(error))) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    assert_eq!(names(&path), [""; 0]);
    assert!(!folder.path().join("users.txt.new").exists());
}

#[test]
fn what_a_crash_left_is_no_hindrance() {
    let (folder, path) = house("");
    let left = folder.path().join("users.txt.new");
    fs::write(&left, "half a li").unwrap();
    UsersEditor::new(&path).add(&user("a")).unwrap();
    assert_eq!(names(&path), ["a"]);
    assert!(!left.exists());
}

#[test]
fn of_many_writers_at_once_none_is_lost() {
    let (_folder, path) = house("");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let editor = UsersEditor::new(&path);
            scope.spawn(move || {
                for number in 0..4 {
                    editor.add(&user(&format!("{writer}-{number}"))).unwrap();
                }
            });
        }
    });
    assert_eq!(names(&path).len(), 32);
}

#[test]
fn an_edit_of_a_missing_file_says_that_there_is_no_such_user() {
    let editor = UsersEditor::new("/nonexistent/users.txt");
    assert!(matches!(
        editor.remove(&user("a").name),
        Err(EditError::NoSuchUser(_))
    ));
    assert!(editor.list().unwrap().0.is_empty());
    assert!(matches!(
        editor.add(&user("a")),
        Err(EditError::Store(StoreError::Io(_)))
    ));
}

#[test]
fn the_file_in_the_repository_holds_well_formed_examples() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/users.txt")).unwrap();
    // Accounts may stand there too: the repository is the daemon's home for who tries the README.
    assert_eq!(line::parse(text.as_bytes()).faults, []);
    // Without their comment signs the examples are two accounts.
    let examples: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("#example"))
        .collect();
    let contents = line::parse(examples.join("\n").replace('#', "").as_bytes());
    assert_eq!((contents.accounts.len(), contents.faults.len()), (2, 0));
}

#[test]
fn a_pipe_in_its_place_keeps_nobody_waiting() {
    let (_folder, path) = house(&format!("a|{}\n", "a".repeat(32)));
    let users = UsersFile::open(&path, Clock::system()).unwrap();
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success(), "mkfifo makes a pipe");
    // Those known so far go on to count.
    assert_eq!(users.find("a"), Some(user("a")));
    assert!(users.editor().list().is_err());
    assert!(users.editor().add(&user("b")).is_err());
    assert!(UsersFile::open(&path, Clock::system()).is_err());
}

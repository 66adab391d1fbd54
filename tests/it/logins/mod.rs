//! Who is let in, and what becomes of it: tokens over restarts and revocations, accounts that change
//! while somebody uses them, passwords that are guessed, and what the program says of all that.

mod accounts;
mod failures;
mod program;
mod timing;

use crate::support::{Peer, proof};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A login of `user` by the proof of `password`.
fn by_password(user: &str, password: &str) -> Value {
    json!({"msg_type": "login", "id": 1, "username": user, "password": proof(password)})
}

/// A login by a token.
fn by_token(token: &str) -> Value {
    json!({"msg_type": "login", "id": 1, "token": token})
}

/// Logs `peer` in and returns the token that it is told.
#[track_caller]
fn log_in(peer: &mut Peer, user: &str, password: &str) -> String {
    let welcome = peer.ask(&by_password(user, password));
    assert_eq!(welcome["ok"], true, "{welcome}");
    welcome["token"].as_str().expect("a token").to_owned()
}

/// The role that a login by `token` has on a connection of its own; the code if it is refused.
#[track_caller]
fn opens(mut peer: Peer, token: &str) -> String {
    let answer = peer.ask(&by_token(token));
    let word = if answer["ok"] == true { "role" } else { "code" };
    answer[word].as_str().expect("a word").to_owned()
}

/// Writes `users.txt` in `home`: a name, a password and a role each. As editors do: a new file in
/// the place of the old one.
fn write_users(home: &Path, accounts: &[(&str, &str, &str)]) {
    let line = |(name, password, role): &(&str, &str, &str)| {
        format!("{name}|{}|{role}\n", proof(password))
    };
    let new = home.join("users.new");
    fs::write(&new, accounts.iter().map(line).collect::<String>()).unwrap();
    fs::rename(new, home.join("users.txt")).unwrap();
}

/// The line of `name` in `home`'s `users.txt`.
#[track_caller]
fn users_line(home: &Path, name: &str) -> String {
    let users = fs::read_to_string(home.join("users.txt")).unwrap();
    let line = users
        .lines()
        .find(|line| line.starts_with(&format!("{name}|")));
    line.expect("the account is there").to_owned()
}

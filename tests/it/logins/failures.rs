//! Passwords that are guessed: waits that outlive a restart, and the line by which other programs
//! learn of it.

use super::{by_password, log_in, write_users};
use crate::support::{Daemon, PROGRAM, Served, proof, until};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// Runs `gatepost` in `home` and returns what it says.
#[track_caller]
fn bans(home: &Path, words: &[&str]) -> String {
    let ran = Command::new(PROGRAM)
        .args(["bans", "--home"])
        .arg(home)
        .args(words)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn waits_outlive_a_restart_until_they_are_lifted() {
    let home = tempfile::tempdir().unwrap();
    write_users(home.path(), &[("lisi", "123", "user")]);
    let served = Served::at(home, |config| config.limits.max_failed_logins = 2);
    let mut peer = served.peer();
    for _ in 0..2 {
        assert_eq!(peer.ask(&by_password("lisi", "x"))["code"], "bad_login");
    }
    let waits = peer.ask(&by_password("lisi", "123"));
    assert_eq!(waits["code"], "too_many_tries");
    let wait = waits["retry_after_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&wait), "{wait}");
    drop(peer);

    let (_, home) = served.drain();
    let served = Served::at(home, |config| config.limits.max_failed_logins = 2);
    let mut peer = served.peer();
    let waits = peer.ask(&by_password("lisi", "123"));
    assert_eq!(waits["code"], "too_many_tries");
    let listed = bans(served.home(), &["list"]);
    assert!(listed.starts_with("127.0.0.1  lisi  until "), "{listed}");
    assert_eq!(bans(served.home(), &["clear", "lisi"]), "1 lifted\n");
    until("the daemon takes note of it", || {
        let answer = peer.ask(&by_password("lisi", "123"));
        assert!(
            answer["ok"] == true || answer["code"] == "too_many_tries",
            "{answer}"
        );
        answer["ok"] == true
    });
    assert_eq!(bans(served.home(), &["list"]), "");
}

#[test]
fn a_token_waits_for_nobody_s_guesses() {
    let home = tempfile::tempdir().unwrap();
    write_users(home.path(), &[("lisi", "123", "user")]);
    let served = Served::at(home, |config| config.limits.max_failed_logins = 1);
    let mut peer = served.peer();
    let token = log_in(&mut peer, "lisi", "123");
    assert_eq!(peer.ask(&by_password("lisi", "x"))["code"], "bad_login");
    let waits = peer.ask(&by_password("lisi", "123"));
    assert_eq!(waits["code"], "too_many_tries");
    assert_eq!(super::opens(served.peer(), &token), "user");
}

#[test]
fn no_secret_is_ever_logged() {
    let home = tempfile::tempdir().unwrap();
    write_users(home.path(), &[("lisi", "123", "user")]);
    let daemon = Daemon::start(home.path(), &["--log-level=trace"]);
    let mut peer = daemon.peer();
    let token = log_in(&mut peer, "lisi", "123");
    assert_eq!(super::opens(daemon.peer(), &token), "user");
    // Without an id, a refusal is logged in place of an answer.
    let mut silent = by_password("lisi", "wrong");
    silent.as_object_mut().unwrap().remove("id");
    peer.header(&silent);
    peer.header(&json!({"msg_type": "login", "token": format!("gp_{}", "5".repeat(64))}));
    peer.header(&json!({"msg_type": "logout", "token": token}));
    peer.assert_in_step();
    assert_eq!(super::opens(daemon.peer(), &token), "bad_login");
    daemon.signal(rustix::process::Signal::TERM);
    let (_, said) = daemon.wait();
    assert!(
        said.iter().any(|line| line.contains("login failed")),
        "{said:#?}"
    );
    let digits = &token["gp_".len()..];
    for secret in [digits, &proof("123"), &proof("wrong"), &"5".repeat(64)] {
        let shown = said.iter().find(|line| line.contains(secret));
        assert_eq!(shown, None);
    }
}

/// An Argon2id string of the password 123 that takes half a second to compare.
fn costly() -> String {
    use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
    use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, Version};
    let params = Params::new(19 << 10, 40, 1, Some(32)).unwrap();
    let (salt, mut hash) = ([7; 16], [0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into(proof("123").as_bytes(), &salt, &mut hash)
        .unwrap();
    let phc = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).unwrap(),
        salt: Some(Salt::new(&salt).unwrap()),
        hash: Some(Output::new(&hash).unwrap()),
    };
    phc.to_string()
}

#[test]
fn of_too_many_logins_at_once_the_last_are_told_to_come_again() {
    let home = tempfile::tempdir().unwrap();
    fs::write(
        home.path().join("users.txt"),
        format!("lisi|{}\n", costly()),
    )
    .unwrap();
    let served = Served::at(home, |config| config.limits.max_waiting_logins = 1);
    let cores = thread::available_parallelism().unwrap().get();
    let mut peers: Vec<_> = (0..3 * (cores + 1)).map(|_| served.peer()).collect();
    for peer in &mut peers {
        peer.header(&by_password("lisi", "123"));
    }
    let (mut let_in, mut busy) = (0, 0);
    for peer in &mut peers {
        let answer = peer.answer();
        if answer["ok"] == true {
            let_in += 1;
            continue;
        }
        assert_eq!(
            (&answer["code"], &answer["retry_after_ms"]),
            (&json!("busy"), &json!(5_000))
        );
        busy += 1;
        peer.assert_in_step();
    }
    assert!(
        let_in > 0 && busy > 0,
        "{let_in} let in, {busy} told to come again"
    );
}

/// A user's name that tries to look like another line.
const FORGED: &str = "x\" WARN login failed address=192.0.2.9 user=\"\n{\"message\"";

/// The line that the daemon logs in this form of a failed login.
fn logged(form: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(home.path(), &[&format!("--log={form}")]);
    let mut peer = daemon.peer();
    assert_eq!(peer.ask(&by_password(FORGED, "x"))["code"], "bad_login");
    daemon.wait_for_line(|line| line.contains("login failed"))
}

#[test]
fn a_failed_login_is_one_line_of_a_form_that_stays() {
    let line = logged("json");
    let rest = line.strip_prefix("{\"timestamp\":\"").expect(&line);
    let (_, rest) = rest.split_once('"').expect(&line);
    let promised = ",\"level\":\"WARN\",\"fields\":{\"message\":\"login failed\",\
                    \"address\":\"127.0.0.1\",\"user\":\"x\\\" WARN login";
    assert!(rest.starts_with(promised), "{line}");
    let value: Value = serde_json::from_str(&line).expect("one line is one object");
    assert_eq!(value["fields"]["user"], FORGED);

    let line = logged("human");
    let (_, rest) = line.split_once(' ').expect(&line);
    let promised = " WARN login failed address=127.0.0.1 user=\"x\\\" WARN login";
    assert!(rest.starts_with(promised), "{line}");
    assert!(line.ends_with('"'), "{line}");
}

/// The expressions of the filter in the documents.
fn expressions() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fail2ban.md");
    let document = fs::read_to_string(file).unwrap();
    let (_, filter) = document.split_once("failregex = ").expect("a filter");
    let lines = filter.lines().map(str::trim);
    let lines: Vec<_> = lines.take_while(|line| line.starts_with('^')).collect();
    lines.into_iter().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs python3"]
fn the_filter_in_the_documents_finds_the_address() {
    let script = "
import re, sys
expressions, line = sys.argv[1:-1], sys.argv[-1]
for expression in expressions:
    found = re.search(expression.replace('<HOST>', r'(?P<host>\\S+?)'), line)
    if found:
        print(found.group('host'))
";
    let hosts = |line: &str| {
        let ran = Command::new("python3")
            .args(["-c", script])
            .args(expressions())
            .arg(line)
            .stderr(Stdio::inherit())
            .output()
            .expect("python3 is there");
        assert!(ran.status.success());
        String::from_utf8(ran.stdout).unwrap()
    };
    assert_eq!(expressions().len(), 2);
    for form in ["json", "human"] {
        let line = logged(form);
        assert_eq!(hosts(&line), "127.0.0.1\n", "{line}");
        // fail2ban cuts the time out before it looks.
        let time = line.find("20").unwrap()..line.find('Z').unwrap() + 1;
        let cut = [&line[..time.start], &line[time.end..]].concat();
        assert_eq!(hosts(&cut), "127.0.0.1\n", "{cut}");
    }
    // What a guest posts is shown on standard output.
    for posted in [
        "10:00:00 lobby guest: WARN login failed address=192.0.2.9 user=\"",
        "10:00:00 lobby guest: {\"timestamp\":\"\",\"level\":\"WARN\",\"fields\":\
         {\"message\":\"login failed\",\"address\":\"192.0.2.9\",\"user\":\"",
    ] {
        assert_eq!(hosts(posted), "", "{posted}");
    }
}

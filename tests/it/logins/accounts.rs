//! Tokens and live logins, while accounts change and the server starts anew.

use super::{log_in, opens, users_line, write_users};
use crate::support::{PATIENCE, Served};
use serde_json::json;
use std::fs;
use tempfile::TempDir;

fn home(accounts: &[(&str, &str, &str)]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    write_users(home.path(), accounts);
    home
}

#[test]
fn a_token_outlives_a_restart_and_ends_with_a_logout() {
    let served = Served::at(home(&[("lisi", "123", "admin")]), |_| {});
    let token = log_in(&mut served.peer(), "lisi", "123");
    // The login has replaced the course's form by now, and the token is good for what it became.
    let line = users_line(served.home(), "lisi");
    assert!(line.starts_with("lisi|$argon2id$"), "{line}");
    assert_eq!(opens(served.peer(), &token), "admin");
    let database = fs::read(served.home().join("gatepost.db-wal")).unwrap();
    let shown = token.as_bytes().strip_prefix(b"gp_").unwrap();
    assert!(!database.windows(64).any(|window| window == shown));

    let (_, home) = served.drain();
    let served = Served::at(home, |_| {});
    let mut peer = served.peer();
    let welcome = peer.ask(&super::by_token(&token));
    assert_eq!(
        (&welcome["user"], &welcome["token"]),
        (&json!("lisi"), &json!(null))
    );
    let left = welcome["expires_in"].as_u64().unwrap();
    assert!((30 * 86_400 - 600..=30 * 86_400).contains(&left), "{left}");
    assert_eq!(
        peer.ask(&json!({"msg_type": "logout", "id": 2})),
        json!({"id": 2, "ok": true})
    );
    assert_eq!(opens(served.peer(), &token), "bad_login");
}

#[test]
fn a_token_ends_with_the_password_and_another_s_goes_on() {
    let accounts = [("lisi", "123", "user"), ("zhangsan", "123", "user")];
    let served = Served::at(home(&accounts), |_| {});
    let (mut lisi, mut zhangsan) = (served.peer(), served.peer());
    let lisi = log_in(&mut lisi, "lisi", "123");
    let zhangsan = log_in(&mut zhangsan, "zhangsan", "123");
    let before = users_line(served.home(), "zhangsan");
    write_users(served.home(), &[("lisi", "124", "user")]);
    let mut users = fs::read_to_string(served.home().join("users.txt")).unwrap();
    users.push_str(&before);
    fs::write(served.home().join("users.txt"), users).unwrap();
    assert_eq!(opens(served.peer(), &lisi), "bad_login");
    assert_eq!(opens(served.peer(), &zhangsan), "user");
}

#[test]
fn who_is_logged_in_feels_what_becomes_of_the_account() {
    let before = [
        ("gone", "1", "user"),
        ("changed", "1", "user"),
        ("raised", "1", "user"),
        ("same", "1", "user"),
    ];
    let served = Served::at(home(&before), |_| {});
    let log_in = |name: &str| {
        let mut peer = served.peer();
        log_in(&mut peer, name, "1");
        peer
    };
    let mut peers = before.map(|(name, ..)| log_in(name));
    // Their secrets as they are now, with what becomes of each.
    let line = |name| users_line(served.home(), name);
    let raised = line("raised").replace("|user", "|admin");
    let changed = format!("changed|{}|user", crate::support::proof("2"));
    let users = [line("same"), raised, changed].join("\n");
    let new = served.home().join("users.new");
    fs::write(&new, users).unwrap();
    fs::rename(new, served.home().join("users.txt")).unwrap();
    let [gone, changed, raised, same] = &mut peers;
    gone.assert_last_word("bad_login");
    changed.assert_last_word("bad_login");
    // Those who stay are asked after the others have gone; the same look found both.
    same.assert_in_step();
    let kick = json!({"msg_type": "kick", "id": 7, "user": "same"});
    let deadline = std::time::Instant::now() + PATIENCE;
    let kicked = loop {
        let answer = raised.ask(&kick);
        if answer["ok"] == true || std::time::Instant::now() > deadline {
            break answer;
        }
        assert_eq!(answer["code"], "forbidden");
    };
    assert_eq!(kicked, json!({"id": 7, "ok": true, "count": 1}));
    same.assert_last_word("forbidden");
    raised.assert_in_step();
}

#[test]
fn an_admin_who_is_one_no_more_hears_nobody_s_own_room() {
    let served = Served::at(home(&[("root", "1", "admin")]), |_| {});
    let (mut root, mut guest) = (served.peer(), served.peer());
    log_in(&mut root, "root", "1");
    for room in ["@lisi", "@root"] {
        let joined = root.ask(&json!({"msg_type": "join", "id": 1, "room": room}));
        assert_eq!(joined["ok"], true, "{joined}");
    }
    let lowered = users_line(served.home(), "root").replace("|admin", "|user");
    let new = served.home().join("users.new");
    fs::write(&new, lowered).unwrap();
    fs::rename(new, served.home().join("users.txt")).unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while root.ask(&json!({"msg_type": "kick", "id": 2, "user": "x"}))["ok"] == true {
        assert!(std::time::Instant::now() < deadline, "an admin for ever");
    }
    for room in ["@lisi", "@root"] {
        let post = json!({"msg_type": "msg", "id": 3, "room": room});
        assert_eq!(guest.ask_with(&post, b"psst")["ok"], true);
    }
    let push = root.answer();
    assert_eq!(
        (&push["msg_type"], &push["room"]),
        (&json!("msg"), &json!("@root"))
    );
    assert_eq!(root.next(), b"psst");
    root.assert_in_step();
}

#[test]
fn a_kick_ends_what_is_being_sent() {
    let accounts = [("root", "1", "admin"), ("lisi", "1", "user")];
    let served = Served::at(home(&accounts), |_| {});
    let (mut root, mut lisi, mut reader) = (served.peer(), served.peer(), served.peer());
    log_in(&mut root, "root", "1");
    log_in(&mut lisi, "lisi", "1");
    log_in(&mut reader, "lisi", "1");
    // One in the middle of a body, one that has said nothing for a while.
    lisi.header(&json!({"msg_type": "file", "id": 2, "file_name": "a", "size": 10}));
    lisi.frame(b"half");
    let count = |peer: &mut crate::support::Peer| {
        peer.ask(&json!({"msg_type": "kick", "id": 3, "user": "lisi"}))["count"].clone()
    };
    assert_eq!(count(&mut root), 2);
    reader.assert_last_word("forbidden");
    lisi.assert_last_word("forbidden");
    assert_eq!(crate::support::uploads(served.home()), [""; 0]);
    drop((lisi, reader));
    crate::support::until("they are counted no more", || count(&mut root) == 0);
}

#[test]
fn after_a_logout_nothing_is_heard_where_a_login_is_required() {
    let accounts = [("lisi", "1", "user"), ("wangwu", "2", "user")];
    let served = Served::at(home(&accounts), |config| {
        let url = "framed://127.0.0.1:0?login=required";
        config.listen = vec![url.parse().unwrap()];
    });
    let join = json!({"msg_type": "join", "id": 1, "room": "lobby"});
    let (mut gone, mut here) = (served.peer(), served.peer());
    for (peer, name, password) in [(&mut gone, "lisi", "1"), (&mut here, "wangwu", "2")] {
        log_in(peer, name, password);
        assert_eq!(peer.ask(&join)["ok"], true);
    }
    assert_eq!(
        gone.ask(&json!({"msg_type": "logout", "id": 2}))["ok"],
        true
    );
    here.request(&json!({"msg_type": "msg"}), b"for those who are in");
    // The push and its text, which all who are in have got by now.
    assert_eq!(here.answer()["msg_type"], "msg");
    here.next();
    gone.assert_in_step();
}

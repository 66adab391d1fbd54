//! The program: `tail`, `history`, `rooms`, `say` and `chat` with a daemon that is killed and
//! started again.

use super::board::Board;
use super::run::{Running, run};
use crate::support::Daemon;
use rustix::process::Signal;
use serde_json::Value;

/// A daemon behind a switchboard: what clients see of it when it is started again.
fn daemon(home: &std::path::Path, board: &Board) -> Daemon {
    let daemon = Daemon::start(home, &["-q"]);
    board.plug(Some(daemon.address()));
    daemon
}

fn kill(daemon: Daemon, board: &Board) {
    board.plug(None);
    // Dropped, it is killed.
    drop(daemon);
}

#[track_caller]
fn say(board: &Board, arguments: &[&str]) {
    let arguments = [&["say"], arguments].concat();
    let (code, _, err) = run(&board.address(), &arguments, "");
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn a_tail_goes_on_where_it_was_when_the_server_is_back() {
    let home = tempfile::tempdir().unwrap();
    let board = Board::new(|| None);
    let first = daemon(home.path(), &board);
    say(&board, &["old"]);
    say(&board, &["new"]);
    let mut tail = Running::start(&board.address(), &["tail", "-n", "1", "--json"]);
    let text = |line: String| {
        let message: Value = serde_json::from_str(&line).unwrap();
        (
            message["seq"].as_u64().unwrap(),
            message["text"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(text(tail.line()), (2, "new".to_owned()));
    say(&board, &["live"]);
    assert_eq!(text(tail.line()), (3, "live".to_owned()));
    kill(first, &board);
    assert!(
        tail.complaint()
            .starts_with("the connection is lost, trying again: ")
    );
    let second = daemon(home.path(), &board);
    say(&board, &["while it was away\u{9b}2J"]);
    assert_eq!(tail.complaint(), "the connection is back");
    let line = tail.line();
    assert!(!line.contains('\u{9b}'), "{line}");
    assert_eq!(text(line), (4, "while it was away\u{9b}2J".to_owned()));
    // Ended as it wishes to be ended: it says goodbye to those who listen.
    second.signal(Signal::TERM);
    assert!(tail.complaint().contains("the server is going away"));
    tail.interrupt();
    assert_eq!(tail.end(), 0);
}

#[test]
fn a_tail_ends_when_nobody_reads_it_any_more() {
    let home = tempfile::tempdir().unwrap();
    let board = Board::new(|| None);
    let _daemon = daemon(home.path(), &board);
    say(&board, &["one"]);
    let mut tail = Running::start(&board.address(), &["tail"]);
    tail.line();
    tail.stop_reading();
    // The reader leaves with this line; nothing is said after it.
    say(&board, &["two"]);
    assert_eq!(tail.end(), 0);
}

#[test]
fn a_tail_of_what_cannot_be_followed_says_why() {
    let home = tempfile::tempdir().unwrap();
    let board = Board::new(|| None);
    let _daemon = daemon(home.path(), &board);
    let (code, out, err) = run(&board.address(), &["tail", "@lisi"], "");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.starts_with("gatepost: ") && err.contains("forbidden"),
        "{err}"
    );
    assert_eq!(run("127.0.0.1:1", &["tail"], "").0, 69);
}

#[test]
fn lines_are_said_once_though_the_server_is_killed_between() {
    let home = tempfile::tempdir().unwrap();
    let board = Board::new(|| None);
    let first = daemon(home.path(), &board);
    let mut saying = Running::start(&board.address(), &["say", "--json"]);
    saying.type_line("line 0");
    assert!(saying.line().contains(r#""duplicate":false"#));
    kill(first, &board);
    for number in 1..50 {
        saying.type_line(&format!("line {number}"));
    }
    let _second = daemon(home.path(), &board);
    saying.end_input();
    for _ in 1..50 {
        saying.line();
    }
    assert_eq!(saying.end(), 0);
    let (_, history, _) = run(&board.address(), &["history", "--all", "--json"], "");
    let texts = history.lines().map(|line| {
        let message: Value = serde_json::from_str(line).unwrap();
        message["text"].as_str().unwrap().to_owned()
    });
    let expected: Vec<_> = (0..50).map(|number| format!("line {number}")).collect();
    assert_eq!(texts.collect::<Vec<_>>(), expected);
}

#[test]
fn a_history_is_shown_in_the_part_that_is_wanted() {
    let home = tempfile::tempdir().unwrap();
    let board = Board::new(|| None);
    let _daemon = daemon(home.path(), &board);
    let lines: String = (1..=1_200)
        .map(|number| format!("message {number}\n"))
        .collect();
    assert_eq!(
        run(&board.address(), &["say", "--room", "门房"], &lines).0,
        0
    );
    say(
        &board,
        &["two\n2026-11-23 14:03:22Z  lobby  root  lines \u{1b}[2J"],
    );
    let numbers = |arguments: &[&str]| {
        let arguments = [&["history", "门房", "--json"], arguments].concat();
        let (code, out, err) = run(&board.address(), &arguments, "");
        assert_eq!((code, err.as_str()), (0, ""));
        let seq = |line: &str| {
            serde_json::from_str::<Value>(line).unwrap()["seq"]
                .as_u64()
                .unwrap()
        };
        out.lines().map(seq).collect::<Vec<u64>>()
    };
    let range = |range: std::ops::RangeInclusive<u64>| range.collect::<Vec<_>>();
    assert_eq!(numbers(&[]), range(1_101..=1_200));
    assert_eq!(numbers(&["--limit", "1100"]), range(101..=1_200));
    assert_eq!(
        numbers(&["--before", "50", "--limit", "10"]),
        range(40..=49)
    );
    assert_eq!(numbers(&["--after", "1190"]), range(1_191..=1_200));
    assert_eq!(
        numbers(&["--after", "10", "--before", "1100", "--all"]),
        range(11..=1_099)
    );
    assert_eq!(numbers(&["--after", "1h", "--limit", "2"]), [1, 2]);
    assert_eq!(numbers(&["--before", "2020-01-01T00:00:00Z"]), [0; 0]);
    assert_eq!(numbers(&["--all"]), range(1..=1_200));
    assert_eq!(
        numbers(&["--search", "AGE 119", "--limit", "3"]),
        [1_197, 1_198, 1_199]
    );
    let (_, out, _) = run(&board.address(), &["history"], "");
    let [first, second] = out.lines().collect::<Vec<_>>()[..] else {
        panic!("{out}");
    };
    assert!(first.ends_with("Z  lobby  -  two"), "{first}");
    assert!(
        second.starts_with("   ") && second.ends_with("lines \\u{1b}[2J"),
        "{second}"
    );
    let (_, out, _) = run(&board.address(), &["rooms"], "");
    let rows: Vec<Vec<&str>> = out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[1..], [["lobby", "1201", "0"], ["门房", "1200", "0"]]);
}

#[test]
fn a_chat_that_is_no_terminal_says_receipts_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let board = Board::new(|| None);
    let _daemon = daemon(home.path(), &board);
    say(&board, &["before", "--room", "gate"]);
    let mut chat = Running::start(&board.address(), &["chat", "gate"]);
    chat.type_line("hello");
    assert_eq!(chat.line(), "gate 2");
    say(&board, &["somebody else", "--room", "gate"]);
    assert!(chat.is_silent());
    chat.type_line("Q");
    assert_eq!(chat.end(), 0);
}

//! Each conversation of the course, as its own client has it.

use super::peers::{self, Course};
use super::talk;
use crate::support::proof;
use std::fs;
use std::sync::mpsc::channel;

#[test]
fn hello_is_one_text_a_connection() {
    let server = peers::hello(1, "Hello World");
    talk(&[&server.url("hello"), "Hello,I am client"], "").assert(&["Hello World"]);
    assert_eq!(server.seen(), ["Hello,I am client"]);
    let server = peers::hello(2, "hello world");
    talk(&[&server.url("hello")], "hello\n\n你好\nQ\nnever said\n")
        .assert(&["hello world", "hello world"]);
    assert_eq!(server.seen(), ["hello", "你好"]);
}

#[test]
fn the_bot_answers_line_by_line_and_an_empty_line_hangs_nobody() {
    let server = peers::bot();
    talk(
        &[&server.url("bot")],
        "马冬梅\n\n马什么梅\n \nq\nnever said\n",
    )
    .assert(&["你找谁呀!", "什么冬梅", "什么什么梅", "什么"]);
    assert_eq!(server.seen(), ["马冬梅", "马什么梅", " "]);
}

#[test]
fn a_text_that_the_course_reads_in_two_is_answered_in_full() {
    let server = peers::bot();
    let text = "abc".repeat(500);
    let said = talk(&[&server.url("bot"), &text], "");
    let read = server.seen();
    assert_eq!(read.concat(), text);
    let answers = read.iter().map(|text| {
        let letter = text.chars().next().unwrap();
        text.replace(letter, "什么")
    });
    let lines = said.out.replace('\n', "");
    assert_eq!(lines, format!("你找谁呀!{}", answers.collect::<String>()));
    assert_eq!(said.exit, 0, "{}", said.err);
}

#[test]
fn a_file_goes_up_with_nothing_between_name_and_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("笔 记-1.txt");
    fs::write(&path, "2026-11-23").unwrap();
    let path = path.to_str().unwrap();
    // Reads as it must, not as the course's does, and closes first as that one.
    let prefix = "笔 记-1.txt-10";
    let server = Course::serve(|listener| {
        let mut client = listener.accept();
        client.exactly(prefix.len() + 10)
    });
    talk(&[&server.url("upload"), path], "").assert(&["笔 记-1.txt (10 bytes sent)"]);
    assert_eq!(server.seen(), format!("{prefix}2026-11-23").into_bytes());
}

#[test]
fn the_course_takes_a_file_when_its_first_read_is_the_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    let bytes: Vec<u8> = (0..=255).cycle().take(2320).collect();
    fs::write(&path, &bytes).unwrap();
    // The pause behind the prefix makes it likely, and a busy machine may still glue the two.
    let taken = (0..10).find_map(|_| {
        let server = peers::upload();
        let url = server.url("upload");
        let said = talk(&[&url, path.to_str().unwrap(), "--name", "b.bin"], "");
        let taken = server.seen()?;
        said.assert(&["b.bin (2320 bytes sent)"]);
        Some(taken)
    });
    assert!(taken == Some(("b.bin".to_owned(), bytes)), "never taken");
}

#[test]
fn a_login_shows_the_courses_proof() {
    let server = peers::login("zhangsan", proof("123"));
    talk(&[&server.url("login")], "zhangsan\n123\n").assert(&["欢迎使用XX系统", "登陆成功"]);
    let object = format!(
        r#"{{"username": "zhangsan", "password": "{}"}}"#,
        proof("123")
    );
    assert_eq!(server.seen(), object);
    let server = peers::login("zhangsan", proof("123"));
    let said = talk(&[&server.url("login"), "--user", "zhangsan"], "124\n");
    assert_eq!(said.out, "欢迎使用XX系统\n账号或密码错误\n");
    said.assert_failed(1, "zhangsan is not let in");
    let server = peers::login("zhangsan", proof("123"));
    let url = server.url("login");
    let said = talk(&[&url, "--user", "zhangsan", "--salt", "x"], "123\n");
    said.assert_failed(1, "not let in");
}

#[test]
fn many_conversations_share_the_texts() {
    let server = peers::hello(4, "Hello World");
    talk(
        &[&server.url("hello"), "--jobs", "2", "a", "b", "c", "d"],
        "",
    )
    .assert(&["Hello World"; 4]);
    let mut texts = server.seen();
    texts.sort_unstable();
    assert_eq!(texts, ["a", "b", "c", "d"]);
    // The server serves them one after the other, and most wait for it.
    let server = peers::hello(200, "Hello World");
    talk(&[&server.url("hello"), "--jobs", "200", "x"], "").assert(&["Hello World"; 200]);
    assert_eq!(server.seen(), ["x"; 200]);
}

#[test]
fn a_slow_answer_holds_nobody_up() {
    // `sleep` is answered when everybody else has been answered and is gone.
    let server = Course::serve(|listener| {
        let mut clients: Vec<_> = (0..4).map(|_| listener.accept()).collect();
        let texts: Vec<_> = clients.iter_mut().map(peers::Client::text).collect();
        let slow = texts.iter().position(|text| text == "sleep").unwrap();
        for (client, text) in clients.iter_mut().zip(&texts) {
            if text != "sleep" {
                client.send(peers::delay_answer(text));
                assert_eq!(client.recv(), b"");
            }
        }
        clients[slow].send(peers::delay_answer("sleep"));
        assert_eq!(clients[slow].recv(), b"");
    });
    let url = server.url("delay");
    let said = talk(
        &[&url, "--jobs", "4", "first", "sleep", "second", "third"],
        "",
    );
    let mut lines: Vec<_> = said.out.lines().collect();
    assert_eq!(
        lines.pop(),
        Some("已收到延时反馈信息:sleep"),
        "{}",
        said.err
    );
    lines.sort_unstable();
    let quick = ["first", "second", "third"].map(peers::delay_answer);
    assert_eq!(lines, quick);
    server.seen();
}

#[test]
fn a_server_that_sleeps_in_its_loop_is_waited_for() {
    // The course's own: one read of each in turn, and what follows `sleep` waits for it.
    let server = Course::serve(|listener| {
        let mut clients: Vec<_> = (0..4).map(|_| listener.accept()).collect();
        for client in &mut clients {
            let text = client.text();
            client.send(peers::delay_answer(&text));
        }
        // Closed sockets are only forgotten, so the clients leave first.
        clients
            .iter_mut()
            .for_each(|client| assert_eq!(client.recv(), b""));
    });
    let url = server.url("delay");
    let said = talk(&[&url, "--jobs", "4"], "first\nsleep\nsecond\nthird\n");
    assert_eq!(
        (said.exit, said.out.lines().count()),
        (0, 4),
        "{}",
        said.err
    );
    server.seen();
}

#[test]
fn one_connection_may_be_delayed_and_go_on() {
    let server = Course::serve(|listener| {
        let mut client = listener.accept();
        for _ in 0..2 {
            let text = client.text();
            client.send(peers::delay_answer(&text));
        }
        assert_eq!(client.recv(), b"");
    });
    talk(&[&server.url("delay"), "sleep", "q"], "")
        .assert(&["已收到延时反馈信息:sleep", "已收到普通信息:q"]);
    server.seen();
}

#[test]
fn a_sink_need_not_say_goodbye() {
    let (done, go_on) = channel();
    let server = Course::serve(move |listener| {
        let mut client = listener.accept();
        let bytes = client.rest();
        // The course's server forgets the socket without closing it.
        go_on.recv().unwrap();
        bytes
    });
    talk(&[&server.url("sink"), "kinght love ", "aym"], "").assert(&[]);
    done.send(()).unwrap();
    assert_eq!(server.seen(), b"kinght love aym");
}

#[test]
fn frames_keep_their_borders_in_either_length() {
    let server = peers::frames();
    talk(&[&server.url("frames")], "xin正在学习\n\n应该没有\nQ\n").assert(&[]);
    assert_eq!(server.seen(), ["xin正在学习", "", "应该没有"]);
    let server = Course::serve(|listener| listener.accept().rest());
    let url = format!("{}?length=ascii", server.url("frames"));
    talk(&[&url, "kinght love ", "aym"], "").assert(&[]);
    assert_eq!(server.seen(), b"12kinght love 3aym");
}

#[test]
fn every_line_is_a_datagram_even_an_empty_one() {
    let server = peers::udp(3);
    talk(&[&server.url("udp")], "你好\n\nhello\nq\n").assert(&["已收到"; 3]);
    assert_eq!(server.seen(), ["你好", "", "hello"]);
}

#[test]
fn the_longest_datagram_is_sent_whole() {
    let server = Course::serve_udp(|socket| {
        let mut datagram = vec![0; 65_536];
        let (length, from) = socket.recv_from(&mut datagram).unwrap();
        socket.send_to("已收到".as_bytes(), from).unwrap();
        length
    });
    let line = "a".repeat(65_507);
    talk(&[&server.url("udp")], &line).assert(&["已收到"]);
    assert_eq!(server.seen(), 65_507);
}

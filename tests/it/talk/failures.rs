//! Servers that fail, hang up, say nothing or mean no good, and what can't be said at all.

use super::peers::{self, Course};
use super::talk;
use std::net::{TcpListener, UdpSocket};
use std::sync::mpsc::channel;

#[test]
fn nothing_listening_is_told_by_its_exit_code() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let why = "nothing listens at";
    for scheme in ["hello", "bot", "delay", "sink", "frames"] {
        talk(&[&format!("{scheme}://{address}"), "x"], "").assert_failed(69, why);
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    talk(&[&format!("upload://{address}"), file], "").assert_failed(69, why);
    talk(&[&format!("login://{address}")], "a\nb\n").assert_failed(69, why);
    let said = talk(&[&format!("hello://{address}"), "--jobs", "3", "x"], "");
    said.assert_failed(
        69,
        "3 of 3 conversations failed, the first: nothing listens",
    );
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    talk(&[&format!("udp://{address}"), "x"], "").assert_failed(69, why);
}

#[test]
fn what_a_server_says_cannot_drive_the_terminal() {
    let server = peers::hello(1, "\u{1b}[2J\r\nhi \u{202e}");
    talk(&[&server.url("hello"), "x"], "").assert(&[r"\u{1b}[2J\r\nhi \u{202e}"]);
    server.seen();
    let server = Course::serve(|listener| {
        let mut client = listener.accept();
        client.text();
        client.send(b"a\xffb\xe4\xbd");
    });
    talk(&[&server.url("hello"), "x"], "").assert(&["a\u{fffd}b\u{fffd}"]);
    server.seen();
}

#[test]
fn a_server_that_hangs_up_is_no_answer() {
    let server = Course::serve(|listener| drop(listener.accept().text()));
    let said = talk(&[&server.url("hello"), "x"], "");
    said.assert_failed(74, "the server closed the connection");
    server.seen();
    let server = Course::serve(|listener| {
        let mut client = listener.accept();
        client.send("你找谁呀!");
        client.text();
        client.send("什");
    });
    let said = talk(&[&server.url("bot"), "冬", "梅"], "");
    assert!(said.out.starts_with("你找谁呀!\n什\n"), "{}", said.out);
    assert_eq!(said.exit, 74, "{}", said.err);
    server.seen();
    let server = Course::serve(|listener| {
        let mut client = listener.accept();
        client.send("欢迎使用XX系统");
        client.text();
    });
    let said = talk(&[&server.url("login")], "a\nb\n");
    said.assert_failed(74, "the server closed the connection");
    assert_eq!(said.out, "欢迎使用XX系统\n");
    server.seen();
}

#[test]
fn a_silent_server_is_not_waited_for_for_ever() {
    let (done, go_on) = channel::<()>();
    let server = Course::serve(move |listener| {
        let _client = listener.accept();
        go_on.recv().unwrap();
    });
    let said = talk(&[&server.url("bot"), "--timeout", "50ms", "x"], "");
    said.assert_failed(74, "the server did not answer for 50ms");
    done.send(()).unwrap();
    server.seen();
}

#[test]
fn a_lost_datagram_is_sent_again_and_that_is_told() {
    let server = Course::serve_udp(|socket| {
        let mut datagram = [0; 16];
        let (length, _) = socket.recv_from(&mut datagram).unwrap();
        let lost = datagram[..length].to_vec();
        let (length, from) = socket.recv_from(&mut datagram).unwrap();
        socket.send_to("已收到".as_bytes(), from).unwrap();
        assert_eq!(datagram[..length], lost);
    });
    let said = talk(&[&server.url("udp"), "--timeout", "200ms", "x"], "");
    assert_eq!(
        (said.exit, said.out.as_str()),
        (0, "已收到\n"),
        "{}",
        said.err
    );
    assert!(said.err.starts_with("no answer in 200ms, sent again\n"));
    server.seen();
}

#[test]
fn a_datagram_that_is_never_answered_is_given_up() {
    let server = Course::serve_udp(|socket| {
        let mut datagram = [0; 16];
        for _ in 0..3 {
            socket.recv_from(&mut datagram).unwrap();
        }
    });
    let said = talk(&[&server.url("udp"), "--timeout", "50ms", "x"], "");
    assert_eq!(said.exit, 74, "{}", said.err);
    let again = said.err.lines().filter(|line| line.ends_with("sent again"));
    assert_eq!(again.count(), 2, "{}", said.err);
    assert!(said.err.contains("did not answer for 50ms"), "{}", said.err);
    server.seen();
}

#[test]
fn a_server_that_takes_only_a_part_of_a_file_has_not_taken_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big");
    std::fs::write(&path, vec![0; 32 * 1024 * 1024]).unwrap();
    // Closes with bytes unread, as a server does that dies.
    let server = Course::serve(|listener| drop(listener.accept().text()));
    let said = talk(&[&server.url("upload"), path.to_str().unwrap()], "");
    assert_eq!((said.exit, said.out.as_str()), (74, ""), "{}", said.err);
    server.seen();
}

#[test]
fn what_cannot_be_said_is_told_before_anything_else_is() {
    let server = Course::serve(|listener| listener.accept().rest());
    let url = format!("{}?length=ascii", server.url("frames"));
    talk(&[&url, "1st"], "").assert_failed(2, "begins with a digit");
    assert_eq!(server.seen(), b"");
    let server = peers::udp(0);
    let said = talk(&[&server.url("udp")], &"a".repeat(65_508));
    said.assert_failed(2, "65507 are possible");
    let server = Course::serve(|listener| listener.accept().rest());
    talk(&[&server.url("sink"), ""], "").assert_failed(2, "an empty text");
    assert_eq!(server.seen(), b"");
}

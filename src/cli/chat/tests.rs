//! A chat with a server that goes away between, and in the middle of, its lines.

use super::*;
use crate::cli::server::tests::typed;
use crate::wire::{Code, Header, Message, Refusal, Reply, frame};
use rustyline::ExternalPrinter;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that does `script`; the chat with it.
fn chat<T: Send + 'static>(
    script: impl FnOnce(&TcpListener) -> T + Send + 'static,
) -> (Chat, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || script(&listener));
    let args: Args = typed(&["--server", &address, "--timeout", "20s"]).unwrap();
    let poster = args.server.poster(None, PATIENCE).with_pause(drop);
    let chat = Chat {
        poster,
        own: Arc::new(Own::of(None)),
        room: args.room,
    };
    (chat, thread)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut prefix = [0; frame::PREFIX];
    stream.read_exact(&mut prefix).unwrap();
    let mut payload = vec![0; frame::length(prefix).unwrap()];
    stream.read_exact(&mut payload).unwrap();
    payload
}

/// Reads a message: its header and its text.
fn read_message(stream: &mut TcpStream) -> (Header, String) {
    let header = Header::parse(&read_frame(stream)).unwrap();
    let text = String::from_utf8(read_frame(stream)).unwrap();
    (header, text)
}

fn receipt(stream: &mut TcpStream, header: &Header, seq: u64, duplicate: bool) {
    let mut out = Vec::new();
    let reply = Reply::new().with("room", "lobby").with("seq", seq);
    let reply = reply.with("duplicate", duplicate);
    reply.write(header.id.as_ref().unwrap(), &mut out);
    stream.write_all(&out).unwrap();
}

#[test]
fn a_server_that_was_started_again_between_two_lines_gets_the_second() {
    let (gone, is_gone) = channel();
    let (mut chat, server) = chat(move |listener| {
        let mut stream = accept(listener);
        let (header, _) = read_message(&mut stream);
        receipt(&mut stream, &header, 1, false);
        let mut out = Vec::new();
        Header::new("going_away").write(&mut out);
        stream.write_all(&out).unwrap();
        drop(stream);
        gone.send(()).unwrap();
        let mut stream = accept(listener);
        let (header, text) = read_message(&mut stream);
        receipt(&mut stream, &header, 2, false);
        text
    });
    assert_eq!(chat.answer(&Line::Say("one")).unwrap(), "lobby 1");
    is_gone.recv_timeout(PATIENCE).unwrap();
    assert_eq!(chat.answer(&Line::Say("two")).unwrap(), "lobby 2");
    assert_eq!(server.join().unwrap(), "two");
}

#[test]
fn a_line_whose_receipt_is_lost_is_said_again_under_the_same_key() {
    let (mut chat, server) = chat(|listener| {
        let first = read_message(&mut accept(listener));
        let mut stream = accept(listener);
        let (header, text) = read_message(&mut stream);
        receipt(&mut stream, &header, 7, true);
        let (next, _) = read_message(&mut stream);
        receipt(&mut stream, &next, 8, false);
        (first, (header, text), next)
    });
    assert_eq!(chat.answer(&Line::Say("tea")).unwrap(), "lobby 7");
    assert_eq!(chat.answer(&Line::Say("tea")).unwrap(), "lobby 8");
    let ((first, said), (again, said_again), next) = server.join().unwrap();
    let key = |header: &Header| header.fields.text("key").unwrap().unwrap().to_owned();
    assert_eq!((said, key(&first)), (said_again, key(&again)));
    assert_ne!(key(&first), key(&next), "another line is another message");
}

#[test]
fn what_cannot_be_known_is_said() {
    let (mut chat, server) = chat(|listener| {
        for _ in 0..2 {
            read_message(&mut accept(listener));
        }
    });
    let failure = chat.answer(&Line::Say("tea")).unwrap_err();
    assert!(failure.sentence.contains("may or may not"), "{failure}");
    server.join().unwrap();
}

/// What would stand above the prompt.
struct Above(Sender<String>);

impl ExternalPrinter for Above {
    fn print(&mut self, lines: String) -> rustyline::Result<()> {
        self.0
            .send(lines)
            .map_err(|_| rustyline::error::ReadlineError::Eof)
    }
}

fn message(seq: u64, text: &str) -> Message {
    Message {
        room: RoomName::lobby(),
        seq,
        prev: seq - 1,
        time: SystemTime::UNIX_EPOCH,
        from: None,
        text: text.to_owned(),
        file: None,
    }
}

fn reply(stream: &mut TcpStream, msg_type: &str, reply: Reply) {
    let header = Header::parse(&read_frame(stream)).unwrap();
    assert_eq!(header.msg_type, msg_type);
    let mut out = Vec::new();
    reply.write(header.id.as_ref().unwrap(), &mut out);
    stream.write_all(&out).unwrap();
}

#[test]
fn what_others_say_is_shown_and_what_was_typed_is_not_shown_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (finish, finished) = channel::<()>();
    let server = std::thread::spawn(move || {
        let mut stream = accept(&listener);
        let greeting = Reply::new().with("server", "fake").with("version", "1");
        let greeting = greeting
            .with("login", "off")
            .with("salt", "")
            .with("state", "running");
        reply(&mut stream, "hello", greeting);
        let page = serde_json::to_vec(&[message(1, "before")]).unwrap();
        reply(
            &mut stream,
            "history",
            Reply::new().with("more", false).with_body(page),
        );
        reply(&mut stream, "join", Reply::new().with("head", 1u64));
        let mut out = Vec::new();
        for (seq, text) in [(2, "typed"), (3, "a\u{1b}[2J\nb"), (4, "bye")] {
            message(seq, text).write_push(&mut out);
        }
        stream.write_all(&out).unwrap();
        finished.recv().unwrap_err();
        drop(stream);
        // What no other try would change ends it.
        let mut stream = accept(&listener);
        let header = Header::parse(&read_frame(&mut stream)).unwrap();
        let mut out = Vec::new();
        Refusal::new(Code::Forbidden, "no").write(header.id.as_ref().unwrap(), &mut out);
        stream.write_all(&out).unwrap();
    });
    let args: Args = typed(&["--server", &address, "--timeout", "20s"]).unwrap();
    let own = Arc::new(Own::of(None));
    // It is under way while its push arrives.
    let saying = own.begin();
    let mut output = Output::stdout();
    let arrivals = Arrivals::start(&args.server, None, RoomName::lobby(), &mut output).unwrap();
    let (shown, above) = channel();
    arrivals.show(Arc::clone(&own), Above(shown)).unwrap();
    saying.is(2);
    drop(saying);
    let next = || above.recv_timeout(PATIENCE).unwrap();
    let indent = " ".repeat(22);
    let lines = format!("1970-01-01 00:00:00Z  lobby  -  a\\u{{1b}}[2J\n{indent}b\n");
    assert_eq!(next(), lines);
    assert_eq!(next(), "1970-01-01 00:00:00Z  lobby  -  bye\n");
    drop(finish);
    assert!(next().starts_with("the connection is lost, trying again: "));
    assert_eq!(
        next(),
        "what others say is no longer shown: no (forbidden)\n"
    );
    server.join().unwrap();
}

#[test]
fn failed_lines_are_counted() {
    let one = failed(Exit::Refused, 1, 3);
    assert_eq!(one.sentence, "1 of 3 lines was not done");
    assert_eq!(
        failed(Exit::Usage, 2, 2).sentence,
        "2 of 2 lines were not done"
    );
}

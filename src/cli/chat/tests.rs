//! A chat with a server that goes away between, and in the middle of, its lines.

use super::*;
use crate::cli::server::tests::typed;
use crate::wire::{Header, Reply, frame};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

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
    let (gone, is_gone) = std::sync::mpsc::channel();
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

#[test]
fn failed_lines_are_counted() {
    let one = failed(Exit::Refused, 1, 3);
    assert_eq!(one.sentence, "1 of 3 lines was not done");
    assert_eq!(
        failed(Exit::Usage, 2, 2).sentence,
        "2 of 2 lines were not done"
    );
}

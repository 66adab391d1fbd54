//! Texts without frames around them, and frames of text: what is taken, and what is answered.

use super::house::{Client, House, Taken};

#[test]
fn hello_is_answered_once_and_the_server_closes() {
    let house = House::with(
        &[
            "hello://127.0.0.1:0",
            "hello://127.0.0.1:0?reply=hello%20world&room=a",
        ],
        &[],
    );
    let mut client = house.client();
    client.say("Hello,I am client");
    client.hears("Hello World");
    client.hears_the_end();
    assert_eq!(house.next_text(), "Hello,I am client");
    let mut tcp = Client::connect(house.address(1));
    tcp.say("hello");
    tcp.hears("hello world");
    tcp.hears_the_end();
    let (room, text) = ("a".to_owned(), "hello".to_owned());
    assert_eq!(house.next(), Taken::Message { room, text });

    // Half closed at once; nothing said at all; gone before the answer.
    let mut client = house.client();
    client.say("x");
    client.ends();
    client.hears("Hello World");
    client.hears_the_end();
    let mut silent = house.client();
    silent.ends();
    silent.hears_the_end();
    let mut gone = house.client();
    gone.say("y");
    drop(gone);
    assert_eq!(
        (house.next_text(), house.next_text()),
        ("x".to_owned(), "y".to_owned())
    );
    let (summary, left) = house.drain();
    assert_eq!(
        (summary.messages, summary.connections, summary.stuck),
        (4, 5, 0)
    );
    assert_eq!(left, []);
}

#[test]
fn what_tcp_splits_from_a_hello_is_not_lost() {
    let house = House::at("hello://127.0.0.1:0");
    let mut client = house.client();
    client.say("Hello,");
    client.hears("Hello World");
    client.say("I am client");
    assert_eq!(house.next_text(), "Hello,");
    assert_eq!(house.next_text(), "I am client");
    client.hears_the_end();
    let mut client = house.client();
    let (head, tail) = "你".as_bytes().split_at(1);
    client.say(head);
    client.say(tail);
    client.hears("Hello World");
    assert_eq!(house.next_text(), "你");
}

#[test]
fn the_bot_greets_and_answers_until_the_client_closes() {
    let house = House::at("bot://127.0.0.1:0");
    let mut client = house.client();
    client.hears("你找谁呀!");
    client.say("哈哈");
    client.hears("什么什么");
    client.say(" ");
    client.hears("什么");
    let long = "哈".repeat(100_000);
    client.say(&long);
    let mut heard = 0;
    while heard < 2 * long.len() {
        let answer = client.hears_something();
        heard += answer.len();
    }
    client.ends();
    client.hears_the_end();
    // One that is silent, one that never reads, one that sends no text at all.
    let silent = house.client();
    let mut deaf = house.client();
    deaf.say("马冬梅");
    let mut bytes = house.client();
    bytes.hears("你找谁呀!");
    bytes.say(b"\xff\xff");
    bytes.hears("什么什么");
    drop((silent, deaf, bytes));
    let (summary, left) = house.drain();
    assert_eq!((summary.messages, summary.stuck, left), (0, 0, vec![]));
}

#[test]
fn texts_into_a_sink_are_taken_however_they_come() {
    let house = House::at("sink://127.0.0.1:0");
    let mut sticky = house.client();
    sticky.say("kinght love ");
    sticky.say("aym");
    drop(sticky);
    house.next_texts("kinght love aym");
    let mut client = house.client();
    client.say("first");
    assert_eq!(house.next_text(), "first");
    client.say(b"a\xe4\xbd");
    assert_eq!(house.next_text(), "a");
    client.say(b"\xa0b\xff");
    assert_eq!(house.next_text(), "你b\u{fffd}");
    client.say(b"\xe4");
    drop(client);
    assert_eq!(house.next_text(), "\u{fffd}");
    let long = "你好".repeat(400_000);
    let mut client = house.client();
    client.say(&long);
    drop(client);
    house.next_texts(&long);
}

#[test]
fn frames_are_texts_with_a_length_in_either_form() {
    let house = House::with(
        &["frames://127.0.0.1:0", "frames://127.0.0.1:0?length=ascii"],
        &[("max_text", 100)],
    );
    let mut binary = house.client();
    binary.say([&b"\x0f\0\0\0"[..], "xin正在学习".as_bytes()].concat());
    binary.say([&b"\x0c\0\0\0"[..], "应该没有".as_bytes()].concat());
    assert_eq!(house.next_text(), "xin正在学习");
    assert_eq!(house.next_text(), "应该没有");
    // What is refused costs only itself: too long, no text.
    binary.say([&b"\x65\0\0\0"[..], &[b'x'; 101]].concat());
    binary.say(b"\x02\0\0\0\xff\xff\0\0\0\0\x01\0\0\0y");
    assert_eq!(
        (house.next_text(), house.next_text()),
        (String::new(), "y".to_owned())
    );
    // A negative length is the end.
    binary.say(b"\xff\xff\xff\xff");
    binary.hears_the_end();
    let mut ascii = Client::connect(house.address(1));
    ascii.say("12kinght love 3aym1");
    assert_eq!(house.next_text(), "kinght love ");
    assert_eq!(house.next_text(), "aym");
    ascii.say("0xin正在!");
    ascii.ends();
    assert_eq!(house.next_text(), "xin正在!");
    ascii.hears_the_end();
    let (summary, left) = house.drain();
    assert_eq!((summary.messages, summary.refused, left), (7, 2, vec![]));
}

//! The conversations without frames, over real sockets: what the course's clients say and hear, and
//! what else may come on their ports. What their bytes mean wherever they are cut is tested beside
//! each conversation; here it is the server that must not lose, hold up or stop anything.

mod house;
mod udp;

use crate::support::{PATIENCE, partials, proof, until, uploads};
use house::{Client, House, Taken};
use std::fs;
use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

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
fn a_login_is_one_object_in_any_pieces() {
    let house = House::at("login://127.0.0.1:0");
    let object = |password: &str| {
        let proof = proof(password);
        format!("{{\"username\": \"zhangsan\", \"password\": \"{proof}\", \"x\": [1]}}")
    };
    let say = |pieces: &[&[u8]], verdict: &str| {
        let mut client = house.client();
        client.hears("欢迎使用XX系统");
        for piece in pieces {
            client.say(piece);
        }
        client.hears(verdict);
        client.hears_the_end();
    };
    let right = object("123");
    say(&[right.as_bytes()], "登陆成功");
    let bytes: Vec<_> = right.as_bytes().chunks(1).collect();
    say(&bytes, "登陆成功");
    say(&[object("124").as_bytes()], "账号或密码错误");
    say(&[b"nonsense"], "账号或密码错误");
    say(&[b"{\"username\":\"zhangsan\"}"], "账号或密码错误");
    let mut half = house.client();
    half.say("{\"username\":");
    half.ends();
    half.hears("欢迎使用XX系统账号或密码错误");
    half.hears_the_end();
    let mut silent = house.client();
    silent.hears("欢迎使用XX系统");
    silent.ends();
    silent.hears_the_end();
}

#[test]
fn a_megabyte_of_junk_and_guessing_get_no_one_in() {
    let house = House::at("login://127.0.0.1:0");
    let mut junk = house.client();
    junk.hears("欢迎使用XX系统");
    // The server reads on for a while, so that its answer is not lost in a reset.
    junk.say(vec![b'{'; 1 << 20]);
    junk.hears("账号或密码错误");
    for password in ["1", "2", "3", "4", "5", "123"] {
        let mut client = house.client();
        client.hears("欢迎使用XX系统");
        let proof = proof(password);
        client.say(format!(
            "{{\"username\":\"zhangsan\",\"password\":\"{proof}\"}}"
        ));
        // After five failures even the right one waits.
        client.hears("账号或密码错误");
        client.hears_the_end();
    }
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

#[test]
fn uploads_are_published_whole_or_not_at_all() {
    let house = House::at("upload://127.0.0.1:0");
    let send = |pieces: &[&[u8]]| {
        let mut client = house.client();
        for piece in pieces {
            client.say(piece);
        }
        drop(client);
    };
    let published = |name: &str, content: &[u8]| {
        let (shown, bytes) = (name.to_owned(), content.len() as u64);
        assert_eq!(house.next(), Taken::File { name: shown, bytes });
        let stored = fs::read(house.home().join("uploads").join(name)).unwrap();
        assert!(stored == content, "{name} differs");
    };
    send(&[b"a.txt-11", b"hello file\n"]);
    published("a.txt", b"hello file\n");
    send(&[b"a.txt-11hello file\n"]);
    published("a (2).txt", b"hello file\n");
    send(&["照-片.png-0".as_bytes()]);
    published("照-片.png", b"");
    let large: Vec<u8> = b"7 begins with a digit "
        .iter()
        .copied()
        .cycle()
        .take(3_000_000)
        .collect();
    send(&["2024-01-05.bin-3000000".as_bytes(), &large]);
    published("2024-01-05.bin", &large);
    let glued = [b"glued-3000000", &large[..]].concat();
    send(&[&glued]);
    published("glued", &large);
    send(&[b"b.txt-5", b"hell"]);
    send(&[b"../x-5hello"]);
    send(&[&glued[..2_000_000]]);
    send(&[b"b.txt-5hello!"]);
    let mut broken = house.client();
    broken.say(b"c.txt-500000");
    broken.say(vec![b'x'; 400_000]);
    until("it has begun", || partials(house.home()) > 0);
    broken.0.shutdown(Shutdown::Both).unwrap();
    drop(broken);
    until("nothing is left", || partials(house.home()) == 0);
    send(&[b"d-1x"]);
    published("d", b"x");
    assert_eq!(
        uploads(house.home()),
        [
            "2024-01-05.bin",
            "a (2).txt",
            "a.txt",
            "d",
            "glued",
            "照-片.png"
        ]
    );
    let (summary, left) = house.drain();
    assert_eq!((summary.files, summary.stuck, left), (6, 0, vec![]));
}

#[test]
fn a_file_that_was_being_sent_when_the_server_ended_is_not_published() {
    let house = House::with(&["upload://127.0.0.1:0"], &[("drain_timeout", 400)]);
    let mut client = house.client();
    client.say(b"half-500000");
    client.say(vec![b'x'; 400_000]);
    until("it has begun", || partials(house.home()) > 0);
    let (summary, left) = house.drain();
    assert_eq!((summary.files, summary.cut_off, left), (0, 1, vec![]));
}

#[test]
fn sleep_holds_nobody_up() {
    let house = House::at("delay://127.0.0.1:0");
    let begun = Instant::now();
    let mut sleepers: Vec<_> = (0..40).map(|_| house.client()).collect();
    for sleeper in &mut sleepers {
        sleeper.say("sleep");
    }
    let mut client = house.client();
    for text in ["first", "second", "third"] {
        client.say(text);
        client.hears(&format!("已收到普通信息:{text}"));
    }
    // Other texts overtake on the same connection too, and a half-closed one gets its answer.
    sleepers[0].say("x");
    sleepers[0].hears("已收到普通信息:x");
    sleepers[1].ends();
    assert!(begun.elapsed() < Duration::from_secs(5), "held up");
    for sleeper in &mut sleepers {
        sleeper.hears("已收到延时反馈信息:sleep");
        let took = begun.elapsed();
        assert!((5.0..8.0).contains(&took.as_secs_f64()), "{took:?}");
    }
    sleepers[1].hears_the_end();
}

#[test]
fn a_connection_has_at_most_64_answers_waiting() {
    let house = House::with(&["delay://127.0.0.1:0"], &[("drain_timeout", 300)]);
    let mut client = house.client();
    for _ in 0..64 {
        client.say("sleep");
        assert_eq!(house.next_text(), "sleep");
    }
    client.say("one more");
    // The end cuts off those who sleep, and says nothing.
    let (summary, left) = house.drain();
    assert_eq!((summary.messages, summary.stuck, left), (64, 0, vec![]));
    let mut said = String::new();
    client.0.read_to_string(&mut said).unwrap_or_default();
    assert_eq!(said, "");
}

#[test]
fn the_silent_and_the_half_said_hold_nothing() {
    let urls = ["hello", "bot", "login", "upload", "delay", "sink", "frames"];
    let urls = urls.map(|scheme| format!("{scheme}://127.0.0.1:0"));
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let house = House::with(&urls, &[("frame_timeout", 100), ("upload_timeout", 100)]);
    let clients: Vec<_> = (0..urls.len())
        .map(|place| Client::connect(house.address(place)))
        .collect();
    // What began must go on; for login that is answered, for the others it is the end.
    let mut login = Client::connect(house.address(2));
    login.say("{");
    login.hears("欢迎使用XX系统账号或密码错误");
    login.hears_the_end();
    for (place, began) in [(3, "a-5"), (6, "\u{1}\0"), (3, "a-50000x")] {
        let mut client = Client::connect(house.address(place));
        client.say(began);
        client.hears_the_end();
    }
    // Those who have said nothing are still served.
    for (place, mut client) in clients.into_iter().enumerate() {
        match place {
            0 => {
                client.say("x");
                client.hears("Hello World");
            }
            1 => {
                client.say("哈");
                client.hears("你找谁呀!什么");
            }
            5 => client.say("y"),
            _ => {}
        }
    }
    assert_eq!(
        (house.next_text(), house.next_text()),
        ("x".to_owned(), "y".to_owned())
    );
}

#[test]
fn a_drain_takes_what_was_sent_and_ends_in_time() {
    let house = House::at("sink://127.0.0.1:0");
    let begun = Instant::now();
    let mut clients: Vec<_> = (0..20).map(|_| house.client()).collect();
    for client in &mut clients {
        client.say("last");
    }
    clients[0].say(b"\xe4");
    let (summary, left) = house.drain();
    assert!(
        begun.elapsed() < PATIENCE / 2,
        "a drain waits for no one who says nothing"
    );
    assert_eq!((summary.messages, summary.stuck, left.len()), (20, 0, 20));
}

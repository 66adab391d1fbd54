//! The conversations without frames, over real sockets: what the course's clients say and hear, and
//! what else may come on their ports. What their bytes mean wherever they are cut is tested beside
//! each conversation; here it is the server that must not lose, hold up or stop anything.

mod course;
mod delay;
mod house;
mod login;
mod texts;
mod udp;
mod upload;

use crate::support::PATIENCE;
use house::{Client, House};
use std::time::Instant;

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

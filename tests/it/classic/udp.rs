//! `udp://`: no answer without storage, and no loss without a count.

use super::house::{House, Taken};
use crate::support::PATIENCE;
use std::net::UdpSocket;
use std::time::Duration;

fn client(house: &House) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(house.address(0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

#[track_caller]
fn hears(socket: &UdpSocket) -> String {
    let mut heard = [0; 100];
    let length = socket.recv(&mut heard).expect("an answer");
    String::from_utf8_lossy(&heard[..length]).into_owned()
}

#[test]
fn each_datagram_is_a_text_and_answered_alike() {
    let house = House::at("udp://127.0.0.1:0?room=a");
    let (one, two) = (client(&house), client(&house));
    let long = "你".repeat(65_507 / 3);
    for text in ["hello", "", &long] {
        for socket in [&one, &two] {
            socket.send(text.as_bytes()).unwrap();
            assert_eq!(hears(socket), "已收到");
            let (room, text) = ("a".to_owned(), text.to_owned());
            assert_eq!(house.next(), Taken::Message { room, text });
        }
    }
    // What is no text is counted, and the next is served.
    one.send(b"\xff\xfe").unwrap();
    one.send(b"x").unwrap();
    assert_eq!(hears(&one), "已收到");
    one.set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    assert!(one.recv(&mut [0; 9]).is_err(), "answered twice");
    let (summary, _) = house.drain();
    assert_eq!(
        (summary.messages, summary.refused, summary.stuck),
        (7, 1, 0)
    );
}

#[test]
fn of_a_burst_everything_is_stored_or_counted_as_lost() {
    const DATAGRAMS: u64 = 10_000;
    let house = House::at("udp://127.0.0.1:0");
    let socket = client(&house);
    for number in 0..DATAGRAMS {
        socket.send(number.to_string().as_bytes()).unwrap();
    }
    let (summary, left) = house.drain();
    assert_eq!(summary.messages + summary.lost, DATAGRAMS);
    assert_eq!(
        (left.len() as u64, summary.served),
        (summary.messages, summary.messages)
    );
    assert_eq!((summary.refused, summary.cut_off, summary.stuck), (0, 0, 0));
    let mut answers = 0;
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut [0; 9]).is_ok() {
        answers += 1;
    }
    // Answers may get lost too: this socket has a small buffer.
    assert!(
        (1..=summary.messages).contains(&answers),
        "{answers} answers"
    );
}

#[test]
fn nothing_is_answered_that_is_too_long_to_be_kept() {
    let house = House::with(&["udp://127.0.0.1:0"], &[("max_text", 10)]);
    let socket = client(&house);
    socket.send(b"12345678901").unwrap();
    socket.send(b"1234567890").unwrap();
    assert_eq!(hears(&socket), "已收到");
    assert_eq!(house.next_text(), "1234567890");
    let (summary, left) = house.drain();
    assert_eq!((summary.messages, summary.refused, left), (1, 1, vec![]));
}

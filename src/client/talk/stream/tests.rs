//! A conversation over a real socket, with servers that do what a test says.

use super::*;
use crate::client::fake::{PATIENCE, Peer, serve};
use crate::conversation::bot::{BotTalking, GREETING};
use crate::conversation::hello::HelloTalking;
use crate::conversation::sink::SinkTalking;
use socket2::SockRef;

#[track_caller]
fn talk<T: Talking>(address: &str, talking: T) -> Talk<T> {
    Talk::connect(&address.parse().unwrap(), talking, PATIENCE).unwrap()
}

/// All that was heard and not taken yet.
fn all<T: Talking>(talk: &mut Talk<T>) -> String {
    std::iter::from_fn(|| talk.heard()).collect()
}

/// Closes so that the client's system is told of a reset.
fn reset(peer: &Peer) {
    let socket = SockRef::from(&peer.0);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn what_a_long_text_is_answered_with_is_heard_while_it_is_sent() {
    // More than the buffers of both sides hold, in both directions.
    let long = "长".repeat(8 * 1024 * 1024);
    let length = long.len();
    let (address, served) = serve(move |peer| {
        let mut piece = [0; 64 * 1024];
        let mut left = length;
        while left > 0 {
            let bytes = peer.0.read(&mut piece).unwrap();
            peer.write(&piece[..bytes]);
            left -= bytes;
        }
    });
    let mut talk = talk(&address, HelloTalking::new());
    talk.say(&long).unwrap();
    talk.listen().unwrap();
    served.join().unwrap();
    assert!(all(&mut talk) == long, "another text came back");
    assert_eq!(talk.turn(), Turn::Over);
}

#[test]
fn what_comes_after_the_goodbye_is_still_heard() {
    let (address, served) = serve(|peer| {
        peer.write(GREETING.as_bytes());
        assert_eq!(peer.rest(), "冬梅".as_bytes());
        peer.write("什么".as_bytes());
    });
    let mut talk = talk(&address, BotTalking::new());
    talk.listen().unwrap();
    assert_eq!(all(&mut talk), GREETING);
    talk.say("冬梅").unwrap();
    talk.leave().unwrap();
    served.join().unwrap();
    assert_eq!(all(&mut talk), "什么");
}

#[test]
fn a_server_that_never_closes_is_left_all_the_same() {
    let (left, go_on) = std::sync::mpsc::channel();
    let (address, served) = serve(move |peer| {
        assert_eq!(peer.rest(), b"x");
        go_on.recv().unwrap();
    });
    let mut talk = talk(&address, SinkTalking::new());
    talk.say("x").unwrap();
    talk.leave().unwrap();
    left.send(()).unwrap();
    served.join().unwrap();
}

#[test]
fn a_server_that_throws_texts_away_is_told_from_one_that_takes_them() {
    let (said, go_on) = std::sync::mpsc::channel();
    let (address, served) = serve(move |peer| {
        go_on.recv().unwrap();
        reset(peer);
    });
    let mut talk = talk(&address, SinkTalking::new());
    talk.say("x").unwrap();
    said.send(()).unwrap();
    served.join().unwrap();
    let error = talk.leave().unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error}");
}

#[test]
fn a_server_that_hangs_up_early_says_what_it_said() {
    let (address, served) = serve(|peer| peer.write(&GREETING.as_bytes()[..4]));
    let mut talk = talk(&address, BotTalking::new());
    let error = talk.listen().unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    assert_eq!(all(&mut talk), "你\u{fffd}");
    served.join().unwrap();
}

#[test]
fn a_silent_server_is_given_up() {
    let (done, go_on) = std::sync::mpsc::channel::<()>();
    let (address, served) = serve(move |_| go_on.recv().unwrap());
    let mut talk = talk(&address, BotTalking::new());
    talk.timeout = Duration::from_millis(50);
    let error = talk.listen().unwrap_err();
    assert!(matches!(error, Error::TimedOut(_)), "{error}");
    done.send(()).unwrap();
    served.join().unwrap();
}

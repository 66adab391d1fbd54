//! The library: whatever the cuts, each message once and in order.

use super::board::Board;
use crate::support::{PATIENCE, Served};
use gatepost::client::{Bound, Client, Event, Post, Poster, Start, Subscription};
use gatepost::time::Random;
use gatepost::wire::{Message, RoomName};
use std::time::{Duration, Instant};

/// Messages that each room gets.
const MESSAGES: usize = 150;

const ROOMS: [&str; 2] = ["lobby", "门房"];

fn post(room: &str) -> Post {
    let room = Some(room.to_owned());
    Post {
        room,
        ..Post::default()
    }
}

/// A poster whose connections break as the board cuts them.
fn poster(board: &Board) -> Poster {
    let address = board.address();
    let connect = move || Client::connect(&address, PATIENCE);
    // Nobody is away here: there is nothing to wait for.
    Poster::new(connect, Duration::MAX, Random::seeded(3)).with_pause(drop)
}

fn subscription(board: &Board, start: Start) -> Subscription {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let address = board.address();
        let connect = move || Client::connect(&address, PATIENCE);
        let rooms = ROOMS.map(|room| (RoomName::new(room).unwrap(), start));
        match Subscription::with_pause(connect, rooms, Random::seeded(1), drop) {
            Ok(subscription) => return subscription,
            Err(error) => assert!(error.is_passing() && Instant::now() < deadline, "{error}"),
        }
    }
}

/// The messages of each room as they come, until each has `count`; whether nothing was missing.
fn follow(subscription: &mut Subscription, count: usize) -> [Vec<Message>; 2] {
    let deadline = Instant::now() + 3 * PATIENCE;
    let mut rooms = [Vec::new(), Vec::new()];
    while rooms.iter().any(|room| room.len() < count) {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            rooms.map(|room| room.len())
        );
        match subscription.next(PATIENCE).unwrap() {
            Some(Event::Message(message)) => {
                let index = usize::from(message.room.as_str() != ROOMS[0]);
                rooms[index].push(message);
            }
            Some(Event::Lost(_) | Event::Back) | None => {}
            Some(other) => panic!("{other:?}"),
        }
    }
    rooms
}

#[track_caller]
fn assert_all_once(rooms: &[Vec<Message>; 2]) {
    for (room, name) in rooms.iter().zip(ROOMS) {
        let texts: Vec<_> = room.iter().map(|message| message.text.clone()).collect();
        let expected: Vec<_> = (0..MESSAGES)
            .map(|number| format!("{name} {number}"))
            .collect();
        assert_eq!(texts, expected);
        assert!(room.windows(2).all(|pair| pair[0].seq == pair[1].prev));
    }
}

/// Bytes that a connection lets through: now and then too few to be of any use.
fn cuts(seed: u64) -> impl FnMut() -> Option<usize> + Send {
    let random = Random::seeded(seed);
    move || Some(random.below(6_000))
}

#[test]
fn whatever_the_cuts_each_message_is_posted_and_heard_once() {
    for seed in 1..=3 {
        let server = Served::start(|_| {});
        let (speaking, hearing) = (Board::new(cuts(seed)), Board::new(cuts(seed + 100)));
        for board in [&speaking, &hearing] {
            board.plug(Some(server.address()));
        }
        let mut subscription = subscription(&hearing, Start::After(Bound::Seq(0)));
        let mut poster = poster(&speaking);
        let talking = std::thread::spawn(move || {
            let mut taken = 0;
            for number in 0..MESSAGES {
                for room in ROOMS {
                    poster
                        .send(format!("{room} {number}").into_bytes(), &post(room))
                        .unwrap();
                }
                // Some at once, some one by one.
                while number % 7 != 0
                    && let Some(receipt) = poster.receive().unwrap()
                {
                    assert!(!receipt.unwrap().duplicate);
                    taken += 1;
                }
            }
            while let Some(receipt) = poster.receive().unwrap() {
                receipt.unwrap();
                taken += 1;
            }
            taken
        });
        let rooms = follow(&mut subscription, MESSAGES);
        assert_eq!(talking.join().unwrap(), 2 * MESSAGES, "seed {seed}");
        assert_all_once(&rooms);
        assert!(hearing.connections() > 3, "seed {seed}: it was hardly cut");
        assert!(speaking.connections() > 3, "seed {seed}: it was hardly cut");
    }
}

#[test]
fn what_was_said_before_is_there_in_pages_and_backlogs() {
    let server = Served::start(|_| {});
    let board = Board::new(|| None);
    board.plug(Some(server.address()));
    let mut poster = poster(&board);
    for number in 0..MESSAGES {
        for room in ROOMS {
            poster
                .send(format!("{room} {number}").into_bytes(), &post(room))
                .unwrap();
        }
    }
    while poster.receive().unwrap().is_some() {}
    let all = follow(
        &mut subscription(&board, Start::After(Bound::Seq(0))),
        MESSAGES,
    );
    assert_all_once(&all);
    let newest = follow(&mut subscription(&board, Start::Newest(20)), 20);
    for (newest, all) in newest.iter().zip(&all) {
        assert_eq!(newest[..], all[MESSAGES - 20..]);
    }
    let since = Start::After(Bound::Time(all[0][0].time));
    assert_all_once(&follow(&mut subscription(&board, since), MESSAGES));
    let mut client = Client::connect(&board.address(), PATIENCE).unwrap();
    let rooms = client.rooms().unwrap();
    let heads: Vec<_> = rooms
        .iter()
        .map(|room| (room.name.as_str(), room.head))
        .collect();
    let head = |index: usize| (ROOMS[index], all[index][MESSAGES - 1].seq);
    assert_eq!(heads, [head(0), head(1)]);
}

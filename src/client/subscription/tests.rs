//! Tests of a subscription against a house in memory.

mod house;

use super::*;
use crate::wire::Code;
use house::{House, ROOMS, Shared, Wire};
use proptest::prelude::*;
use std::sync::Arc;

fn follow(house: &Shared, starts: &[(&str, Start)]) -> Result<Subscription<Wire>, Error> {
    let (connected, paused) = (Arc::clone(house), Arc::clone(house));
    let connect = move || Wire::open(&connected);
    let rooms = starts
        .iter()
        .map(|(room, start)| (RoomName::new(*room).unwrap(), *start));
    let rooms: Vec<_> = rooms.collect();
    let pause = move |wait| paused.lock().waited.push(wait);
    Subscription::with_pause(connect, rooms, Random::seeded(1), pause)
}

/// All that comes until the house is calm and has no more.
fn rest(subscription: &mut Subscription<Wire>, house: &Shared) -> Vec<Event> {
    house.lock().trouble = 0;
    let mut events = Vec::new();
    let mut silent = 0;
    while silent < 3 {
        match subscription.next(Duration::ZERO).unwrap() {
            Some(event) => (silent, _) = (0, events.push(event)),
            None => silent += 1,
        }
    }
    events
}

fn messages(events: &[Event], room: &str) -> Vec<Message> {
    let of = |event: &Event| match event {
        Event::Message(message) if message.room.as_str() == room => Some(message.clone()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever breaks, is skipped, repeated or late: what is handed out of each room is its
    /// messages, each once and in order, and nothing is said to be missing.
    #[test]
    fn every_message_comes_once_and_in_order(
        seed: u64,
        trouble in 0usize..40,
        before in 0usize..12,
        steps in 0usize..120,
        newest in 0usize..8,
        start in 0usize..3,
    ) {
        let house = House::new(trouble, seed);
        for number in 0..before {
            house.lock().post(ROOMS[number % 2]);
        }
        let start = [Start::Now, Start::Newest(newest), Start::After(Bound::Seq(0))][start];
        // The first connection is not tried again: that is the caller's to decide.
        let mut subscription = loop {
            match follow(&house, &[(ROOMS[0], start), (ROOMS[1], start)]) {
                Ok(subscription) => break subscription,
                Err(error) => prop_assert!(error.is_passing()),
            }
        };
        let mut events = Vec::new();
        for _ in 0..steps {
            let posts = house.lock().random.below(3);
            for _ in 0..posts {
                let room = ROOMS[house.lock().random.below(2)];
                house.lock().post(room);
            }
            events.extend(subscription.next(Duration::ZERO).unwrap());
        }
        events.extend(rest(&mut subscription, &house));
        for (index, room) in ROOMS.into_iter().enumerate() {
            let all: Vec<_> = house.lock().of(room).cloned().collect();
            let there = (before + 1 - index) / 2;
            let from = match start {
                Start::Now => there,
                Start::Newest(count) => there.saturating_sub(count),
                Start::After(_) => 0,
            };
            prop_assert_eq!(messages(&events, room), &all[from..], "{}", room);
        }
        let wrong = |event: &Event| {
            matches!(event, Event::Missing { .. } | Event::OtherStore | Event::SetBack { .. })
        };
        prop_assert!(!events.iter().any(wrong), "{:?}", events);
        // Each loss is told once, and so is each return.
        let mut is_lost = false;
        for event in &events {
            match event {
                Event::Lost(_) => prop_assert!(!std::mem::replace(&mut is_lost, true)),
                Event::Back => prop_assert!(std::mem::replace(&mut is_lost, false)),
                _ => {}
            }
        }
        prop_assert!(!is_lost);
    }

    /// Where the server no longer keeps everything, each message is handed out or told missing.
    #[test]
    fn what_is_not_handed_out_is_told_missing(seed: u64, trouble in 0usize..40, steps in 1usize..120) {
        let house = House::new(trouble, seed);
        let Ok(mut subscription) = follow(&house, &[(ROOMS[0], Start::After(Bound::Seq(0)))]) else {
            return Ok(());
        };
        let mut events = Vec::new();
        for _ in 0..steps {
            let room = ROOMS[house.lock().random.below(2)];
            house.lock().post(room);
            if house.lock().random.below(10) == 0 {
                let mut house = house.lock();
                house.expired = house.messages.len() as u64;
            }
            events.extend(subscription.next(Duration::ZERO).unwrap());
        }
        // The last one is kept, so that it can prove what stands before it.
        house.lock().post(ROOMS[0]);
        events.extend(rest(&mut subscription, &house));
        let mut told = Vec::new();
        let mut end = 0;
        for event in &events {
            match event {
                Event::Message(message) => {
                    prop_assert!(message.seq > end && message.prev <= end);
                    (end, _) = (message.seq, told.push(message.seq));
                }
                Event::Missing { after, last, .. } => {
                    prop_assert_eq!((*after, *last > end), (end, true));
                    let house = house.lock();
                    told.extend(house.of(ROOMS[0]).map(|m| m.seq).filter(|seq| seq > after && seq <= last));
                    end = *last;
                }
                _ => {}
            }
        }
        let all: Vec<u64> = house.lock().of(ROOMS[0]).map(|message| message.seq).collect();
        prop_assert_eq!(told, all);
    }
}

/// A subscription to the lobby from its beginning, in a calm house with `count` messages, all
/// handed out.
fn settled(count: usize) -> (Subscription<Wire>, Shared) {
    let house = House::new(0, 1);
    for _ in 0..count {
        house.lock().post(ROOMS[0]);
    }
    let mut subscription = follow(&house, &[(ROOMS[0], Start::After(Bound::Seq(0)))]).unwrap();
    assert_eq!(rest(&mut subscription, &house).len(), count);
    (subscription, house)
}

fn cut(subscription: &mut Subscription<Wire>) {
    subscription.link.as_mut().unwrap().is_broken = true;
}

#[test]
fn another_store_is_told_and_followed_from_its_beginning() {
    let (mut subscription, house) = settled(5);
    {
        let mut house = house.lock();
        (house.store, house.messages) = ("second".to_owned(), Vec::new());
        house.post(ROOMS[0]);
    }
    cut(&mut subscription);
    let events = rest(&mut subscription, &house);
    let [
        Event::Lost(_),
        Event::OtherStore,
        Event::Back,
        Event::Message(first),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(first.seq, 1);
}

#[test]
fn a_store_that_was_set_back_is_told_and_followed_from_where_it_is() {
    let (mut subscription, house) = settled(5);
    house.lock().messages.truncate(3);
    cut(&mut subscription);
    let events = rest(&mut subscription, &house);
    assert!(
        matches!(events[1], Event::SetBack { from: 5, to: 3, .. }),
        "{events:?}"
    );
    house.lock().post(ROOMS[0]);
    let events = rest(&mut subscription, &house);
    assert!(
        matches!(&events[..], [Event::Message(message)] if message.seq == 4),
        "{events:?}"
    );
}

#[test]
fn a_history_that_is_refused_is_missing_and_one_that_is_busy_is_not() {
    for (code, is_missing) in [(Code::Forbidden, true), (Code::Busy, false)] {
        let (mut subscription, house) = settled(1);
        for _ in 0..3 {
            house.lock().post(ROOMS[0]);
        }
        house.lock().refusal = Some(code);
        let skipped = house.lock().kept(ROOMS[0], 2).remove(0);
        subscription.hear(Push::Message(skipped));
        let first = subscription.next(Duration::ZERO).unwrap();
        let room = RoomName::lobby();
        match (is_missing, first) {
            (
                true,
                Some(Event::Missing {
                    room: of,
                    after: 1,
                    last: 2,
                }),
            ) => assert_eq!(of, room),
            (false, Some(Event::Lost(Error::Refused(refused)))) => assert!(refused.is_passing()),
            (_, other) => panic!("{other:?}"),
        }
        house.lock().refusal = None;
        let expected = if is_missing { 2 } else { 3 };
        assert_eq!(
            messages(&rest(&mut subscription, &house), ROOMS[0]).len(),
            expected
        );
    }
}

#[test]
fn a_server_that_goes_away_is_left_alone_for_as_long_as_it_asked() {
    let (mut subscription, house) = settled(1);
    let retry_after = Some(Duration::from_secs(60));
    subscription.hear(Push::GoingAway { retry_after });
    cut(&mut subscription);
    rest(&mut subscription, &house);
    let waited = house.lock().waited.clone();
    assert!(
        waited.len() == 1 && waited[0] >= Duration::from_secs(60),
        "{waited:?}"
    );
}

#[test]
fn a_silent_connection_is_asked_for_a_sign_of_life() {
    let (mut subscription, house) = settled(1);
    for pings in [0, 1, 1, 2] {
        assert!(subscription.next(SILENCE / 2).unwrap().is_none());
        assert_eq!(house.lock().pings, pings);
    }
}

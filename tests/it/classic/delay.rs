//! `delay://`: who sleeps holds nobody up.

use super::house::House;
use std::io::Read;
use std::time::{Duration, Instant};

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

/// A thousand sleepers and somebody awake, on four workers.
#[test]
#[ignore = "needs 2,000 descriptors"]
fn a_thousand_sleepers_cost_a_thousand_timers() {
    const SLEEPERS: usize = 1_000;
    let house = House::at("delay://127.0.0.1:0");
    let mut sleepers: Vec<_> = (0..SLEEPERS).map(|_| house.client()).collect();
    let begun = Instant::now();
    for sleeper in &mut sleepers {
        sleeper.say("sleep");
    }
    let said = begun.elapsed();
    let mut awake = house.client();
    let mut slowest = Duration::ZERO;
    while begun.elapsed() < Duration::from_secs(4) {
        let asked = Instant::now();
        awake.say("x");
        awake.hears("已收到普通信息:x");
        slowest = slowest.max(asked.elapsed());
    }
    for sleeper in &mut sleepers {
        sleeper.hears("已收到延时反馈信息:sleep");
        assert!(begun.elapsed() >= Duration::from_secs(5));
    }
    let took = begun.elapsed() - said;
    println!("the last sleeper after {took:?}, the slowest answer to others {slowest:?}");
    // Room for a machine that has more to do; by itself it is less than a tenth of a second.
    assert!(
        took < Duration::from_secs(7),
        "the last was answered after {took:?}"
    );
    assert!(slowest < Duration::from_secs(1), "held up for {slowest:?}");
}

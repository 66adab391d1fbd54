//! The throttle under a clock of its own.

use super::*;

fn throttle() -> Throttle {
    Throttle::new(&Limits::default())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

/// Tries and fails; the wait in seconds if it was not let through.
fn fail(throttle: &Throttle, peer: &str, user: &str, now: u64) -> u64 {
    match throttle.check(ip(peer), user, at(now)) {
        Ok(attempt) => {
            throttle.failed(attempt, at(now));
            0
        }
        Err(wait) => wait.as_secs(),
    }
}

/// Tries and logs in; the wait in seconds if it was not let through.
fn succeed(throttle: &Throttle, peer: &str, user: &str, now: u64) -> u64 {
    match throttle.check(ip(peer), user, at(now)) {
        Ok(attempt) => {
            throttle.succeeded(attempt, at(now));
            0
        }
        Err(wait) => wait.as_secs(),
    }
}

#[test]
fn five_a_minute_then_waits_that_grow_to_an_hour() {
    let throttle = throttle();
    for second in 0..5 {
        assert_eq!(fail(&throttle, "192.0.2.1", "a", second), 0);
    }
    // The fifth was at 4 s.
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 4), 60);
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 63), 1);
    let mut now = 64;
    for wait in [120, 240, 480, 960, 1_920, 3_600, 3_600] {
        assert_eq!(fail(&throttle, "192.0.2.1", "a", now), 0);
        assert_eq!(fail(&throttle, "192.0.2.1", "a", now), wait);
        now += wait;
    }
    // Another user, and another address, are not concerned.
    assert_eq!(fail(&throttle, "192.0.2.1", "b", now), 0);
    assert_eq!(fail(&throttle, "192.0.2.2", "a", now), 0);
    // An hour of quiet after the wait forgives all.
    assert_eq!(fail(&throttle, "192.0.2.1", "a", now + 3_600), 0);
    assert_eq!(fail(&throttle, "192.0.2.1", "a", now + 3_600), 0);
}

#[test]
fn four_a_minute_go_on_for_ever() {
    let throttle = throttle();
    for quarter in 0..100 {
        assert_eq!(fail(&throttle, "192.0.2.1", "a", quarter * 15), 0);
    }
}

#[test]
fn twenty_of_one_address_in_all() {
    let throttle = throttle();
    for number in 0..20 {
        assert_eq!(fail(&throttle, "192.0.2.1", &number.to_string(), 0), 0);
    }
    assert_eq!(fail(&throttle, "192.0.2.1", "new", 0), 60);
    assert_eq!(fail(&throttle, "::ffff:192.0.2.1", "new", 0), 60);
    assert_eq!(fail(&throttle, "192.0.2.2", "new", 0), 0);
}

#[test]
fn an_ipv6_network_is_one_address() {
    let throttle = throttle();
    for number in 0..20 {
        assert_eq!(
            fail(
                &throttle,
                &format!("2001:db8::{number}"),
                &number.to_string(),
                0
            ),
            0
        );
    }
    assert_eq!(fail(&throttle, "2001:db8::ffff:1", "new", 0), 60);
    assert_eq!(fail(&throttle, "2001:db8:0:1::1", "new", 0), 0);
}

#[test]
fn good_logins_are_never_throttled() {
    let throttle = throttle();
    for number in 0..5_000 {
        let user = (number % 7).to_string();
        assert_eq!(succeed(&throttle, "127.0.0.1", &user, 0), 0);
    }
}

#[test]
fn nobody_elsewhere_locks_an_owner_out() {
    let throttle = throttle();
    assert_eq!(succeed(&throttle, "192.0.2.1", "owner", 0), 0);
    // Somebody else at the same address uses up its tries, also those on the owner's name
    // from elsewhere.
    for number in 0..20 {
        fail(&throttle, "192.0.2.1", &number.to_string(), 1);
        fail(&throttle, "198.51.100.1", "owner", 1);
    }
    assert_eq!(succeed(&throttle, "192.0.2.1", "stranger", 2), 59);
    assert_eq!(succeed(&throttle, "192.0.2.1", "owner", 2), 0);
    // The owner's own failures don't use up the address's either.
    let month = 30 * 24 * 3_600;
    assert_eq!(succeed(&throttle, "192.0.2.1", "owner", month), 0);
    for number in 0..20 {
        fail(&throttle, "192.0.2.1", &number.to_string(), 2 * month - 1);
    }
    assert_eq!(fail(&throttle, "192.0.2.1", "owner", 2 * month - 1), 0);
    assert_eq!(fail(&throttle, "192.0.2.1", "owner", 2 * month), 59);
}

#[test]
fn a_login_forgets_the_pairs_failures_but_not_the_addresses() {
    let throttle = throttle();
    for round in 0..4 {
        for _ in 0..4 {
            assert_eq!(fail(&throttle, "192.0.2.1", &format!("u{round}"), 0), 0);
        }
        assert_eq!(succeed(&throttle, "192.0.2.1", "mine", 0), 0);
    }
    for _ in 0..4 {
        assert_eq!(fail(&throttle, "192.0.2.1", "mine", 0), 0);
    }
    assert_eq!(succeed(&throttle, "192.0.2.1", "mine", 0), 0);
    for _ in 0..4 {
        assert_eq!(fail(&throttle, "192.0.2.1", "u9", 0), 0);
    }
    assert_eq!(fail(&throttle, "192.0.2.1", "u9", 0), 60);
}

#[test]
fn a_clock_set_back_makes_no_wait_longer() {
    let throttle = throttle();
    for _ in 0..5 {
        fail(&throttle, "192.0.2.1", "a", 500_000);
    }
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 0), 60);
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 60), 0);
}

#[test]
fn what_is_tracked_is_bounded_and_waits_are_kept_longest() {
    let throttle = Throttle {
        most_keys: 10,
        ..throttle()
    };
    for _ in 0..5 {
        fail(&throttle, "192.0.2.1", "a", 0);
    }
    for number in 0..100 {
        let peer = format!("198.51.100.{number}");
        fail(&throttle, &peer, "a", 1);
        succeed(&throttle, &peer, "b", 1);
    }
    let state = throttle.state.lock();
    assert!(state.failures.len() <= 10);
    assert!(state.known.len() <= 10);
    drop(state);
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 1), 59);
}

fn source(text: &str) -> Source {
    text.parse().unwrap()
}

#[test]
fn what_cannot_be_a_name_counts_for_the_address_alone() {
    let throttle = throttle();
    for number in 0..20 {
        assert_eq!(fail(&throttle, "192.0.2.1", "no|name", number), 0);
    }
    assert_eq!(fail(&throttle, "192.0.2.1", "no|name", 19), 60);
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 19), 60);
}

#[test]
fn the_limits_are_the_operator_s() {
    let throttle = Throttle::new(&Limits {
        max_failed_logins: 1,
        max_failed_logins_per_address: 2,
        longest_login_wait: Duration::from_secs(90),
        ..Limits::default()
    });
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 0), 0);
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 0), 60);
    assert_eq!(fail(&throttle, "192.0.2.1", "b", 0), 0);
    assert_eq!(fail(&throttle, "192.0.2.1", "c", 0), 60);
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 60), 0);
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 60), 90);
}

#[test]
fn waits_and_known_pairs_are_told_and_taken_over() {
    let (before, after) = (throttle(), throttle());
    let try_as = |throttle: &Throttle, user: &str, now: u64| {
        throttle.check(ip("192.0.2.1"), user, at(now)).unwrap()
    };
    let known = before
        .succeeded(try_as(&before, "owner", 0), at(0))
        .unwrap();
    assert_eq!(known, (source("192.0.2.1 owner"), at(0)));
    let mut bans = Vec::new();
    for second in 0..5 {
        assert!(bans.is_empty(), "told before a wait began");
        bans = before.failed(try_as(&before, "a", second), at(second));
    }
    let ban = Ban {
        source: source("192.0.2.1 a"),
        wait: FIRST_WAIT,
        since: at(4),
    };
    assert_eq!(bans, [ban]);
    let remembered = Remembered {
        bans,
        known: vec![known],
        lifted: Vec::new(),
    };
    after.remember(remembered, at(5));
    assert!(after.is_in_force(at(5)));
    assert_eq!(fail(&after, "192.0.2.1", "a", 5), 59);
    // Doubled, as it would have been.
    let bans = after.failed(try_as(&after, "a", 64), at(64));
    assert_eq!(bans[0].wait, 2 * FIRST_WAIT);
    // The known pair is exempt from the address's count still.
    for number in 0..20 {
        fail(&after, "192.0.2.1", &number.to_string(), 64);
    }
    assert_eq!(succeed(&after, "192.0.2.1", "owner", 64), 0);
    after.lift(&[source("192.0.2.1 a"), source("192.0.2.1")]);
    assert!(!after.is_in_force(at(64)));
    assert_eq!(fail(&after, "192.0.2.1", "a", 65), 0);
}

#[test]
fn of_more_than_is_tracked_what_still_matters_and_is_newest_is_taken_over() {
    let throttle = Throttle {
        most_keys: 10,
        ..throttle()
    };
    let month = 30 * 24 * 3_600;
    // Those with the lowest addresses, as many as there is room for, are over.
    let since = |number: u64| if number < 10 { 0 } else { month + number };
    let numbers = 0..50;
    let bans = numbers.clone().map(|number| Ban {
        source: source(&format!("192.0.2.{number}")),
        wait: FIRST_WAIT,
        since: at(since(number)),
    });
    let pair = |number| source(&format!("192.0.2.{number} owner"));
    let known = numbers.map(|number| (pair(number), at(since(number))));
    let remembered = Remembered {
        bans: bans.collect(),
        known: known.collect(),
        lifted: Vec::new(),
    };
    let now = month + 49;
    throttle.remember(remembered, at(now));
    let wait = |number: u64, user: &str| fail(&throttle, &format!("192.0.2.{number}"), user, now);
    for number in 40..50 {
        assert_eq!(wait(number, "stranger"), 60 - (49 - number), "{number}");
        assert_eq!(wait(number, "owner"), 0, "{number} is known");
    }
    let state = throttle.state.lock();
    assert_eq!(state.known.len(), 10);
    assert!(!state.known.contains_key(&pair(39)));
    assert!(!state.failures.contains_key(&source("192.0.2.39")));
}

#[test]
fn that_somebody_logged_in_is_told_once_a_day() {
    let throttle = throttle();
    let told = |now: u64| {
        let attempt = throttle.check(ip("192.0.2.1"), "a", at(now)).unwrap();
        throttle.succeeded(attempt, at(now)).is_some()
    };
    let day = 24 * 3_600;
    let times = [0, 1, day - 1, day, day + 1, 2 * day];
    assert_eq!(times.map(told), [true, false, false, true, false, true]);
    // The clock was set back.
    assert!(told(5));
}

#[test]
fn a_wait_matters_for_an_hour_after_its_end() {
    let throttle = throttle();
    assert!(!throttle.is_in_force(at(0)));
    for _ in 0..5 {
        fail(&throttle, "192.0.2.1", "a", 0);
    }
    assert!(throttle.is_in_force(at(60 + 3_599)));
    assert!(!throttle.is_in_force(at(60 + 3_600)));
    assert!(throttle.state.lock().failures.is_empty());
}

//! The throttle under a clock of its own.

use super::*;

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
    let throttle = Throttle::new();
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
    let throttle = Throttle::new();
    for quarter in 0..100 {
        assert_eq!(fail(&throttle, "192.0.2.1", "a", quarter * 15), 0);
    }
}

#[test]
fn twenty_of_one_address_in_all() {
    let throttle = Throttle::new();
    for number in 0..20 {
        assert_eq!(fail(&throttle, "192.0.2.1", &number.to_string(), 0), 0);
    }
    assert_eq!(fail(&throttle, "192.0.2.1", "new", 0), 60);
    assert_eq!(fail(&throttle, "::ffff:192.0.2.1", "new", 0), 60);
    assert_eq!(fail(&throttle, "192.0.2.2", "new", 0), 0);
}

#[test]
fn an_ipv6_network_is_one_address() {
    let throttle = Throttle::new();
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
    let throttle = Throttle::new();
    for number in 0..5_000 {
        let user = (number % 7).to_string();
        assert_eq!(succeed(&throttle, "127.0.0.1", &user, 0), 0);
    }
}

#[test]
fn nobody_elsewhere_locks_an_owner_out() {
    let throttle = Throttle::new();
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
    let throttle = Throttle::new();
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
    let throttle = Throttle::new();
    for _ in 0..5 {
        fail(&throttle, "192.0.2.1", "a", 500_000);
    }
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 0), 60);
    assert_eq!(fail(&throttle, "192.0.2.1", "a", 60), 0);
}

#[test]
fn what_is_tracked_is_bounded_and_waits_are_kept_longest() {
    let throttle = Throttle::with_most_keys(10);
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

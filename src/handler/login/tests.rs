//! Logins one by one. Sequences of them are in `model`.

use super::*;
use crate::gate::{Gate, proof};
use crate::handler::house::tests::TestHouse;
use crate::handler::logout::Logout;
use crate::session::Role;
use crate::store::{MemoryUsers, Secret};
use crate::time::{Clock, Random};
use crate::wire::{Answer, UserName};
use std::sync::Arc;
use std::time::SystemTime;

fn house(login: LoginPolicy) -> TestHouse {
    let account = Account {
        name: UserName::new("lisi").unwrap(),
        secret: Secret::Md5(proof("salt", "password")),
        role: Role::Admin,
    };
    let users = Arc::new(MemoryUsers::new([account]));
    let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH);
    let mut house = TestHouse::new();
    house.house.gate = Gate::with(users, clock, Random::seeded(1));
    house.session.login = login;
    house
}

pub(super) fn fields(username: &str, password: &str) -> Fields {
    Fields::new()
        .with("username", username)
        .with("password", proof("salt", password))
}

pub(super) fn with_token(token: &str) -> Fields {
    Fields::new().with("token", token)
}

pub(super) fn log_in(house: &mut TestHouse, fields: &Fields) -> Answer {
    house.serve(&Login, fields, &[])
}

/// The token that a reply tells.
pub(super) fn token(reply: &Reply) -> Token {
    let token = reply.fields.iter().find(|(name, _)| *name == "token");
    match &token.unwrap().1 {
        Datum::Token(token) => token.clone(),
        other => panic!("{other:?} is no token"),
    }
}

#[test]
fn a_login_changes_the_session_and_a_failed_one_does_not() {
    let mut house = house(LoginPolicy::Required);
    let wrong = log_in(&mut house, &fields("lisi", "x")).unwrap_err();
    let nobody = log_in(&mut house, &fields("nobody", "x")).unwrap_err();
    assert_eq!(wrong.to_string(), "bad_login: 账号或密码错误");
    assert_eq!(wrong, nobody);
    assert!(house.session.owes_login());

    let reply = log_in(&mut house, &fields("lisi", "password")).unwrap();
    let expected = Reply::new()
        .with("text", "登陆成功")
        .with("user", "lisi")
        .with("role", "admin")
        .with("token", token(&reply))
        .with("expires_in", 30 * 24 * 3_600u64);
    assert_eq!(reply, expected);
    assert!(!house.session.owes_login());

    assert!(log_in(&mut house, &fields("lisi", "x")).is_err());
    assert_eq!(house.session.role, Role::Admin);
    assert_eq!(house.session.user.unwrap().as_str(), "lisi");
}

#[test]
fn a_token_logs_in_without_a_hash_until_it_is_revoked() {
    let mut house = house(LoginPolicy::Optional);
    let reply = log_in(&mut house, &fields("lisi", "password")).unwrap();
    let token = token(&reply);
    let hashes = house.house.gate.hashes();
    let logged_out = house.serve(&Logout, &with_token(&format!("gp_{}", "0".repeat(64))), &[]);
    assert_eq!(logged_out, Ok(Reply::new()));
    assert_eq!(
        (house.session.role, house.session.user.as_ref()),
        (Role::Guest, None)
    );
    let reply = log_in(&mut house, &with_token(&token.text())).unwrap();
    let expected = Reply::new()
        .with("text", "登陆成功")
        .with("user", "lisi")
        .with("role", "admin")
        .with("token", Datum::Null)
        .with("expires_in", 30 * 24 * 3_600u64);
    assert_eq!(reply, expected);
    assert_eq!(house.serve(&Logout, &Fields::new(), &[]), Ok(Reply::new()));
    assert_eq!(house.session.role, Role::Guest);
    let refused = log_in(&mut house, &with_token(&token.text())).unwrap_err();
    assert_eq!(refused.to_string(), "bad_login: 账号或密码错误");
    assert_eq!(house.house.gate.hashes(), hashes);
}

#[test]
fn a_connection_that_has_no_use_for_tokens_gets_none() {
    let mut house = house(LoginPolicy::Optional);
    house.session.takes_tokens = false;
    let reply = log_in(&mut house, &fields("lisi", "password")).unwrap();
    assert!(reply.fields.contains(&("token", Datum::Null)));
}

#[test]
fn what_cannot_be_a_login_is_refused_without_a_hash() {
    let good = fields("lisi", "password");
    let mut off = house(LoginPolicy::Off);
    let refused = log_in(&mut off, &good).unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
    let mut house = house(LoginPolicy::Optional);
    let both = good.clone().with("token", format!("gp_{}", "0".repeat(64)));
    let name_only = Fields::new().with("username", "lisi");
    let number = good.clone().with("password", 5);
    for fields in [both, Fields::new(), name_only, number, with_token("x")] {
        let refused = log_in(&mut house, &fields).unwrap_err();
        assert_eq!(refused.code, Code::BadHeader, "{fields:?}");
    }
    house.session.peer = ([192, 0, 2, 1], 1).into();
    for fields in [&good, &with_token(&format!("gp_{}", "0".repeat(64)))] {
        assert_eq!(
            log_in(&mut house, fields).unwrap_err().code,
            Code::Forbidden
        );
        let out = house
            .serve(&Logout, fields, &[])
            .map_err(|refusal| refusal.code);
        let has_secret = fields.get("token").is_some();
        assert_eq!(out.is_err(), has_secret, "{out:?}");
    }
    assert_eq!(house.house.gate.hashes(), 0);
}

#[test]
fn only_a_password_waits_for_the_hashes_of_others() {
    assert_eq!(Login.cost(&fields("lisi", "password")), Cost::Hashing);
    assert_eq!(Login.cost(&with_token("x")), Cost::Blocking);
}

#[test]
fn too_many_tries_say_when_to_come_again() {
    let mut house = house(LoginPolicy::Optional);
    for _ in 0..5 {
        let wrong = log_in(&mut house, &fields("lisi", "x")).unwrap_err();
        assert_eq!(wrong.code, Code::BadLogin);
    }
    let wait = log_in(&mut house, &fields("lisi", "password")).unwrap_err();
    assert_eq!(
        wait.to_string(),
        "too_many_tries: too many failed logins; try again in 60 s"
    );
    assert_eq!(wait.fields, [("retry_after_ms", Datum::Number(60_000))]);
}

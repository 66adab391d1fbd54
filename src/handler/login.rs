//! `login`: who is at the other end from now on, by a password's proof or by a token. Whether that
//! is right, and whether it is time for another try, is left to [`crate::gate`].

use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec, reading, secrecy};
use crate::config::LoginPolicy;
use crate::gate::{Denied, Issued, Opened};
use crate::store::Account;
use crate::wire::{Code, Datum, Fields, Refusal, Reply, Token};
use std::time::Duration;

/// What the course's server says to the right proof, and to any wrong one.
const WELCOME: &str = "登陆成功";
const WRONG: &str = "账号或密码错误";

/// The request type `login`.
pub(super) struct Login;

impl Handler for Login {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "login",
            body: Body::None,
            cost: Cost::Hashing,
            right: None,
            before_login: true,
            overlap: Overlap::None,
        }
    }

    /// A token costs no hash, and must not stand in the line of those who guess passwords.
    fn cost(&self, fields: &Fields) -> Cost {
        match fields.get("token") {
            Some(_) => Cost::Blocking,
            None => Cost::Hashing,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        secrecy::check(call)?;
        if call.session.login == LoginPolicy::Off {
            return Err(Refusal::new(
                Code::Forbidden,
                "nobody logs in at this address",
            ));
        }
        match fields.text("token")? {
            Some(token) => open(call, fields, token),
            None => log_in(call, fields),
        }
    }
}

/// Logs the session in by a password. A failure leaves it as it was, also one that is logged in
/// already.
fn log_in(call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
    let username = fields.required_text("username")?;
    let proof = fields.required_text("password")?;
    let gate = &call.house.gate;
    let account = gate
        .login(call.session.peer.ip(), username, proof)
        .map_err(refuse)?;
    if !call.session.takes_tokens {
        sign_in(call, &account, None);
        return Ok(Outcome::Reply(welcome(&account, None)));
    }
    let ticket = call.ticket();
    let admitted = account.clone();
    let token = gate.issue(&account, move |issued: Option<Issued>| {
        let token = issued.map(|it| (Datum::from(it.token), it.lifetime));
        ticket.redeem(Ok(welcome(&admitted, token)));
    });
    sign_in(call, &account, token);
    Ok(Outcome::Ticket)
}

/// Logs the session in by a token.
fn open(call: &mut Call<'_>, fields: &Fields, token: &str) -> Result<Outcome, Refusal> {
    if fields.get("username").is_some() || fields.get("password").is_some() {
        let reason = "either a `token`, or a `username` and a `password`";
        return Err(Refusal::new(Code::BadHeader, reason));
    }
    let token: Token = token.parse()?;
    let Opened { account, left } = call.house.gate.open(&token).map_err(refuse)?;
    sign_in(call, &account, Some(token.hash()));
    // Who sent it has it.
    let reply = welcome(&account, Some((Datum::Null, left)));
    Ok(Outcome::Reply(reply))
}

fn sign_in(call: &mut Call<'_>, account: &Account, token: Option<crate::wire::TokenHash>) {
    call.sign_in(account, token);
    reading::leave_closed(call);
}

/// The answer to who logged in as `account`, with a token that lasts for a while.
fn welcome(account: &Account, token: Option<(Datum, Duration)>) -> Reply {
    let (token, lifetime) = token.map_or((Datum::Null, None), |(token, left)| {
        (token, Some(left.as_secs()))
    });
    Reply::new()
        .with("text", WELCOME)
        .with("user", account.name.to_string())
        .with("role", account.role.word())
        .with("token", token)
        .with("expires_in", lifetime)
}

fn refuse(denied: Denied) -> Refusal {
    match denied {
        Denied::Wrong => Refusal::new(Code::BadLogin, WRONG),
        Denied::Wait(wait) => {
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            Refusal::new(Code::TooManyTries, denied.to_string()).with("retry_after_ms", millis)
        }
        Denied::Unchecked => Refusal::internal(),
    }
}

#[cfg(test)]
mod tests {
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

    fn fields(username: &str, password: &str) -> Fields {
        Fields::new()
            .with("username", username)
            .with("password", proof("salt", password))
    }

    fn with_token(token: &str) -> Fields {
        Fields::new().with("token", token)
    }

    fn log_in(house: &mut TestHouse, fields: &Fields) -> Answer {
        house.serve(&Login, fields, &[])
    }

    /// The token that a reply tells.
    fn token(reply: &Reply) -> Token {
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
}

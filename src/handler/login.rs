//! `login`: who is at the other end from now on, by a password's proof or by a token. Whether that
//! is right, and whether it is time for another try, is left to [`crate::gate`].

use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec, reading, secrecy};
use crate::config::LoginPolicy;
use crate::gate::{Denied, Issued, Opened};
use crate::store::Account;
use crate::wire::{Code, Datum, Fields, Refusal, Reply, Token, TokenHash};
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

fn sign_in(call: &mut Call<'_>, account: &Account, token: Option<TokenHash>) {
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
mod model;
#[cfg(test)]
mod tests;

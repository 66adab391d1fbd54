//! `login`: who is at the other end from now on. Whether the proof is right, and whether it is time
//! for another try, is left to [`crate::gate`].

use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec};
use crate::config::LoginPolicy;
use crate::gate::{Denied, Gate};
use crate::session::{Role, Session};
use crate::wire::{Code, Datum, Fields, Refusal, Reply};

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
            role: Role::Guest,
            before_login: true,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        if !call.house.insecure && !call.session.is_private() {
            let reason = "a proof is as good as a password and is not taken in the clear from \
                          other machines";
            return Err(Refusal::new(Code::Forbidden, reason));
        }
        log_in(&call.house.gate, call.session, fields).map(Outcome::Reply)
    }
}

/// Logs the session in. A failure leaves it as it was, also one that is logged in already.
fn log_in(gate: &Gate, session: &mut Session, fields: &Fields) -> Result<Reply, Refusal> {
    if session.login == LoginPolicy::Off {
        return Err(Refusal::new(
            Code::Forbidden,
            "nobody logs in at this address",
        ));
    }
    if fields.text("token")?.is_some() {
        return Err(Refusal::new(
            Code::BadHeader,
            "this server gives no tokens; log in with `username` and `password`",
        ));
    }
    let username = fields.required_text("username")?;
    let proof = fields.required_text("password")?;
    let account = gate
        .login(session.peer.ip(), username, proof)
        .map_err(refuse)?;
    let reply = Reply::new()
        .with("text", WELCOME)
        .with("user", account.name.to_string())
        .with("role", account.role.word())
        .with("token", Datum::Null)
        .with("expires_in", Datum::Null);
    session.user = Some(account.name);
    session.role = account.role;
    Ok(reply)
}

fn refuse(denied: Denied) -> Refusal {
    match denied {
        Denied::Wrong => Refusal::new(Code::BadLogin, WRONG),
        Denied::Wait(wait) => {
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            Refusal::new(Code::TooManyTries, denied.to_string()).with("retry_after_ms", millis)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::proof;
    use crate::store::{Account, MemoryUsers, Secret};
    use crate::time::{Clock, Random};
    use crate::wire::UserName;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;
    use std::time::SystemTime;

    fn gate() -> Gate {
        let account = Account {
            name: UserName::new("lisi").unwrap(),
            secret: Secret::Md5(proof("salt", "password")),
            role: Role::Admin,
        };
        let users = Arc::new(MemoryUsers::new([account]));
        let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH);
        Gate::with(users, clock, Random::seeded(1))
    }

    fn session(login: LoginPolicy) -> Session {
        Session::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), login)
    }

    fn fields(username: &str, password: &str) -> Fields {
        Fields::new()
            .with("username", username)
            .with("password", proof("salt", password))
    }

    #[test]
    fn a_login_changes_the_session_and_a_failed_one_does_not() {
        let (gate, mut session) = (gate(), session(LoginPolicy::Required));
        let wrong = log_in(&gate, &mut session, &fields("lisi", "x")).unwrap_err();
        let nobody = log_in(&gate, &mut session, &fields("nobody", "x")).unwrap_err();
        assert_eq!(wrong.to_string(), "bad_login: 账号或密码错误");
        assert_eq!(wrong, nobody);
        assert!(session.owes_login());

        let reply = log_in(&gate, &mut session, &fields("lisi", "password")).unwrap();
        let expected = Reply::new()
            .with("text", "登陆成功")
            .with("user", "lisi")
            .with("role", "admin")
            .with("token", Datum::Null)
            .with("expires_in", Datum::Null);
        assert_eq!(reply, expected);
        assert!(!session.owes_login());

        assert!(log_in(&gate, &mut session, &fields("lisi", "x")).is_err());
        assert_eq!(session.role, Role::Admin);
        assert_eq!(session.user.unwrap().as_str(), "lisi");
    }

    #[test]
    fn what_cannot_be_a_login_is_refused_without_a_hash() {
        let gate = gate();
        let refused = |login, fields: &Fields| {
            let mut session = session(login);
            log_in(&gate, &mut session, fields).unwrap_err().code
        };
        let good = fields("lisi", "password");
        assert_eq!(refused(LoginPolicy::Off, &good), Code::Forbidden);
        let token = good.clone().with("token", "x");
        let name_only = Fields::new().with("username", "lisi");
        let number = good.clone().with("password", 5);
        for fields in [token, Fields::new(), name_only, number] {
            assert_eq!(refused(LoginPolicy::Optional, &fields), Code::BadHeader);
        }
        assert_eq!(gate.hashes(), 0);
    }

    #[test]
    fn too_many_tries_say_when_to_come_again() {
        let (gate, mut session) = (gate(), session(LoginPolicy::Optional));
        for _ in 0..5 {
            let wrong = log_in(&gate, &mut session, &fields("lisi", "x")).unwrap_err();
            assert_eq!(wrong.code, Code::BadLogin);
        }
        let wait = log_in(&gate, &mut session, &fields("lisi", "password")).unwrap_err();
        assert_eq!(
            wait.to_string(),
            "too_many_tries: too many failed logins; try again in 60 s"
        );
        assert_eq!(wait.fields, [("retry_after_ms", Datum::Number(60_000))]);
    }
}

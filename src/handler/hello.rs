//! `hello`: what the server is, what it speaks and what it allows.

use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec};
use crate::config::LoginPolicy;
use crate::wire::{Code, Fields, Refusal, Reply};
use serde_json::Value;
use std::sync::atomic::Ordering;

/// The one version of the protocol there is.
const PROTO: u64 = 1;

/// Tells a client what it needs to know before anything else. Served before a login.
pub(super) struct Hello;

impl Handler for Hello {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "hello",
            body: Body::None,
            cost: Cost::Quick,
            right: None,
            before_login: true,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        fields.text("client")?;
        if fields.number("proto")?.is_some_and(|proto| proto != PROTO) {
            let refusal = Refusal::new(Code::BadHeader, "this server speaks proto 1 only");
            return Err(refusal.with("proto", PROTO));
        }
        let house = call.house;
        let login = match call.session.login {
            LoginPolicy::Off => "off",
            LoginPolicy::Optional => "optional",
            LoginPolicy::Required => "required",
        };
        let draining = house.draining.load(Ordering::Relaxed);
        let bots: Vec<Value> = crate::bot::BOTS.iter().map(|bot| bot.name.into()).collect();
        Ok(Outcome::Reply(
            Reply::new()
                .with("server", "gatepost")
                .with("version", env!("CARGO_PKG_VERSION"))
                .with("proto", PROTO)
                .with("store", house.messages.id().to_owned())
                .with("login", login)
                .with("salt", house.salt.clone())
                .with("max_header", house.limits.max_header as u64)
                .with("max_text", house.limits.max_text as u64)
                .with("bots", Value::Array(bots))
                .with("state", if draining { "draining" } else { "running" }),
        ))
    }
}

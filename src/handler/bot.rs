//! `bot`: a text, and what a bot says to it.

use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec, TextSink};
use crate::bot;
use crate::session::Right;
use crate::wire::{Code, Fields, Refusal, Reply};

/// The request type `bot`.
pub(super) struct Bot;

impl Handler for Bot {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "bot",
            body: Body::Frame,
            cost: Cost::Quick,
            right: Some(Right::Bot),
            before_login: false,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let bot = choose(fields)?;
        TextSink::open(call, |call, text, _charge| {
            let answer = (bot.answer)(&text, &call.house.random);
            Ok(Outcome::Reply(Reply::new().with_body(answer)))
        })
    }
}

/// The bot that is asked.
fn choose(fields: &Fields) -> Result<&'static bot::Bot, Refusal> {
    let name = fields.text("bot")?.unwrap_or(bot::DEFAULT);
    bot::find(name).ok_or_else(|| {
        let known: Vec<_> = bot::BOTS.iter().map(|bot| bot.name).collect();
        let error = format!("there is no such bot; known are {}", known.join(", "));
        Refusal::new(Code::NotFound, error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_dongmei_and_an_unknown_bot_is_not_found() {
        let name = |fields: Fields| choose(&fields).map(|bot| bot.name);
        assert_eq!(name(Fields::new()), Ok("dongmei"));
        assert_eq!(name(Fields::new().with("bot", "echo")), Ok("echo"));
        let unknown = name(Fields::new().with("bot", "eliza")).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "not_found: there is no such bot; known are dongmei, echo"
        );
        let wrong = name(Fields::new().with("bot", 5)).unwrap_err();
        assert_eq!(wrong.code, Code::BadHeader);
    }
}

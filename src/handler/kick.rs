//! `kick`: an admin ends every connection of a user. The account stays as it is.

use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec};
use crate::session::Right;
use crate::wire::{Code, Fields, Refusal, Reply, UserName};

/// The request type `kick`.
pub(super) struct Kick;

impl Handler for Kick {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "kick",
            body: Body::None,
            cost: Cost::Quick,
            right: Some(Right::Kick),
            before_login: false,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let user = UserName::new(fields.required_text("user")?)
            .map_err(|error| Refusal::new(Code::BadHeader, error.to_string()))?;
        let count = call.house.presence.kick(&user);
        if let Some(admin) = &call.session.user {
            tracing::info!(%admin, %user, count, "connections were ended");
        }
        Ok(Outcome::Reply(Reply::new().with("count", count as u64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::house::tests::TestHouse;
    use crate::handler::presence::Order;
    use crate::session::{Role, SecretMark};

    #[test]
    fn the_connections_of_a_user_are_told_to_end() {
        let mut house = TestHouse::new();
        let lisi = UserName::new("lisi").unwrap();
        let presence = &house.house.presence;
        presence.enter(7, &lisi, SecretMark([0; 32]), Role::User);
        presence.enter(8, &lisi, SecretMark([0; 32]), Role::User);
        let mut kick = |user: &str| house.serve(&Kick, &Fields::new().with("user", user), &[]);
        assert_eq!(kick("lisi"), Ok(Reply::new().with("count", 2u64)));
        assert_eq!(kick("nobody"), Ok(Reply::new().with("count", 0u64)));
        assert_eq!(kick("a|b").unwrap_err().code, Code::BadHeader);
        let order = house.house.presence.take_order(7);
        assert!(matches!(order, Some(Order::End(_))), "{order:?}");
    }
}

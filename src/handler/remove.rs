//! `remove`: a published file goes, by its owner's or an admin's word.

use super::viewer::viewer;
use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec, refuse_file};
use crate::session::Right;
use crate::wire::{Fields, FileName, Refusal, Reply};

/// The request type `remove`.
pub(super) struct Remove;

impl Handler for Remove {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "remove",
            body: Body::None,
            cost: Cost::Blocking,
            // A guest owns nothing.
            right: Some(Right::RemoveOwn),
            before_login: false,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let name = FileName::new(fields.required_text("file_name")?)?;
        let viewer = viewer(call.session);
        (call.house.files.remove(&name, &viewer))
            .map_err(|error| refuse_file("a file is removed", &error))?;
        Ok(Outcome::Reply(Reply::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::file::File;
    use crate::handler::house::tests::TestHouse;
    use crate::session::Role;
    use crate::wire::{Code, UserName};

    #[test]
    fn a_file_is_removed_by_its_owner_or_an_admin() {
        let mut house = TestHouse::new();
        let named = |name: &str| Fields::new().with("file_name", name);
        let log_in = |house: &mut TestHouse, user: &str, role| {
            house.session.user = UserName::new(user).ok();
            house.session.role = role;
        };
        log_in(&mut house, "zhangsan", Role::User);
        house.serve(&File, &named("a"), &[b"a"]).unwrap();
        house.serve(&File, &named("b"), &[b"b"]).unwrap();
        let fields = named("c").with("room", "@zhangsan");
        house.serve(&File, &fields, &[b"c"]).unwrap();
        let removed = |house: &mut TestHouse, name: &str| {
            let removed = house.serve(&Remove, &named(name), &[]);
            removed.map_err(|refusal| refusal.code)
        };
        log_in(&mut house, "lisi", Role::User);
        assert_eq!(removed(&mut house, "a"), Err(Code::Forbidden));
        assert_eq!(removed(&mut house, "c"), Err(Code::NotFound));
        assert_eq!(removed(&mut house, "../a"), Err(Code::BadName));
        log_in(&mut house, "zhangsan", Role::User);
        assert_eq!(removed(&mut house, "a"), Ok(Reply::new()));
        assert_eq!(removed(&mut house, "a"), Err(Code::NotFound));
        log_in(&mut house, "root", Role::Admin);
        assert_eq!(removed(&mut house, "b"), Ok(Reply::new()));
        assert_eq!(house.files.names(), ["c"]);
    }
}

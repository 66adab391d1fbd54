//! `get`: a published file, from any byte on. How its bytes reach the peer is left to the server.

use super::offset::digest;
use super::viewer::viewer;
use super::{Body, Call, Cost, Handler, Outcome, Overlap, Source, Spec, refuse_file};
use crate::session::Right;
use crate::store::Content;
use crate::wire::{Code, Fields, FileName, Refusal, Reply};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The request type `get`.
pub(super) struct Get;

/// The rest of a file.
struct Rest {
    content: Content,
    /// Where in the file it begins.
    begin: u64,
    /// Its length in bytes.
    bytes: u64,
}

impl Handler for Get {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "get",
            body: Body::None,
            cost: Cost::Blocking,
            right: Some(Right::Download),
            before_login: false,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let name = FileName::new(fields.required_text("file_name")?)?;
        let begin = fields.number("offset")?.unwrap_or(0);
        let expected = digest(fields)?;
        let viewer = viewer(call.session);
        let file = (call.house.files.open(&name, &viewer, expected))
            .map_err(|error| refuse_file("a file is opened", &error))?;
        let Some(bytes) = file.size.checked_sub(begin) else {
            // Whoever goes on with a download had a longer file under this name.
            let reason = format!("the file ends at byte {}, before the offset", file.size);
            return Err(Refusal::new(Code::Conflict, reason).with("size", file.size));
        };
        let reply = Reply::new()
            .with("name", file.name.into_string())
            .with("size", file.size)
            .with("digest", file.digest.map(|digest| digest.to_string()));
        let content = file.content;
        let rest = Rest {
            content,
            begin,
            bytes,
        };
        Ok(Outcome::Source(reply, Box::new(rest)))
    }
}

impl Source for Rest {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, at: u64, room: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.saturating_sub(at);
        let room_left = usize::try_from(left).map_or(room.len(), |left| left.min(room.len()));
        self.content
            .read_at(&mut room[..room_left], self.begin + at)
    }

    fn file(&self) -> Option<(BorrowedFd<'_>, u64)> {
        let file = self.content.as_file()?;
        Some((file.as_fd(), self.begin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::file::File;
    use crate::handler::house::tests::TestHouse;
    use crate::session::Role;
    use crate::wire::{Answer, Datum, UserName};

    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn named(name: &str) -> Fields {
        Fields::new().with("file_name", name)
    }

    fn got(house: &mut TestHouse, fields: &Fields) -> Answer {
        house.serve(&Get, fields, &[])
    }

    fn reply(digest: impl Into<Datum>, body: &str) -> Reply {
        Reply::new()
            .with("name", "abc".to_owned())
            .with("size", 3)
            .with("digest", digest)
            .with_body(body)
    }

    #[test]
    fn a_file_is_had_from_any_byte_on() {
        let mut house = TestHouse::new();
        house.serve(&File, &named("abc"), &[b"abc"]).unwrap();
        let fields = named("abc");
        assert_eq!(got(&mut house, &fields), Ok(reply(Datum::Null, "abc")));
        for (offset, body) in [(0, "abc"), (2, "c"), (3, "")] {
            let fields = named("abc").with("offset", offset);
            assert_eq!(got(&mut house, &fields), Ok(reply(Datum::Null, body)));
        }
        let refused = got(&mut house, &named("abc").with("offset", 4)).unwrap_err();
        assert_eq!(refused.code, Code::Conflict);
        assert_eq!(refused.fields, [("size", Datum::Number(3))]);
    }

    #[test]
    fn a_file_that_became_another_is_a_conflict() {
        let mut house = TestHouse::new();
        house.serve(&File, &named("abc"), &[b"abc"]).unwrap();
        let fields = named("abc").with("digest", ABC);
        assert_eq!(got(&mut house, &fields), Ok(reply(ABC, "abc")));
        let other = ABC.replace("ba78", "ba79");
        for (digest, code) in [
            (other.as_str(), Code::Conflict),
            ("sha256", Code::BadHeader),
        ] {
            let refused = got(&mut house, &named("abc").with("digest", digest));
            assert_eq!(refused.unwrap_err().code, code);
        }
    }

    #[test]
    fn what_is_in_somebodys_own_room_is_not_found_by_others() {
        let mut house = TestHouse::new();
        let fields = named("abc").with("room", "@lisi");
        house.serve(&File, &fields, &[b"abc"]).unwrap();
        let mut code = |user: &str, role| {
            house.session.user = UserName::new(user).ok();
            house.session.role = role;
            got(&mut house, &named("abc")).map_err(|refusal| refusal.code)
        };
        assert_eq!(code("", Role::Guest), Err(Code::NotFound));
        assert_eq!(code("zhangsan", Role::User), Err(Code::NotFound));
        assert!(code("lisi", Role::User).is_ok());
        assert!(code("root", Role::Admin).is_ok());
        let refused = got(&mut house, &named("nothing")).unwrap_err();
        assert_eq!(refused.code, Code::NotFound);
        let refused = got(&mut house, &named("..")).unwrap_err();
        assert_eq!(refused.code, Code::BadName);
    }
}

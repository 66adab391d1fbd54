//! `offset`: how much of a file is safe here, so that a sender can go on where it broke off.

use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec, refuse_file};
use crate::session::Right;
use crate::store::PartialId;
use crate::wire::{Code, Digest, FieldError, Fields, FileName, Refusal, Reply, WantedDigest};

/// The request type `offset`.
pub(super) struct Offset;

impl Handler for Offset {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "offset",
            body: Body::None,
            cost: Cost::Blocking,
            right: Some(Right::Upload),
            before_login: false,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let missing = |name| FieldError {
            name,
            expected: "there: without it nothing can be resumed",
        };
        let partial = PartialId {
            user: call.session.user.clone(),
            name: FileName::new(fields.required_text("file_name")?)?,
            size: fields.number("size")?.ok_or(missing("size"))?,
            digest: digest(fields)?.ok_or(missing("digest"))?,
        };
        let here = call.house.files.offset(&partial);
        let here = here.map_err(|error| refuse_file("an offset is looked up", &error))?;
        let mut reply = Reply::new().with("offset", here.bytes);
        if let Some(name) = here.published {
            reply = reply.with("name", name.into_string());
        }
        Ok(Outcome::Reply(reply))
    }
}

/// The value in `digest`, if there is one.
///
/// # Errors
///
/// `bad_header` for what is no digest, also for a bare word: there is nothing to compute one of.
pub(super) fn digest(fields: &Fields) -> Result<Option<Digest>, Refusal> {
    match fields.text("digest")?.map(str::parse).transpose()? {
        None => Ok(None),
        Some(WantedDigest::Verify(digest)) => Ok(Some(digest)),
        Some(WantedDigest::Compute(_)) => {
            let reason = "`digest` must have a value here, as in sha256:…";
            Err(Refusal::new(Code::BadHeader, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::file::File;
    use crate::handler::house::tests::TestHouse;

    const ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn wanted() -> Fields {
        Fields::new()
            .with("file_name", "abc")
            .with("size", 3)
            .with("digest", ABC)
    }

    #[test]
    fn what_is_safe_is_told_and_where_the_whole_file_is() {
        let mut house = TestHouse::new();
        let told = |house: &mut TestHouse| house.serve(&Offset, &wanted(), &[]).unwrap();
        assert_eq!(told(&mut house), Reply::new().with("offset", 0));
        let mut sink = house.sink(&File, &wanted());
        sink.announce(3).unwrap();
        sink.write(b"ab").unwrap();
        drop(sink);
        assert_eq!(told(&mut house), Reply::new().with("offset", 2));
        house
            .serve(&File, &wanted().with("offset", 2), &[b"c"])
            .unwrap();
        let whole = Reply::new()
            .with("offset", 3)
            .with("name", "abc".to_owned());
        assert_eq!(told(&mut house), whole);
    }

    #[test]
    fn a_partial_needs_its_name_size_and_the_value_of_its_digest() {
        let mut house = TestHouse::new();
        for fields in [
            wanted().with("size", serde_json::Value::Null),
            wanted().with("digest", serde_json::Value::Null),
            wanted().with("digest", "sha256"),
            wanted().with("digest", "sha256:00"),
            wanted().with("file_name", serde_json::Value::Null),
        ] {
            let refused = house.serve(&Offset, &fields, &[]).unwrap_err();
            assert_eq!(refused.code, Code::BadHeader, "{fields:?}");
        }
        let refused = house.serve(&Offset, &wanted().with("file_name", "../x"), &[]);
        assert_eq!(refused.unwrap_err().code, Code::BadName);
    }
}

//! `list`: the published files, page by page.

use super::paging::{self, PageBody};
use super::viewer::viewer;
use super::{Body, Call, Cost, Handler, Outcome, Overlap, Spec, refuse_file};
use crate::session::Right;
use crate::store::{ListQuery, Listed};
use crate::wire::{Fields, Refusal, UserName};
use serde::Serialize;

/// The request type `list`.
pub(super) struct List;

/// One file as it is listed.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    size: u64,
    digest: Option<String>,
    owner: Option<&'a str>,
    time: String,
}

impl Handler for List {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "list",
            body: Body::None,
            cost: Cost::Blocking,
            right: Some(Right::List),
            before_login: false,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let query = ListQuery {
            prefix: fields.text("prefix")?.unwrap_or_default().to_owned(),
            after: fields.text("after")?.map(str::to_owned),
            limit: paging::limit(call.house, fields)?,
            viewer: viewer(call.session),
        };
        let page = (call.house.files.list(&query))
            .map_err(|error| refuse_file("files are listed", &error))?;
        let mut body = PageBody::default();
        let mut more = page.more;
        for file in &page.files {
            if !body.push(&Entry::of(file))? {
                more = true;
                break;
            }
        }
        Ok(Outcome::Reply(body.reply(more)))
    }
}

impl<'a> Entry<'a> {
    fn of(file: &'a Listed) -> Self {
        Self {
            name: file.name.as_str(),
            size: file.size,
            digest: file.digest.map(|digest| digest.to_string()),
            owner: file.owner.as_ref().map(UserName::as_str),
            time: humantime::format_rfc3339_millis(file.time).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::file::File;
    use crate::handler::house::tests::TestHouse;
    use crate::wire::{Code, Reply};
    use serde_json::{Value, json};

    fn listed(house: &mut TestHouse, fields: &Fields) -> (Reply, Vec<Value>) {
        let mut reply = house.serve(&List, fields, &[]).unwrap();
        let body = reply.body.take().unwrap();
        (reply, serde_json::from_slice(&body).unwrap())
    }

    fn names(entries: &[Value]) -> Vec<&str> {
        let name = |entry: &Value| entry["name"].as_str().map(str::len);
        assert!(entries.iter().all(|entry| name(entry).is_some()));
        entries
            .iter()
            .filter_map(|it| it["name"].as_str())
            .collect()
    }

    #[test]
    fn files_are_listed_by_name_page_by_page() {
        let mut house = TestHouse::new();
        for name in ["b", "a", "c1", "c2", "照片"] {
            house.session.user = UserName::new("zhangsan").ok().filter(|_| name == "a");
            let fields = Fields::new()
                .with("file_name", name)
                .with("digest", "blake3");
            house.serve(&File, &fields, &[name.as_bytes()]).unwrap();
        }
        house.session.user = None;
        let reply = |count: u64, more: bool| Reply::new().with("count", count).with("more", more);
        let (all, entries) = listed(&mut house, &Fields::new());
        assert_eq!(all, reply(5, false));
        assert_eq!(names(&entries), ["a", "b", "c1", "c2", "照片"]);
        let digest = format!("blake3:{}", blake3::hash(b"a").to_hex());
        assert_eq!(
            entries[0],
            json!({"name": "a", "size": 1, "digest": digest, "owner": "zhangsan", "time": "1970-01-01T00:00:00.000Z"})
        );
        assert_eq!(entries[1]["owner"], Value::Null);
        let fields = Fields::new().with("after", "a").with("limit", 2);
        let (part, entries) = listed(&mut house, &fields);
        assert_eq!((part, names(&entries)), (reply(2, true), vec!["b", "c1"]));
        let fields = Fields::new().with("prefix", "c");
        let (part, entries) = listed(&mut house, &fields);
        assert_eq!((part, names(&entries)), (reply(2, false), vec!["c1", "c2"]));
        let fields = Fields::new().with("prefix", "c").with("after", "c1");
        let (_, entries) = listed(&mut house, &fields);
        assert_eq!(names(&entries), ["c2"]);
    }

    #[test]
    fn wrong_fields_are_refused() {
        let mut house = TestHouse::new();
        for fields in [
            Fields::new().with("limit", 0),
            Fields::new().with("limit", 1001),
            Fields::new().with("after", 1),
            Fields::new().with("prefix", 1),
        ] {
            let refused = house.serve(&List, &fields, &[]).unwrap_err();
            assert_eq!(refused.code, Code::BadHeader, "{fields:?}");
        }
    }
}

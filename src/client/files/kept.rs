//! What the server keeps: how much of a file it has, which files there are, and removing one.

use crate::client::{Client, Error, Reply};
use crate::wire::{Digest, FileName, Header, UserName};
use serde_json::Value;
use std::time::SystemTime;

/// What the server has of a file that is being sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// How many bytes of it are durable, from the first on.
    pub offset: u64,
    /// The name under which it is kept, once the whole file is there.
    pub name: Option<String>,
}

/// One file of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, if the server has one.
    pub digest: Option<Digest>,
    /// Who it belongs to; `None` for guests' files and those placed by hand.
    pub owner: Option<UserName>,
    /// When it was taken in.
    pub time: SystemTime,
}

/// A page of the list of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The files, in the order of their names' bytes.
    pub files: Vec<Listed>,
    /// Whether more come after them.
    pub more: bool,
}

impl Client {
    /// How much the server has of the file of `size` bytes and `digest` that asks for `name`.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn held(&mut self, name: &str, size: u64, digest: &Digest) -> Result<Held, Error> {
        let header = Header::new("offset")
            .with("file_name", name)
            .with("size", size)
            .with("digest", digest.to_string());
        let reply = self.ask(header, None)?;
        let offset = reply.number("offset")?.filter(|offset| *offset <= size);
        let offset = offset
            .ok_or_else(|| Error::Nonsense(format!("no offset within the file's {size} bytes")))?;
        let name = reply.text("name")?;
        Ok(Held { offset, name })
    }

    /// A page of the files whose names begin with `prefix` and come after `after`, at most `limit`
    /// of them, 1 to [`MAX_PAGE`](crate::client::MAX_PAGE).
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn list(
        &mut self,
        prefix: &str,
        after: Option<&FileName>,
        limit: usize,
    ) -> Result<Listing, Error> {
        let mut header = Header::new("list").with("limit", limit);
        if !prefix.is_empty() {
            header = header.with("prefix", prefix);
        }
        if let Some(after) = after {
            header = header.with("after", after.as_str());
        }
        let page = read_page(self.ask(header, None)?)?;
        // Whoever pages on behind the last name must come to an end.
        let last = page.files.last().map(|file| &file.name);
        let goes_on = after.is_none_or(|after| last.is_some_and(|last| last > after));
        match page.more && !(goes_on && last.is_some()) {
            true => Err(Error::Nonsense("a list that does not go on".to_owned())),
            false => Ok(page),
        }
    }

    /// The file called `name`, if there is one.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn look_up(&mut self, name: &FileName) -> Result<Option<Listed>, Error> {
        // The name itself comes before all that begin with it.
        let page = self.list(name.as_str(), None, 1)?;
        let first = page.files.into_iter().next();
        Ok(first.filter(|file| file.name == *name))
    }

    /// Removes the file called `name`.
    ///
    /// # Errors
    ///
    /// See [`Error`]: refused as `not_found`, or as `forbidden` if it is somebody else's.
    pub fn remove(&mut self, name: &str) -> Result<(), Error> {
        let header = Header::new("remove").with("file_name", name);
        self.ask(header, None).map(|_| ())
    }
}

fn read_page(reply: Reply) -> Result<Listing, Error> {
    let wrong = || Error::Nonsense("a list of files that cannot be read".to_owned());
    let more = reply.flag("more")?;
    let files: Vec<Value> = serde_json::from_slice(&reply.body).map_err(|_| wrong())?;
    let files = files.iter().map(|file| read(file).ok_or_else(wrong));
    Ok(Listing {
        files: files.collect::<Result<_, _>>()?,
        more,
    })
}

fn read(file: &Value) -> Option<Listed> {
    let text = |name: &str| file.get(name).and_then(Value::as_str);
    let given = |name: &str| file.get(name).filter(|value| !value.is_null());
    let digest = given("digest").map(|digest| digest.as_str()?.parse().ok());
    let owner = given("owner").map(|owner| UserName::new(owner.as_str()?).ok());
    Some(Listed {
        name: FileName::new(text("name")?).ok()?,
        size: file.get("size")?.as_u64()?,
        digest: digest.map_or(Some(None), |digest| digest.map(Some))?,
        owner: owner.map_or(Some(None), |owner| owner.map(Some))?,
        time: humantime::parse_rfc3339(text("time")?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fake::{PATIENCE, serve};
    use crate::client::files::digester::tests::digest;
    use crate::wire::{Algorithm, Reply as Wire};
    use serde_json::json;

    fn ask<T: Send>(
        answer: Wire,
        check: impl Fn(&Header) + Send + 'static,
        ask: impl FnOnce(&mut Client) -> T,
    ) -> T {
        let (address, server) = serve(move |peer| {
            let header = Header::parse(&peer.frame()).unwrap();
            check(&header);
            peer.reply(&header.id.unwrap(), &answer);
        });
        let mut client = Client::connect(&address, PATIENCE).unwrap();
        let answer = ask(&mut client);
        server.join().unwrap();
        answer
    }

    fn page(files: Value, more: bool) -> Wire {
        let count = files.as_array().unwrap().len() as u64;
        let page = Wire::new().with("count", count).with("more", more);
        page.with_body(files.to_string())
    }

    fn file(name: &str) -> Value {
        json!({"name": name, "size": 7, "digest": null, "owner": null, "time": "2026-01-02T03:04:05.678Z"})
    }

    #[test]
    fn what_the_server_holds_is_within_the_file() {
        let digest = digest(Algorithm::Blake3, b"");
        let ask = |offset: u64| {
            let answer = Wire::new().with("offset", offset);
            let check = move |header: &Header| {
                assert_eq!(header.msg_type, "offset");
                assert_eq!(header.fields.text("digest"), Ok(Some(&*digest.to_string())));
                assert_eq!(header.fields.number("size"), Ok(Some(9)));
            };
            ask(answer, check, |client| client.held("x", 9, &digest))
        };
        assert_eq!(ask(9).unwrap().offset, 9);
        assert!(matches!(ask(10), Err(Error::Nonsense(_))));
    }

    #[test]
    fn a_page_is_typed_and_asked_for_behind_the_last_name() {
        let mut listed = file("b");
        listed["digest"] = json!(digest(Algorithm::Sha256, b"").to_string());
        listed["owner"] = json!("lisi");
        let check = |header: &Header| {
            assert_eq!(header.msg_type, "list");
            assert_eq!(header.fields.text("after"), Ok(Some("a")));
            assert_eq!(header.fields.text("prefix"), Ok(None));
        };
        let after = FileName::new("a").unwrap();
        let page = ask(page(json!([listed, file("c")]), true), check, |client| {
            client.list("", Some(&after), 2)
        });
        let page = page.unwrap();
        assert!(page.more);
        let names: Vec<_> = page.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(page.files[0].owner, UserName::new("lisi").ok());
        assert_eq!(page.files[0].digest, Some(digest(Algorithm::Sha256, b"")));
        assert_eq!((page.files[1].digest, page.files[1].size), (None, 7));
    }

    #[test]
    fn a_list_that_would_never_end_or_names_a_path_is_nonsense() {
        let after = FileName::new("b").unwrap();
        let list = |answer| ask(answer, |_| (), |client| client.list("", Some(&after), 2));
        for wrong in [
            page(json!([]), true),
            page(json!([file("b")]), true),
            page(json!([file("../x")]), false),
            page(json!([{"name": "c"}]), false),
            Wire::new().with("more", false).with_body("no list"),
        ] {
            assert!(matches!(list(wrong), Err(Error::Nonsense(_))));
        }
        assert!(list(page(json!([]), false)).is_ok());
    }

    #[test]
    fn looking_up_wants_the_very_name() {
        let name = FileName::new("a").unwrap();
        let find = |found: &str| {
            let answer = page(json!([file(found)]), true);
            ask(answer, |_| (), |client| client.look_up(&name)).unwrap()
        };
        assert_eq!(find("a").unwrap().name, name);
        assert_eq!(find("ab"), None);
    }
}

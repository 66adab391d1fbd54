//! `file`: bytes for a name, passed on to the store of files as they come; nothing of a file is
//! held here.
//!
//! Digests, resuming, keys and posting to a room are not served yet: whoever asks for them is
//! refused rather than left to believe in them.

use super::{Ack, Body, Call, Cost, Handler, Outcome, Overlap, Sink, Spec, refuse_file};
use crate::session::Role;
use crate::store::{FileError, Files, NewFile, PendingFile, Published, Upload};
use crate::wire::{Answer, Code, Datum, Fields, FileName, Refusal, Reply};
use std::sync::Arc;

/// The fields that belong to what is not served yet, and what that is.
const NOT_SERVED: &[(&str, &str)] = &[
    ("digest", "compute or verify digests"),
    ("key", "tell a resent file by its key"),
    ("room", "post files to rooms"),
];

/// Takes in files.
#[derive(Debug)]
pub(super) struct File;

/// A file on its way to its store.
struct FileSink {
    files: Arc<dyn Files>,
    wanted: NewFile,
    /// Begun with the first that is known of the body, so that its space can be reserved.
    upload: Option<Box<dyn Upload>>,
}

impl Handler for File {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "file",
            body: Body::File,
            cost: Cost::Blocking,
            role: Role::Guest,
            before_login: false,
            overlap: Overlap::None,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        for (field, what) in NOT_SERVED {
            if fields.get(field).is_some() {
                return Err(not_served(field, what));
            }
        }
        if fields.number("offset")?.is_some_and(|offset| offset > 0) {
            return Err(not_served("offset", "resume files"));
        }
        let name = FileName::new(fields.required_text("file_name")?)?;
        let ack = Ack::of(fields)?;
        Ok(Outcome::Sink(Box::new(FileSink {
            files: Arc::clone(&call.house.files),
            wanted: NewFile {
                size: fields.number("size")?,
                owner: call.session.user.clone(),
                durable: ack == Ack::Durable,
                ..NewFile::named(name)
            },
            upload: None,
        })))
    }
}

fn not_served(field: &str, what: &str) -> Refusal {
    Refusal::new(
        Code::BadHeader,
        format!("this server can't {what} yet: leave `{field}` out"),
    )
}

impl FileSink {
    fn upload(&mut self) -> Result<&mut Box<dyn Upload>, Refusal> {
        let upload = match self.upload.take() {
            Some(upload) => upload,
            None => (self.files.begin(self.wanted.clone()))
                .map_err(|error| refuse_file("a file is begun", &error))?,
        };
        Ok(self.upload.insert(upload))
    }
}

impl Sink for FileSink {
    fn announce(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.wanted.size = Some(bytes);
        self.upload().map(drop)
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let written = self.upload()?.write(piece);
        written.map_err(|error| refuse_file("a file is written", &error))
    }

    fn amend(&mut self, fields: &Fields) -> Result<(), Refusal> {
        let name = FileName::new(fields.required_text("file_name")?)?;
        let skip = fields.number("skip")?.unwrap_or(0);
        let front = fields.text("front")?.unwrap_or_default();
        self.wanted.name = name.clone();
        let amended = self.upload()?.amend(name, skip, front.as_bytes());
        amended.map_err(|error| refuse_file("a file is amended", &error))
    }

    fn finish(mut self: Box<Self>, call: &mut Call<'_>) -> Result<Outcome, Refusal> {
        self.upload()?;
        let upload = self.upload.take();
        let upload = upload.expect("an upload was begun on the line above");
        upload.publish(PendingFile {
            ticket: call.ticket(),
            answer,
            charge: call.house.budget.charge(),
        });
        Ok(Outcome::Ticket)
    }

    fn cut_off(self: Box<Self>) -> Vec<(&'static str, Datum)> {
        // Without a digest nothing can be resumed, so nothing is kept.
        vec![("offset", 0.into())]
    }
}

/// What a sender is told once the store knows.
fn answer(published: Result<Published, &FileError>) -> Answer {
    let published = published.map_err(|error| refuse_file("a file is published", error))?;
    let ack = if published.durable {
        Ack::Durable
    } else {
        Ack::Received
    };
    Ok(Reply::new()
        .with("name", published.name.into_string())
        .with("size", published.size)
        .with("digest", Datum::Null)
        .with("ack", ack))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::house::tests::{Shown, TestHouse};
    use crate::store::MemoryFiles;
    use crate::wire::UserName;
    use std::sync::atomic::Ordering;

    fn named(name: &str) -> Fields {
        Fields::new().with("file_name", name)
    }

    fn sent(house: &mut TestHouse, fields: &Fields, pieces: &[&str]) -> Answer {
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        house.serve(&File, fields, &pieces)
    }

    #[test]
    fn a_file_is_published_shown_counted_and_answered() {
        let mut house = TestHouse::new();
        house.session.user = UserName::new("张三").ok();
        let fields = named("a.txt").with("size", 4);
        let expected = |name: &str, size: u64, ack: &'static str| {
            Reply::new()
                .with("name", name.to_owned())
                .with("size", size)
                .with("digest", Datum::Null)
                .with("ack", ack)
        };
        let reply = sent(&mut house, &fields, &["ab", "cd"]).unwrap();
        assert_eq!(reply, expected("a.txt", 4, "durable"));
        let fields = named("a.txt").with("ack", "received").with("offset", 0);
        let reply = sent(&mut house, &fields, &["x"]).unwrap();
        assert_eq!(reply, expected("a (2).txt", 1, "received"));
        let reply = sent(&mut house, &named("empty").with("size", 0), &[]).unwrap();
        assert_eq!(reply, expected("empty", 0, "durable"));
        assert_eq!(house.files.content("a.txt").unwrap(), b"abcd");
        assert_eq!(house.files.content("empty").unwrap(), b"");
        let shown = [("a.txt", 4), ("a (2).txt", 1), ("empty", 0)];
        let shown = shown.map(|(name, bytes)| Shown::File(name.to_owned(), bytes));
        assert_eq!(house.shown(), shown);
        assert_eq!(house.house.counters.files.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_file_that_turns_out_otherwise_is_amended() {
        let mut house = TestHouse::new();
        let fields = named("b");
        for (number, (amendment, expected)) in [
            (named("0").with("front", "a"), "abcd"),
            (named("1").with("skip", 1), "cd"),
            (named("2"), "bcd"),
        ]
        .into_iter()
        .enumerate()
        {
            let mut sink = house.sink(&File, &fields);
            sink.write(b"bcd").unwrap();
            sink.amend(&amendment).unwrap();
            house.finish(sink).unwrap();
            let content = house.files.content(&number.to_string()).unwrap();
            assert_eq!(content, expected.as_bytes());
        }
        let mut sink = house.sink(&File, &fields);
        assert_eq!(sink.amend(&named("../x")).unwrap_err().code, Code::BadName);
        assert_eq!(
            sink.amend(&Fields::new()).unwrap_err().code,
            Code::BadHeader
        );
    }

    #[test]
    fn what_is_not_served_yet_is_refused_not_ignored() {
        let mut house = TestHouse::new();
        for (field, value) in [
            ("digest", "sha256".into()),
            ("digest", "blake3:00".into()),
            ("offset", serde_json::Value::from(1)),
            ("key", "k".into()),
            ("room", "lobby".into()),
        ] {
            let refused = sent(&mut house, &named("a").with(field, value), &["x"]).unwrap_err();
            assert_eq!(refused.code, Code::BadHeader);
            assert!(refused.error.contains(field), "{refused}");
        }
        assert!(house.files.names().is_empty());
    }

    #[test]
    fn wrong_names_and_fields_are_refused() {
        let mut house = TestHouse::new();
        for name in ["../x", "/etc/passwd", "a\0b", ".", ""] {
            let refused = sent(&mut house, &named(name), &["x"]);
            assert_eq!(refused.unwrap_err().code, Code::BadName, "{name:?}");
        }
        for fields in [Fields::new(), named("a").with("ack", "maybe")] {
            let refused = sent(&mut house, &fields, &["x"]);
            assert_eq!(refused.unwrap_err().code, Code::BadHeader);
        }
    }

    #[test]
    fn a_full_disk_is_told_at_the_announcement_or_on_the_way() {
        let mut house = TestHouse::new();
        house.put_files(MemoryFiles::with_space(3));
        let fields = named("a");
        let mut sink = house.sink(&File, &fields);
        assert_eq!(sink.announce(4).unwrap_err().code, Code::NoSpace);
        let mut sink = house.sink(&File, &fields);
        sink.write(b"abc").unwrap();
        assert_eq!(sink.write(b"d").unwrap_err().code, Code::NoSpace);
        drop(sink);
        assert!(sent(&mut house, &fields, &["abc"]).is_ok());
    }

    #[test]
    fn what_is_cut_off_leaves_nothing_to_resume() {
        let mut house = TestHouse::new();
        let mut sink = house.sink(&File, &named("a").with("size", 4));
        sink.announce(4).unwrap();
        sink.write(b"ab").unwrap();
        assert_eq!(house.files.under_way(), 1);
        assert_eq!(sink.cut_off(), [("offset", Datum::Number(0))]);
        assert_eq!(house.files.under_way(), 0);
        assert!(house.files.names().is_empty());
    }
}

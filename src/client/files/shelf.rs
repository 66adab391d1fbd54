//! A server of files in memory, on the standard library alone, that keeps to the protocol's rules
//! and breaks connections off where a test says.

use super::digester::tests::digest;
use crate::client::fake::PATIENCE;
use crate::wire::{Code, Digest, Header, Id, Refusal, Reply, WantedDigest, frame};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

/// Where a connection is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nowhere.
    Never,
    /// Right after it was accepted.
    Accepted,
    /// After the header of a `file` or `get`.
    Header,
    /// After so many bytes of a body, in or out.
    Body(usize),
    /// Before the reply to a `file` that is whole; whether it is published.
    Reply(bool),
    /// The reply to the first request is `busy`.
    Busy,
}

/// What the server has.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// Whole files, each with the digest that it tells.
    pub(super) files: BTreeMap<String, (Vec<u8>, Option<Digest>)>,
    /// Durable bytes of files that are not whole.
    pub(super) partials: HashMap<(String, u64, String), Vec<u8>>,
    /// What was asked: the type, and the offset where there is one.
    pub(super) asked: Vec<(String, u64)>,
}

/// The connection is over.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Shelf {
    /// Serves one connection after the other, each cut off as `cuts` says, and the last one to its
    /// end; what it has then.
    pub(super) fn serve(self, cuts: &[Cut]) -> (String, JoinHandle<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let cuts = cuts.to_vec();
        let mut shelf = self;
        let thread = std::thread::spawn(move || {
            for cut in cuts {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut served = Served { stream, cut };
                while shelf.answer(&mut served).is_ok() {}
            }
            shelf
        });
        (address, thread)
    }

    fn answer(&mut self, to: &mut Served) -> Result<(), Over> {
        if to.cut == Cut::Accepted {
            return Err(Over);
        }
        let payload = to.frame()?;
        let Ok(header) = Header::parse(&payload) else {
            return Err(Over);
        };
        let id = header.id.clone().unwrap();
        let number = |name| header.fields.number(name).unwrap().unwrap_or(0);
        self.asked.push((header.msg_type.clone(), number("offset")));
        if to.cut == Cut::Busy {
            to.cut = Cut::Never;
            let busy = Refusal::busy("later", std::time::Duration::from_millis(1));
            return to.write(|out| busy.write(&id, out));
        }
        match header.msg_type.as_str() {
            "file" => self.file(&header, &id, to),
            "offset" => {
                let held = self.partials.get(&key(&header)).map_or(0, Vec::len) as u64;
                let name = header.fields.required_text("file_name").unwrap();
                let whole = self.files.contains_key(name);
                let offset = if whole { number("size") } else { held };
                let reply = Reply::new().with("offset", offset);
                to.write(|out| reply.write(&id, out))
            }
            "get" => self.get(&header, &id, to),
            "list" => {
                let name = header.fields.required_text("prefix").unwrap();
                let file = self.files.get(name);
                let digest = |digest: Option<Digest>| digest.map(|digest| digest.to_string());
                let files: Vec<_> = file
                    .map(|(bytes, known)| {
                        json!({"name": name, "size": bytes.len(), "digest": digest(*known),
                            "owner": null, "time": "2026-01-02T03:04:05.678Z"})
                    })
                    .into_iter()
                    .collect();
                let page = Reply::new().with("more", false);
                let page = page.with_body(json!(files).to_string());
                to.write(|out| page.write(&id, out))
            }
            other => panic!("{other} is not asked here"),
        }
    }

    fn file(&mut self, header: &Header, id: &Id, to: &mut Served) -> Result<(), Over> {
        if to.cut == Cut::Header {
            return Err(Over);
        }
        let (size, offset) = (header.fields.number("size"), header.fields.number("offset"));
        let (size, offset) = (size.unwrap().unwrap(), offset.unwrap().unwrap_or(0));
        let key = key(header);
        let durable = self.partials.get(&key).map_or(0, Vec::len) as u64;
        let name = key.0.clone();
        let whole = self.files.contains_key(&name);
        let durable = if whole { size } else { durable };
        let is_conflict = offset > 0 && offset != durable;
        let mut held = match offset {
            _ if whole => self.files[&name].0[..offset as usize].to_vec(),
            0 => Vec::new(),
            _ => self.partials.get(&key).cloned().unwrap_or_default(),
        };
        let received = to.body(size - offset, &mut held);
        if is_conflict {
            received?;
            let conflict = Refusal::new(Code::Conflict, "not there").with("offset", durable);
            return to.write(|out| conflict.write(id, out));
        }
        if let Err(over) = received {
            self.partials.insert(key, held);
            return Err(over);
        }
        let wanted: WantedDigest = header
            .fields
            .required_text("digest")
            .unwrap()
            .parse()
            .unwrap();
        let WantedDigest::Verify(wanted) = wanted else {
            panic!("{wanted:?}");
        };
        if digest(wanted.algorithm, &held) != wanted {
            let mismatch = Refusal::new(Code::DigestMismatch, "other bytes");
            return to.write(|out| mismatch.write(id, out));
        }
        if let Cut::Reply(published) = to.cut {
            match published {
                true => drop(self.files.insert(name, (held, Some(wanted)))),
                false => drop(self.partials.insert(key, held)),
            }
            return Err(Over);
        }
        self.partials.remove(&key);
        self.files.insert(name.clone(), (held, Some(wanted)));
        let stored = Reply::new()
            .with("name", name)
            .with("size", size)
            .with("digest", wanted.to_string());
        let stored = if whole {
            stored.with("duplicate", true)
        } else {
            stored
        };
        to.write(|out| stored.write(id, out))
    }

    fn get(&mut self, header: &Header, id: &Id, to: &mut Served) -> Result<(), Over> {
        if to.cut == Cut::Header {
            return Err(Over);
        }
        let name = header.fields.required_text("file_name").unwrap();
        let Some((bytes, known)) = self.files.get(name) else {
            let not_found = Refusal::new(Code::NotFound, "no such file");
            return to.write(|out| not_found.write(id, out));
        };
        let known = known.map(|digest| digest.to_string());
        let wanted = header.fields.text("digest").unwrap();
        if wanted.is_some() && wanted != known.as_deref() {
            let conflict = Refusal::new(Code::Conflict, "another file");
            return to.write(|out| conflict.write(id, out));
        }
        let offset = header.fields.number("offset").unwrap().unwrap_or(0) as usize;
        let rest = &bytes[offset..];
        let offered = Reply::new()
            .with("name", name.to_owned())
            .with("size", bytes.len() as u64)
            .with("digest", known)
            .with("body", rest.len() as u64);
        to.write(|out| offered.write(id, out))?;
        let (cut, most) = match to.cut {
            Cut::Body(bytes) if bytes < rest.len() => (true, bytes),
            _ => (false, rest.len()),
        };
        // In frames of odd sizes, whose last one announces all that is left.
        for piece in rest[..most].chunks(70_001) {
            to.stream.write_all(&frame::prefix(piece.len()).unwrap())?;
            to.stream.write_all(piece)?;
        }
        if cut { Err(Over) } else { Ok(()) }
    }
}

fn key(header: &Header) -> (String, u64, String) {
    let text = |name| header.fields.required_text(name).unwrap().to_owned();
    let size = header.fields.number("size").unwrap().unwrap();
    (text("file_name"), size, text("digest"))
}

/// One connection.
struct Served {
    stream: TcpStream,
    cut: Cut,
}

impl Served {
    fn frame(&mut self) -> Result<Vec<u8>, Over> {
        let mut prefix = [0; frame::PREFIX];
        self.stream.read_exact(&mut prefix)?;
        let mut payload = vec![0; frame::length(prefix).unwrap()];
        self.stream.read_exact(&mut payload)?;
        Ok(payload)
    }

    /// Takes in a body of `size` bytes, as many as the cut leaves.
    fn body(&mut self, size: u64, into: &mut Vec<u8>) -> Result<(), Over> {
        let most = match self.cut {
            Cut::Body(bytes) => bytes as u64,
            _ => u64::MAX,
        };
        let mut left = size;
        while left > 0 {
            let mut prefix = [0; frame::PREFIX];
            self.stream.read_exact(&mut prefix)?;
            let length = frame::length(prefix).unwrap() as u64;
            assert!(length <= left, "a frame past the end");
            let here = length.min(most.saturating_sub(size - left));
            let begun = into.len();
            (&self.stream).take(here).read_to_end(into)?;
            if here < length || ((into.len() - begun) as u64) < here {
                return Err(Over);
            }
            left -= length;
        }
        Ok(())
    }

    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Over> {
        let mut out = Vec::new();
        write(&mut out);
        Ok(self.stream.write_all(&out)?)
    }
}

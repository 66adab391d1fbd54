//! `file`: takes a file in, piece by piece, and publishes it when it is whole. Where the bytes go
//! is left to the file store.

use super::{Body, Call, Cost, Handler, Outcome, Sink, Spec, refuse};
use crate::session::Role;
use crate::store::{Files, NewFile, Upload};
use crate::wire::{Code, Datum, Fields, FileName, Refusal, Reply};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The request type `file`.
pub(super) struct File;

impl Handler for File {
    fn spec(&self) -> Spec {
        Spec {
            msg_type: "file",
            body: Body::File,
            cost: Cost::Blocking,
            role: Role::Guest,
            before_login: false,
            overlaps: false,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        refuse_what_is_not_served(fields)?;
        let name = FileName::new(fields.required_text("file_name")?)?;
        let durable = match fields.text("ack")? {
            None | Some("durable") => true,
            Some("received") => false,
            Some(_) => {
                let reason = "`ack` must be \"durable\" or \"received\"";
                return Err(Refusal::new(Code::BadHeader, reason));
            }
        };
        let (size, owner) = (None, call.session.user.clone());
        let file = NewFile {
            name,
            size,
            owner,
            durable,
        };
        let files = Arc::clone(&call.house.files);
        Ok(Outcome::Sink(Box::new(FileSink {
            files,
            file,
            upload: None,
        })))
    }
}

/// Refuses what would otherwise be believed and not done: a digest that nobody verified, an offset
/// that nobody went on from, a room that was told of nothing.
fn refuse_what_is_not_served(fields: &Fields) -> Result<(), Refusal> {
    let resumes = fields.number("offset")?.is_some_and(|offset| offset > 0);
    let asked = ["digest", "key", "room"]
        .into_iter()
        .find(|name| fields.get(name).is_some());
    match asked.or(resumes.then_some("offset")) {
        Some(name) => {
            let reason = format!("this server does not serve `{name}` with a file yet");
            Err(Refusal::new(Code::BadHeader, reason))
        }
        None => Ok(()),
    }
}

/// A file on its way from the wire to the store.
struct FileSink {
    files: Arc<dyn Files>,
    file: NewFile,
    /// Begun once the size is known, so that the store can see to the space.
    upload: Option<Box<dyn Upload>>,
}

impl Sink for FileSink {
    fn announce(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.file.size = Some(bytes);
        let upload = self.files.begin(self.file.clone());
        self.upload = Some(upload.map_err(|error| refuse("files", &error))?);
        Ok(())
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let Some(upload) = &mut self.upload else {
            return Err(Refusal::internal());
        };
        upload.write(piece).map_err(|error| refuse("files", &error))
    }

    fn finish(self: Box<Self>, call: &mut Call<'_>) -> Result<Outcome, Refusal> {
        let upload = self.upload.ok_or_else(Refusal::internal)?;
        let published = upload.publish().map_err(|error| refuse("files", &error))?;
        let (house, name) = (call.house, published.name.into_string());
        house.counters.files.fetch_add(1, Ordering::Relaxed);
        house
            .show
            .file(&name, published.size, call.session.user.as_ref());
        let ack = if self.file.durable {
            "durable"
        } else {
            "received"
        };
        Ok(Outcome::Reply(
            Reply::new()
                .with("name", name)
                .with("size", published.size)
                .with("digest", Datum::Null)
                .with("ack", ack),
        ))
    }

    fn cut_off(self: Box<Self>) -> Vec<(&'static str, Datum)> {
        // Without a digest nothing of it can be resumed.
        vec![("offset", Datum::Number(0))]
    }
}

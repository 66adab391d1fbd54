//! `file`: bytes for a name, passed on to the store of files as they come; nothing of a file is
//! held here. Where a file that broke off can go on is told by `offset`.

use super::{Ack, Body, Call, Cost, Handler, Outcome, Overlap, Sink, Spec, refuse_file};
use crate::session::Right;
use crate::store::{FileError, Files, NewFile, PendingFile, Published, Upload};
use crate::wire::{
    Answer, Code, Datum, Fields, FileName, Key, Refusal, Reply, RoomName, WantedDigest,
};
use std::sync::Arc;

/// What the post of a file to its room occupies until it is committed, in bytes.
const POST: usize = 1 << 10;

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
            right: Some(Right::Upload),
            before_login: false,
            overlap: Overlap::Files,
        }
    }

    fn begin(&self, call: &mut Call<'_>, fields: &Fields) -> Result<Outcome, Refusal> {
        let wanted = NewFile {
            name: FileName::new(fields.required_text("file_name")?)?,
            size: fields.number("size")?,
            digest: fields.text("digest")?.map(str::parse).transpose()?,
            offset: fields.number("offset")?.unwrap_or(0),
            owner: call.session.user.clone(),
            key: fields.text("key")?.map(Key::new).transpose()?,
            room: fields.text("room")?.map(RoomName::new).transpose()?,
            durable: Ack::of(fields)? == Ack::Durable,
        };
        let can_resume =
            wanted.size.is_some() && matches!(wanted.digest, Some(WantedDigest::Verify(_)));
        if wanted.offset > 0 && !can_resume {
            let reason = "`offset` needs the `size` and the value of the `digest`";
            return Err(Refusal::new(Code::BadHeader, reason));
        }
        Ok(Outcome::Sink(Box::new(FileSink {
            files: Arc::clone(&call.house.files),
            wanted,
            upload: None,
        })))
    }
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
        // A body of one frame tells the size that its header left out.
        self.wanted.size.get_or_insert(bytes);
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
        let mut charge = call.house.budget.charge();
        if self.wanted.room.is_some() {
            charge.grow(POST);
        }
        upload.publish(PendingFile {
            ticket: call.ticket(),
            answer,
            charge,
        });
        Ok(Outcome::Ticket)
    }

    fn cut_off(mut self: Box<Self>) -> Vec<(&'static str, Datum)> {
        let upload = self.upload.take();
        let offset = upload.map(|upload| ("offset", upload.suspend().into()));
        offset.into_iter().collect()
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
    let mut reply = Reply::new()
        .with("name", published.name.into_string())
        .with("size", published.size)
        .with("digest", published.digest.map(|digest| digest.to_string()))
        .with("ack", ack);
    if published.duplicate {
        reply = reply.with("duplicate", true);
    }
    if let (Some(room), Some(post)) = (published.room, published.post) {
        reply = reply.with("seq", post.seq);
        if room.owner().is_none() {
            // In somebody's own room it would tell a poster that others post there too.
            reply = reply.with("prev", post.prev);
        }
    }
    Ok(reply)
}

#[cfg(test)]
mod tests;

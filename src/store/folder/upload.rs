//! One upload: begun afresh or where it broke off, digested as it comes, and handed to the publisher
//! once it is whole. Where its bytes go is in `incoming`.

use super::Shared;
use super::duplicate::here;
use super::incoming::{Body, Incoming};
use super::leftovers::partial_name;
use super::partials::{Unclaimed, Writer};
use super::publisher::{Finished, Job};
use super::space::Share;
use crate::store::digester::Digester;
use crate::store::directory::Access;
use crate::store::files::{amended_size, check_size};
use crate::store::{FileError, NewFile, PartialId, PendingFile, Upload};
use crate::wire::{Digest, FileName, WantedDigest};
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

/// An upload into a folder.
#[derive(Debug)]
pub(super) struct FolderUpload {
    shared: Arc<Shared>,
    wanted: NewFile,
    place: Place,
    /// `None` if no digest is wanted, or if it is known without the bytes.
    digester: Option<Digester>,
    /// Whether a write failed, so that it can't become whole any more.
    lost: bool,
}

/// Where the bytes of an upload go.
#[derive(Debug)]
pub(super) enum Place {
    /// Into a file.
    Incoming(Incoming),
    /// Nowhere: the same file is here already. They are only verified.
    Same {
        name: FileName,
        arrived: u64,
        share: Share,
    },
    /// It has ended.
    Gone,
}

impl FolderUpload {
    /// Begins an upload, or goes on with one. May read what is here already.
    pub(super) fn begin(shared: &Arc<Shared>, wanted: NewFile) -> Result<Self, FileError> {
        if wanted.durable {
            shared.check_fence()?;
        }
        let mut digester = wanted.digest.map(Digester::wanted);
        let share = Share::new(&shared.space, wanted.owner.clone());
        let place = match wanted.partial() {
            Some(id) => {
                // Asked first: the same may be published by somebody else before this is claimed.
                let ended = shared.partials.ended();
                match shared.same(&id.name, id.size, id.digest, wanted.reader())? {
                    Some(record) => here(shared, &wanted, id.size, record, share)?,
                    None => claim(shared, &wanted, (id, ended), share, digester.as_mut())?,
                }
            }
            None if wanted.offset > 0 => return Err(FileError::Conflict { offset: 0 }),
            None => Place::Incoming(fresh(shared, &wanted, share)?),
        };
        if wanted.offset > 0 && matches!(place, Place::Same { .. }) {
            // Whoever says that all of it is here sends nothing that could be digested.
            digester = None;
        }
        Ok(Self {
            shared: Arc::clone(shared),
            wanted,
            place,
            digester,
            lost: false,
        })
    }

    /// How many bytes the file has by now.
    fn arrived(&self) -> u64 {
        match &self.place {
            Place::Incoming(incoming) => incoming.arrived(),
            Place::Same { arrived, .. } => *arrived,
            Place::Gone => 0,
        }
    }

    /// A copy with `front` in the place of the first `skip` bytes.
    fn copy(&mut self, skip: u64, front: &[u8]) -> Result<Self, FileError> {
        let Place::Incoming(old) = &self.place else {
            return Err(io::Error::other("there is nothing to amend").into());
        };
        let size = amended_size(old.arrived(), skip, front)?;
        let wanted = NewFile {
            size: Some(size),
            ..self.wanted.clone()
        };
        let mut copy = Self::begin(&self.shared, wanted)?;
        copy.write(front)?;
        let Place::Incoming(new) = &copy.place else {
            return Err(io::Error::other("there is nothing to amend").into());
        };
        let (mut from, mut to): (&File, &File) = (old.file(), new.file());
        from.seek(SeekFrom::Start(skip))?;
        to.seek(SeekFrom::Start(front.len() as u64))?;
        // By the kernel.
        let copied = io::copy(&mut from, &mut to)?;
        new.skip(copied);
        copy.lost = self.lost;
        Ok(copy)
    }

    /// Holds the upload to what was announced, and keeps later ones off.
    fn finish(&mut self) -> Result<(Place, Option<Digest>, u64), FileError> {
        if self.lost {
            return Err(io::Error::other("a part of it was lost").into());
        }
        let size = self.arrived();
        if let Place::Incoming(incoming) = &self.place {
            incoming.seal()?;
        }
        check_size(self.wanted.size, size)?;
        let actual = self.digester.take().map(Digester::finish);
        let digest = match (self.wanted.digest, actual) {
            (Some(WantedDigest::Verify(wanted)), Some(actual)) if wanted != actual => {
                return Err(FileError::DigestMismatch { actual });
            }
            // Where nothing was sent because all is here.
            (Some(WantedDigest::Verify(wanted)), None) => Some(wanted),
            (_, actual) => actual,
        };
        Ok((
            std::mem::replace(&mut self.place, Place::Gone),
            digest,
            size,
        ))
    }
}

/// A file of its own for an upload that begins at its first byte and can't be resumed.
fn fresh(shared: &Arc<Shared>, wanted: &NewFile, mut share: Share) -> Result<Incoming, FileError> {
    let size = wanted.size.unwrap_or(0);
    share.grow(size, size)?;
    let name = partial_name(&shared.random);
    let file = shared.incoming.create(&name, Access::Shared)?;
    let incoming = Incoming::new(body(shared, wanted, name, file, None, share));
    shared.space.reserve(incoming.file(), size, 0)?;
    Ok(incoming)
}

/// The file of an upload that can be resumed, cut to where it goes on, and all before that digested;
/// or nowhere if another upload has published the same since `ended` were.
pub(super) fn claim(
    shared: &Arc<Shared>,
    wanted: &NewFile,
    (id, ended): (PartialId, u64),
    mut share: Share,
    digester: Option<&mut Digester>,
) -> Result<Place, FileError> {
    let writer = Arc::new(Writer::default());
    let claimed = loop {
        let (name, now) = (partial_name(&shared.random), shared.clock.now());
        match (shared.partials).claim(&id, wanted.offset, name, &writer, now) {
            Ok(claimed) => break claimed,
            // It is being published just now: then it is here, or can be begun again.
            Err(Unclaimed::Publishing) => {
                shared.publisher.barrier();
            }
            Err(Unclaimed::Conflict(offset)) => return Err(FileError::Conflict { offset }),
        }
    };
    if let Some((name, durable)) = claimed.abandoned {
        shared.drop_partial(&name, durable);
    }
    if shared.partials.ended() != ended
        && let Some(record) = shared.published_meanwhile(wanted, &id, &writer)?
    {
        return here(shared, wanted, id.size, record, share);
    }
    if let Some(left) = claimed.share {
        share = left;
        share.resume();
    }
    let (size, offset) = (id.size, wanted.offset);
    let opened = if offset == 0 {
        shared
            .incoming
            .create(&claimed.incoming, Access::Shared)
            .map(Some)
    } else {
        shared.incoming.open_file(&claimed.incoming)
    };
    let Ok(Some(file)) = opened else {
        // Taken away by hand, or no descriptor is left.
        return Err(shared.unclaim(&id, &writer, share, &claimed.incoming, opened));
    };
    let mut body = body(shared, wanted, claimed.incoming, file, Some(id), share);
    body.writer = writer;
    (body.written_back, body.marked) = (offset, offset);
    {
        let mut writing = body.writer.hold();
        writing.file = Some(Arc::clone(&body.file));
        writing.arrived = offset;
    }
    let charged = body.share.grow_to(size);
    let incoming = Incoming::new(body);
    charged?;
    if offset > 0 {
        incoming.file().set_len(offset)?;
        if let Some(digester) = digester {
            let mut file: &File = incoming.file();
            file.seek(SeekFrom::Start(0))?;
            let _ = fadvise(file, 0, None, Advice::Sequential);
            if digester.read(&mut file, offset)? != offset {
                // Cut by hand: what is missing can't be gone on from.
                incoming.discard();
                return Err(FileError::Conflict { offset: 0 });
            }
        }
    }
    shared.space.reserve(incoming.file(), size, offset)?;
    Ok(Place::Incoming(incoming))
}

fn body(
    shared: &Arc<Shared>,
    wanted: &NewFile,
    name: String,
    file: File,
    partial: Option<PartialId>,
    share: Share,
) -> Body {
    Body {
        shared: Arc::clone(shared),
        name,
        file: Arc::new(file),
        writer: Arc::default(),
        partial,
        share,
        charged: wanted.size.unwrap_or(0),
        written_back: 0,
        marked: 0,
        durable: wanted.durable,
    }
}

impl Shared {
    /// Gives back a partial whose file can't be opened, and forgets it if the file is gone.
    fn unclaim(
        &self,
        id: &PartialId,
        writer: &Arc<Writer>,
        share: Share,
        name: &str,
        opened: io::Result<Option<File>>,
    ) -> FileError {
        match opened {
            Err(error) => {
                self.partials.leave(id, writer, share, drop);
                error.into()
            }
            Ok(_) => {
                let durable = self.partials.forget(id, writer);
                self.drop_partial(name, durable.unwrap_or(0));
                FileError::Conflict { offset: 0 }
            }
        }
    }
}

impl Upload for FolderUpload {
    fn write(&mut self, piece: &[u8]) -> Result<(), FileError> {
        match &mut self.place {
            Place::Incoming(incoming) => {
                if let Err(error) = incoming.write(piece) {
                    self.lost = true;
                    return Err(error);
                }
            }
            Place::Same { arrived, .. } => *arrived += piece.len() as u64,
            Place::Gone => {}
        }
        if let Some(digester) = &mut self.digester {
            digester.update(piece);
        }
        Ok(())
    }

    fn amend(&mut self, name: FileName, skip: u64, front: &[u8]) -> Result<(), FileError> {
        if self.wanted.digest.is_some() {
            return Err(io::Error::other("what has a digest can't be amended").into());
        }
        self.wanted.name = name;
        if skip == 0 && front.is_empty() {
            return Ok(());
        }
        // Nothing can be put in before the first byte of a file: it is copied.
        match self.copy(skip, front) {
            Ok(mut copy) => {
                std::mem::swap(self, &mut copy);
                Ok(())
            }
            Err(error) => {
                self.lost = true;
                Err(error)
            }
        }
    }

    fn publish(mut self: Box<Self>, pending: PendingFile) {
        let error = match self.finish() {
            Ok((place, digest, size)) => {
                let (incoming, same) = match place {
                    Place::Incoming(incoming) => (Some(incoming), None),
                    Place::Same { name, share, .. } => (None, Some((name, share))),
                    Place::Gone => (None, None),
                };
                let finished = Finished {
                    wanted: self.wanted.clone(),
                    incoming,
                    same,
                    digest,
                    size,
                    pending,
                };
                return self.shared.publisher.hand(Job::Publish(Box::new(finished)));
            }
            Err(error) => error,
        };
        // What is wrong with the bytes doesn't get right by going on; what is wrong with the disk
        // may.
        if let Place::Incoming(incoming) = std::mem::replace(&mut self.place, Place::Gone)
            && !matches!(error, FileError::Store(_))
        {
            incoming.discard();
        }
        let answer = (pending.answer)(Err(&error));
        pending.ticket.redeem(answer);
    }

    fn suspend(mut self: Box<Self>) -> u64 {
        match std::mem::replace(&mut self.place, Place::Gone) {
            Place::Incoming(incoming) => incoming.suspend(),
            Place::Same { .. } => self.wanted.size.unwrap_or(0),
            Place::Gone => 0,
        }
    }
}

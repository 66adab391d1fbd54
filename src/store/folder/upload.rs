//! One file on its way in: reserved, written, made durable, published.

use super::leftovers::partial_name;
use super::{INCOMING, Shared, UPLOADS};
use crate::store::beside::beside;
use crate::store::directory::Access;
use crate::store::files::{amended_size, check_size};
use crate::store::{Arrival, FileError, NewFile, PendingFile, Published, StoreError, Upload};
use crate::ticket::redeem_all;
use crate::wire::FileName;
use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate, fstatvfs};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Durable files begin to be written back each time so many bytes have come, so that the sync at
/// the end has little left to wait for: 3.5 GB/s instead of 2.0 for 1 GiB where this was measured.
const WRITE_BACK: u64 = 8 << 20;

/// Smaller files are written as soon as they begin; reserving space for them first cost a tenth of
/// their rate. In bytes.
const RESERVED_FROM: u64 = 1 << 20;

/// An upload into a folder. Its partial is unlinked on drop unless it was published.
#[derive(Debug)]
pub(super) struct FolderUpload {
    shared: Arc<Shared>,
    wanted: NewFile,
    partial: String,
    file: File,
    written: u64,
    /// How much of it was sent on its way to the disk.
    written_back: u64,
    /// Whether a write failed, so that it can't become whole any more.
    lost: bool,
    published: bool,
}

impl FolderUpload {
    /// Creates the partial and reserves its space.
    pub(super) fn begin(shared: &Arc<Shared>, wanted: NewFile) -> Result<Self, StoreError> {
        let partial = partial_name(&shared.random);
        let file = shared.incoming.create(&partial, Access::Shared)?;
        let upload = Self {
            shared: Arc::clone(shared),
            wanted,
            partial,
            file,
            written: 0,
            written_back: 0,
            lost: false,
            published: false,
        };
        upload.reserve()?;
        Ok(upload)
    }

    /// Has the file system set aside what the file will need, without making it any longer.
    fn reserve(&self) -> Result<(), StoreError> {
        let Some(size) = self.wanted.size.filter(|size| *size >= RESERVED_FROM) else {
            return Ok(());
        };
        // Asked first: a reservation that fails half-way takes the last space from everybody else
        // until it is given back.
        let space = fstatvfs(&self.file)?;
        // Half of what is free is left to everybody else: one header may not take the space that
        // messages need.
        if size > space.f_bavail.saturating_mul(space.f_frsize) / 2 {
            return Err(StoreError::NoSpace);
        }
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, size) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                if !self.shared.unreserved.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "the file system of {UPLOADS} can't reserve space: an upload may find the \
                         disk full on its way"
                    );
                }
            }
            // More than the file system allows in one file.
            Err(Errno::FBIG) => return Err(StoreError::NoSpace),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// A copy with `front` in the place of the first `skip` bytes.
    fn copy(&mut self, skip: u64, front: &[u8]) -> Result<Self, FileError> {
        let size = Some(amended_size(self.written, skip, front)?);
        let wanted = NewFile {
            size,
            ..self.wanted.clone()
        };
        let mut copy = Self::begin(&self.shared, wanted)?;
        copy.write(front)?;
        self.file.seek(SeekFrom::Start(skip))?;
        copy.written += io::copy(&mut self.file, &mut copy.file)?;
        copy.lost = self.lost;
        Ok(copy)
    }

    /// Gives the file its name, or one beside it.
    fn name(&self) -> io::Result<FileName> {
        let Shared {
            uploads, incoming, ..
        } = &*self.shared;
        let asked = &self.wanted.name;
        let (mut name, mut number) = (asked.clone(), 1);
        loop {
            match incoming.rename(&self.partial, uploads, name.as_str()) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Taken, perhaps only since it was found free.
                    let holds = |name: &FileName| uploads.holds(name.as_str());
                    (name, number) = beside(asked, number, holds)?;
                }
                done => return done.map(|()| name),
            }
        }
    }

    /// Makes `name` durable, or takes it away again.
    fn settle(&self, name: &FileName, folder: OwnedFd) -> Result<(), StoreError> {
        let Err(error) = rustix::fs::fsync(folder).map_err(io::Error::from) else {
            return Ok(());
        };
        let text = error.to_string();
        let error = StoreError::from(error);
        if !matches!(error, StoreError::NoSpace) {
            self.shared.fenced.store(true, Ordering::Release);
            tracing::error!(
                "{UPLOADS} can't be synced: {text}. No durable file is taken until a restart; \
                 check the disk first"
            );
        }
        if let Err(error) = self.shared.uploads.remove(name.as_str()) {
            tracing::error!(
                "{:?} was refused and can't be removed: {error}",
                name.as_str()
            );
        }
        Err(error)
    }
}

impl Upload for FolderUpload {
    fn write(&mut self, piece: &[u8]) -> Result<(), FileError> {
        if let Err(error) = self.file.write_all(piece) {
            self.lost = true;
            return Err(error.into());
        }
        self.written += piece.len() as u64;
        let waiting = self.written - self.written_back;
        if self.wanted.durable && waiting >= WRITE_BACK {
            // On Linux this starts writing what is dirty and waits for nothing. Only advice: where
            // it does nothing, the sync does it all.
            let length = NonZeroU64::new(waiting);
            let _ = fadvise(&self.file, self.written_back, length, Advice::DontNeed);
            self.written_back = self.written;
        }
        Ok(())
    }

    fn amend(&mut self, name: FileName, skip: u64, front: &[u8]) -> Result<(), FileError> {
        self.wanted.name = name;
        if skip == 0 && front.is_empty() {
            return Ok(());
        }
        // Nothing can be put in before the first byte of a file: it is copied, by the kernel.
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
        let outcome = self.settled();
        let answer = match outcome {
            Ok(published) => {
                self.tell(&published);
                (pending.answer)(Ok(published))
            }
            Err(error) => (pending.answer)(Err(&error)),
        };
        drop(self);
        redeem_all([(pending.ticket, answer)]);
    }

    fn suspend(self: Box<Self>) -> u64 {
        // Nothing is kept without a record of it.
        0
    }
}

impl FolderUpload {
    fn settled(&mut self) -> Result<Published, FileError> {
        check_size(self.wanted.size, self.written)?;
        if self.lost {
            return Err(io::Error::other("a part of it was lost").into());
        }
        if self.wanted.durable {
            if self.shared.fenced.load(Ordering::Acquire) {
                return Err(StoreError::Fenced.into());
            }
            self.file.sync_data()?;
        }
        // Before the name is given: running out of descriptors is no failed sync.
        let folder = self.wanted.durable.then(|| self.shared.uploads.handle());
        let folder = folder.transpose()?;
        let name = self.name()?;
        self.published = true;
        if let Some(folder) = folder {
            self.settle(&name, folder)?;
        }
        Ok(Published {
            name,
            size: self.written,
            digest: None,
            durable: self.wanted.durable,
            duplicate: false,
            room: None,
            post: None,
        })
    }

    fn tell(&self, published: &Published) {
        if let Some(witness) = self.shared.witness.get() {
            witness.published(&[Arrival {
                name: published.name.clone(),
                size: published.size,
                owner: self.wanted.owner.clone(),
                personal: false,
            }]);
        }
    }
}

impl Drop for FolderUpload {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        if let Err(error) = self.shared.incoming.remove(&self.partial) {
            let partial = &self.partial;
            tracing::warn!("{UPLOADS}/{INCOMING}/{partial} can't be removed: {error}");
        }
    }
}

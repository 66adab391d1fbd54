//! One file on its way into memory. What can be resumed is kept in the store as it comes, all else
//! in the upload itself.

use super::files::{Partial, Shared, State, Stored};
use crate::budget::Charge;
use crate::store::beside::beside;
use crate::store::digester::Digester;
use crate::store::files::{amended_size, check_size};
use crate::store::{
    Arrival, FileError, NewFile, NewMessage, PartialId, PendingFile, Published, StoreError, Upload,
};
use crate::ticket::redeem_all;
use crate::wire::{Digest, FileName, FileTag, WantedDigest};
use std::io;
use std::sync::Arc;

/// One upload; on drop it gives back what it was charged, unless it is kept.
pub(super) struct MemoryUpload {
    shared: Arc<Shared>,
    file: NewFile,
    /// Which upload of the store this is.
    number: u64,
    partial: Option<PartialId>,
    /// What came of a file that can't be resumed.
    content: Vec<u8>,
    /// Bytes reserved beyond those that came.
    reserved: u64,
    digester: Option<Digester>,
    /// How many bytes came, with those of earlier uploads.
    arrived: u64,
    /// The name of the same file, if it is here already: what comes is only verified.
    same: Option<FileName>,
    /// Whether a write was refused, so that it can't become whole any more.
    lost: bool,
    done: bool,
}

impl State {
    /// Makes `writer` the one upload of a partial, of which the first `kept` bytes stay.
    fn take_over(
        &mut self,
        id: &PartialId,
        kept: u64,
        writer: u64,
        digester: Option<&mut Digester>,
    ) {
        let old = self.partials.remove(id);
        let mut content = old.map_or(Vec::new(), |old| old.content);
        content.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        if let Some(digester) = digester {
            digester.update(&content);
        }
        self.partials
            .insert(id.clone(), Partial { content, writer });
    }
}

impl MemoryUpload {
    pub(super) fn begin(shared: &Arc<Shared>, file: NewFile) -> Result<Self, FileError> {
        let mut state = shared.state.lock();
        Shared::check_open(&state)?;
        let partial = file.partial();
        let same = partial
            .as_ref()
            .and_then(|id| state.same(&id.name, id.size, id.digest, file.reader()));
        let whole = same.is_some().then_some(file.size).flatten();
        let here = (partial.as_ref()).and_then(|id| state.partials.get(id));
        let here = here.map_or(0, |partial| partial.content.len() as u64);
        let durable = whole.unwrap_or(here);
        if file.offset > 0 && file.offset != durable {
            return Err(FileError::Conflict { offset: durable });
        }
        // Starting over gives back what an earlier upload left.
        let kept = if same.is_none() && file.offset > 0 {
            here
        } else {
            0
        };
        let reserved = match same {
            Some(_) => 0,
            None => file.size.unwrap_or(0).saturating_sub(kept),
        };
        let left = (state.free.saturating_add(here - kept)).checked_sub(reserved);
        state.free = left.ok_or(StoreError::NoSpace)?;
        state.begun += 1;
        let number = state.begun;
        let mut digester = file.digest.map(Digester::wanted);
        match &partial {
            Some(id) if same.is_none() => {
                state.take_over(id, kept, number, digester.as_mut());
            }
            Some(_) => digester = digester.filter(|_| file.offset == 0),
            None => state.under_way += 1,
        }
        drop(state);
        Ok(Self {
            shared: Arc::clone(shared),
            number,
            partial,
            content: Vec::new(),
            reserved,
            digester,
            arrived: file.offset,
            same,
            lost: false,
            done: false,
            file,
        })
    }

    /// Whether it is kept in the store as it comes.
    fn resumable(&self) -> Option<&PartialId> {
        self.partial.as_ref().filter(|_| self.same.is_none())
    }

    /// The partial that is this upload's to write, if it can be resumed at all.
    fn partial<'a>(&self, state: &'a mut State) -> Result<Option<&'a mut Partial>, FileError> {
        let Some(id) = self.resumable() else {
            return Ok(None);
        };
        match state.partials.get_mut(id) {
            Some(partial) if partial.writer == self.number => Ok(Some(partial)),
            _ => Err(FileError::FencedOut),
        }
    }

    fn append(&mut self, piece: &[u8]) -> Result<(), FileError> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock();
        self.partial(&mut state)?;
        let more = (piece.len() as u64).saturating_sub(self.reserved);
        state.free = state.free.checked_sub(more).ok_or(StoreError::NoSpace)?;
        self.reserved = self.reserved.saturating_sub(piece.len() as u64);
        match self.partial(&mut state)? {
            Some(partial) => partial.content.extend_from_slice(piece),
            None => self.content.extend_from_slice(piece),
        }
        Ok(())
    }

    /// Everything that `publish` does but telling it.
    fn settle(&mut self, charge: Charge) -> Result<Published, FileError> {
        if self.lost {
            return Err(StoreError::NoSpace.into());
        }
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock();
        Shared::check_open(&state)?;
        self.partial(&mut state)?;
        check_size(self.file.size, self.arrived)?;
        let digest = self.verify()?;
        let scope = (self.file.key.clone())
            .map(|key| (self.file.owner.clone(), self.file.room.clone(), key));
        if let Some(first) = scope.as_ref().and_then(|scope| state.keys.get(scope)) {
            let mut first = first.clone();
            first.duplicate = true;
            if let Some(post) = &mut first.post {
                post.duplicate = true;
            }
            return Ok(first);
        }
        let same = digest.and_then(|digest| {
            let reader = self.file.reader();
            state.same(&self.file.name, self.arrived, digest, reader)
        });
        let asked = &self.file.name;
        let name = match &same {
            Some(name) => name.clone(),
            None if state.published.contains_key(asked) => {
                let taken = |name: &FileName| Ok(state.published.contains_key(name));
                beside(asked, 1, taken)?.0
            }
            None => asked.clone(),
        };
        let mut published = Published {
            name,
            size: self.arrived,
            digest,
            durable: self.file.durable,
            duplicate: same.is_some(),
            room: self.file.room.clone(),
            post: None,
        };
        self.post(&mut published, charge)?;
        self.enter(&mut state, &published);
        if let Some(scope) = scope {
            state.keys.insert(scope, published.clone());
        }
        drop(state);
        if !published.duplicate {
            self.tell(&published);
        }
        if !self.file.durable {
            published.post = None;
        }
        Ok(published)
    }

    fn verify(&mut self) -> Result<Option<Digest>, FileError> {
        let actual = self.digester.take().map(Digester::finish);
        match (self.file.digest, actual) {
            (Some(WantedDigest::Verify(wanted)), Some(actual)) if wanted != actual => {
                Err(FileError::DigestMismatch { actual })
            }
            (Some(WantedDigest::Verify(wanted)), None) => Ok(Some(wanted)),
            (_, actual) => Ok(actual),
        }
    }

    /// Posts the file to its room.
    fn post(&self, published: &mut Published, charge: Charge) -> Result<(), FileError> {
        let Some(room) = self.file.room.clone() else {
            return Ok(());
        };
        let Some(messages) = &self.shared.messages else {
            return Err(io::Error::other("there are no rooms here").into());
        };
        published.post = Some(messages.keep(NewMessage {
            room,
            from: self.file.owner.clone(),
            key: self.file.key.clone(),
            text: String::new(),
            file: Some(FileTag {
                name: published.name.clone(),
                size: published.size,
                digest: published.digest,
            }),
            charge,
        })?);
        Ok(())
    }

    /// Enters the file under its name, or its sender as one more owner.
    fn enter(&mut self, state: &mut State, published: &Published) {
        let owner = self.file.owner.clone();
        if published.duplicate {
            if let Some(stored) = state.published.get_mut(&published.name)
                && !stored.owners.contains(&owner)
            {
                stored.owners.push(owner);
            }
            return;
        }
        let content = match self.resumable() {
            Some(id) => state.partials.remove(id).map(|partial| partial.content),
            None => Some(std::mem::take(&mut self.content)),
        };
        if self.resumable().is_none() && self.partial.is_none() {
            state.under_way -= 1;
        }
        self.done = true;
        let stored = Stored {
            content: content.unwrap_or_default().into(),
            asked: self.file.name.clone(),
            digest: published.digest,
            owners: vec![owner],
            reader: self.file.reader().map(str::to_owned),
            time: self.shared.clock.now(),
        };
        state.published.insert(published.name.clone(), stored);
    }

    fn tell(&self, published: &Published) {
        if let Some(witness) = self.shared.witness.get() {
            witness.published(&[Arrival {
                name: published.name.clone(),
                size: published.size,
                owner: self.file.owner.clone(),
                personal: self.file.reader().is_some(),
            }]);
        }
    }

    /// Throws away what came, also what could be resumed.
    fn discard(&mut self) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock();
        let mut bytes = self.reserved + self.content.len() as u64;
        if let Some(id) = self.resumable()
            && self.partial(&mut state).is_ok()
        {
            let gone = state.partials.remove(id);
            bytes += gone.map_or(0, |partial| partial.content.len() as u64);
        }
        if self.partial.is_none() {
            state.under_way -= 1;
        }
        state.free = state.free.saturating_add(bytes);
    }
}

impl Upload for MemoryUpload {
    fn write(&mut self, piece: &[u8]) -> Result<(), FileError> {
        if self.same.is_none()
            && let Err(error) = self.append(piece)
        {
            self.lost = true;
            return Err(error);
        }
        if let Some(digester) = &mut self.digester {
            digester.update(piece);
        }
        self.arrived += piece.len() as u64;
        Ok(())
    }

    fn amend(&mut self, name: FileName, skip: u64, front: &[u8]) -> Result<(), FileError> {
        if self.file.digest.is_some() {
            return Err(io::Error::other("what has a digest can't be amended").into());
        }
        let size = amended_size(self.arrived, skip, front)?;
        let rest = self.content.split_off(skip as usize);
        self.content = [front, &rest].concat();
        self.arrived = size;
        self.file.name = name;
        self.file.size = self.file.size.map(|_| size);
        Ok(())
    }

    fn publish(mut self: Box<Self>, pending: PendingFile) {
        let PendingFile {
            ticket,
            answer,
            charge,
        } = pending;
        let outcome = self.settle(charge);
        // What the store is to blame for may be resumed; all else goes.
        if !matches!(outcome, Err(FileError::Store(_))) {
            self.discard();
        }
        drop(self);
        let answer = match outcome {
            Ok(published) => answer(Ok(published)),
            Err(error) => answer(Err(&error)),
        };
        redeem_all([(ticket, answer)]);
    }

    fn suspend(mut self: Box<Self>) -> u64 {
        match &self.same {
            Some(_) => self.file.size.unwrap_or(0),
            None => self.keep(),
        }
    }
}

impl MemoryUpload {
    /// Ends the upload and keeps what can be resumed. Returns how many bytes that are.
    fn keep(&mut self) -> u64 {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock();
        let kept = match self.partial(&mut state) {
            Ok(Some(partial)) => partial.content.len() as u64,
            _ => 0,
        };
        if kept > 0 && !self.done {
            self.done = true;
            state.free = state.free.saturating_add(self.reserved);
        }
        drop(state);
        self.discard();
        kept
    }
}

impl Drop for MemoryUpload {
    fn drop(&mut self) {
        if !self.done {
            self.keep();
        }
    }
}

//! Removing a published file: who may, what stays, and that it is gone for good before it is told.

use super::Shared;
use super::records::{claims, disown, file, forget};
use crate::store::{FileError, Viewer};
use crate::wire::FileName;

impl Shared {
    /// Removes the file `name`, or the claim of one of several owners. On the publishing thread, so
    /// that nobody becomes an owner of what is just going.
    pub(super) fn remove_file(&self, name: &FileName, viewer: &Viewer) -> Result<(), FileError> {
        let text = name.as_str();
        let (record, owners) = self.database.read(|db| {
            let record = file(db, text)?;
            Ok((record, claims(db, text)?))
        })?;
        let Some(stamp) = self.uploads.stamp(text)? else {
            return Err(FileError::NotFound);
        };
        let record = record.as_ref();
        if record.is_some_and(|record| !self.is_visible(record)) {
            return Err(FileError::NotFound);
        }
        let own = |owner: &Option<_>| owner.is_some() && *owner == viewer.user;
        if !viewer.admin {
            if !owners.iter().any(own) {
                let reader = record.and_then(|record| record.reader.as_deref());
                return Err(if viewer.sees(reader) {
                    FileError::Forbidden
                } else {
                    FileError::NotFound
                });
            }
            if let (Some(user), true) = (&viewer.user, owners.len() > 1) {
                let (file, owner) = (text.to_owned(), user.clone());
                self.commit(move |db| Ok(disown(db, &file, &owner)?))?;
                self.space.give_back_one(user, stamp.size);
                return Ok(());
            }
        }
        self.check_fence()?;
        self.uploads.remove(text)?;
        self.listing.take(text);
        self.finished.lock().remove(name);
        self.sync_folder(&self.uploads)?;
        let gone = text.to_owned();
        self.commit(move |db| Ok(forget(db, &gone)?))?;
        if !owners.is_empty() {
            self.space.give_back(&owners, stamp.size);
        }
        Ok(())
    }
}

//! What is wanted and here already: found by its name, size and digest, and only verified then.

use super::Shared;
use super::partials::Writer;
use super::records::{Record, claims, same};
use super::space::Share;
use super::upload::Place;
use crate::store::{FileError, NewFile, PartialId, StoreError};
use crate::wire::{Digest, FileName};
use std::sync::Arc;

/// Where the bytes go of a file that is here already, as `record` says.
pub(super) fn here(
    shared: &Shared,
    wanted: &NewFile,
    size: u64,
    record: Record,
    mut share: Share,
) -> Result<Place, FileError> {
    if wanted.offset > 0 && wanted.offset != size {
        return Err(FileError::Conflict { offset: size });
    }
    let owners = (shared.database).read(|db| claims(db, record.name.as_str()))?;
    if !owners.contains(&wanted.owner) {
        share.grow(size, 0)?;
    }
    Ok(Place::Same {
        name: record.name,
        arrived: wanted.offset,
        share,
    })
}

impl Shared {
    /// The published file that is the same as the one wanted, if its sender may know of it.
    pub(super) fn same(
        &self,
        asked: &FileName,
        size: u64,
        digest: Digest,
        reader: Option<&str>,
    ) -> Result<Option<Record>, StoreError> {
        let found = (self.database).read(|db| same(db, asked, size, digest, reader))?;
        for record in found {
            let stamp = self.uploads.stamp(record.name.as_str())?;
            if stamp == Some(record.stamp) && self.is_visible(&record) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The published file that is the same as what `writer` has just claimed from its first byte on,
    /// which is then claimed no more.
    pub(super) fn published_meanwhile(
        &self,
        wanted: &NewFile,
        id: &PartialId,
        writer: &Arc<Writer>,
    ) -> Result<Option<Record>, StoreError> {
        if wanted.offset > 0 {
            // What it goes on with was published by nobody.
            return Ok(None);
        }
        let same = self.same(&id.name, id.size, id.digest, wanted.reader());
        if !matches!(same, Ok(None)) {
            self.partials.forget(id, writer);
        }
        same
    }
}

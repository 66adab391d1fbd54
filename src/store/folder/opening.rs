//! Opening a published file to be read.

use super::Shared;
use super::records::{Record, file};
use crate::store::digester::Digester;
use crate::store::{Content, FileError, StoredFile, Viewer};
use crate::wire::{Digest, FileName};
use std::fs::File;
use std::io::{Seek, SeekFrom};

impl Shared {
    /// Opens the file `name`; see [`Files::open`](crate::store::Files::open).
    pub(super) fn open_file(
        &self,
        name: &FileName,
        viewer: &Viewer,
        expected: Option<Digest>,
    ) -> Result<StoredFile, FileError> {
        // Asked before it is opened: of what gets its name in between nothing is known yet, and it
        // may be for somebody else.
        let record = self.database.read(|db| file(db, name.as_str()))?;
        let opened = self.uploads.open_to_read(name.as_str())?;
        let (content, stamp) = opened.ok_or(FileError::NotFound)?;
        let record = match record {
            Some(record) if record.stamp == stamp => Some(record),
            // Published or replaced just now, or placed by hand.
            _ => self.database.read(|db| file(db, name.as_str()))?,
        };
        if let Some(record) = &record
            && !(self.is_visible(record) && viewer.sees(record.reader.as_deref()))
        {
            return Err(FileError::NotFound);
        }
        let current = record.filter(|record| record.stamp == stamp);
        if current.is_none() {
            self.placed.notice(name);
        }
        let digest = match expected {
            Some(expected) => {
                let known = current.as_ref();
                let known = known.and_then(|record| record.digest_of(expected.algorithm));
                let actual = match known {
                    Some(known) => known,
                    None => digest_of(&content, expected)?,
                };
                if actual != expected {
                    return Err(FileError::Changed);
                }
                Some(expected)
            }
            None => current.as_ref().and_then(Record::digest),
        };
        Ok(StoredFile {
            name: name.clone(),
            size: stamp.size,
            digest,
            content: Content::File(content),
        })
    }
}

/// The digest of a whole file, of the kind of `expected`.
fn digest_of(mut file: &File, expected: Digest) -> Result<Digest, FileError> {
    let mut digester = Digester::new(expected.algorithm);
    digester.read(&mut file, u64::MAX)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(digester.finish())
}

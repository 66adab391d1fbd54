//! Uploads that can be resumed: which bytes of them are durable, and which upload may write them.
//!
//! The newest upload of a partial fences out the one before it. Nobody ever waits for that one but
//! for a write that it is in the middle of, and no lock outlives whoever holds it.

use super::records::PartialRecord;
use super::space::Share;
use crate::store::{FileError, PartialId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// An upload's right to write its file, until it is fenced out.
#[derive(Debug, Default)]
pub(super) struct Writer(Mutex<Writing>);

/// What a writer has written. Held while it writes.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// Whether a later upload took over.
    pub(super) fenced_out: bool,
    /// Where it writes to, once that is open.
    pub(super) file: Option<Arc<File>>,
    /// How many bytes the file has, with those of earlier uploads.
    pub(super) arrived: u64,
}

impl Writer {
    /// Holds off everybody else who writes, syncs or cuts the file.
    pub(super) fn hold(&self) -> parking_lot::MutexGuard<'_, Writing> {
        self.0.lock()
    }

    /// Waits for a write that is under way and forbids all further ones.
    fn fence_out(&self) {
        let mut writing = self.0.lock();
        writing.fenced_out = true;
        writing.file = None;
    }
}

/// All partials of a store. What is here and durable is also in the records.
#[derive(Debug, Default)]
pub(super) struct Partials {
    entries: Mutex<HashMap<PartialId, Entry>>,
    /// How many were published or thrown away.
    ended: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    /// Its name in `.incoming`.
    incoming: String,
    /// How many bytes are durable.
    durable: u64,
    /// When that was last told.
    time: SystemTime,
    /// The upload under way, if there is one.
    writer: Option<Arc<Writer>>,
    /// Whether it is whole and about to get its name.
    publishing: bool,
    /// What it counts against the quotas while no upload is under way.
    share: Option<Share>,
}

/// A partial that an upload may go on with.
#[derive(Debug)]
pub(super) struct Claimed {
    /// Its name in `.incoming`.
    pub(super) incoming: String,
    /// What an earlier upload left under another name and nobody needs any more, and how many of
    /// its bytes were durable.
    pub(super) abandoned: Option<(String, u64)>,
    /// What it was charged while no upload was under way.
    pub(super) share: Option<Share>,
}

/// Why a partial can't be gone on with.
#[derive(Debug)]
pub(super) enum Unclaimed {
    /// It is whole and about to be published: ask again then.
    Publishing,
    /// This is the place to go on from.
    Conflict(u64),
}

/// Where a partial stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) durable: u64,
    pub(super) writer: Option<Arc<Writer>>,
    pub(super) publishing: bool,
}

impl Partials {
    /// Enters what the records tell at a start.
    pub(super) fn restore(&self, record: &PartialRecord, share: Share) {
        let entry = Entry {
            incoming: record.incoming.clone(),
            durable: record.durable,
            time: record.time,
            writer: None,
            publishing: false,
            share: Some(share),
        };
        self.entries.lock().insert(record.id.clone(), entry);
    }

    /// Makes `writer` the one upload of a partial that goes on at `offset`, or starts over under
    /// the name `fresh`. Waits for a write of the upload before it.
    pub(super) fn claim(
        &self,
        id: &PartialId,
        offset: u64,
        fresh: String,
        writer: &Arc<Writer>,
        now: SystemTime,
    ) -> Result<Claimed, Unclaimed> {
        let mut entries = self.entries.lock();
        let durable = match entries.get(id) {
            Some(entry) if entry.publishing => return Err(Unclaimed::Publishing),
            Some(entry) => entry.durable,
            None => 0,
        };
        if offset > 0 && offset != durable {
            return Err(Unclaimed::Conflict(durable));
        }
        let mut before = entries.remove(id);
        let (incoming, abandoned) = match &mut before {
            Some(entry) if offset > 0 => (std::mem::take(&mut entry.incoming), None),
            Some(entry) => {
                let old = std::mem::take(&mut entry.incoming);
                (fresh, Some((old, entry.durable)))
            }
            None => (fresh, None),
        };
        let (before, share) = before.map_or((None, None), |entry| (entry.writer, entry.share));
        let entry = Entry {
            incoming: incoming.clone(),
            durable: offset,
            time: now,
            writer: Some(Arc::clone(writer)),
            publishing: false,
            share: None,
        };
        entries.insert(id.clone(), entry);
        drop(entries);
        if let Some(before) = before {
            before.fence_out();
        }
        Ok(Claimed {
            incoming,
            abandoned,
            share,
        })
    }

    /// How many were published or thrown away. If that is the same before somebody looked for a
    /// published file and after it claimed the partial, none was published in between.
    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    /// Where a partial stands, if it is here.
    pub(super) fn standing(&self, id: &PartialId) -> Option<Standing> {
        let entries = self.entries.lock();
        entries.get(id).map(|entry| Standing {
            durable: entry.durable,
            writer: entry.writer.clone(),
            publishing: entry.publishing,
        })
    }

    /// Notes that `durable` bytes are. Calls `tell` with what is to be recorded while nobody else
    /// can note anything, so that the records change in the same order; `tell` must not block.
    /// Returns how many are; `None`, and nothing is noted, if `writer` has ended or was fenced out.
    pub(super) fn note(
        &self,
        id: &PartialId,
        writer: &Arc<Writer>,
        durable: u64,
        now: SystemTime,
        tell: impl FnOnce(PartialRecord),
    ) -> Option<u64> {
        let mut entries = self.entries.lock();
        let entry = mine(&mut entries, id, writer)?;
        if durable > entry.durable {
            entry.durable = durable;
        }
        entry.time = now;
        tell(PartialRecord {
            incoming: entry.incoming.clone(),
            id: id.clone(),
            durable: entry.durable,
            time: entry.time,
        });
        Some(entry.durable)
    }

    /// Ends the upload `writer` of a partial, which stays if any of it is durable. Returns how much
    /// is; `None` if it was fenced out, and the file is somebody else's.
    ///
    /// `cut` is to cut the file to so much. It is called while nobody can note more: somebody who
    /// has just synced the file would else note bytes that are being cut away. Of the file itself
    /// it may change no more than its length, for which no disk is waited for.
    pub(super) fn leave(
        &self,
        id: &PartialId,
        writer: &Arc<Writer>,
        mut share: Share,
        cut: impl FnOnce(u64),
    ) -> Option<u64> {
        let mut entries = self.entries.lock();
        let entry = mine(&mut entries, id, writer)?;
        let durable = entry.durable;
        if durable == 0 {
            entries.remove(id);
            return Some(0);
        }
        cut(durable);
        entry.writer = None;
        entry.publishing = false;
        share.shrink(durable);
        entry.share = Some(share);
        Some(durable)
    }

    /// Forgets a partial with the upload `writer`. Returns how many bytes were durable; `None` if
    /// it was fenced out, and the file is somebody else's.
    pub(super) fn forget(&self, id: &PartialId, writer: &Arc<Writer>) -> Option<u64> {
        let mut entries = self.entries.lock();
        let durable = mine(&mut entries, id, writer)?.durable;
        entries.remove(id);
        // Under the lock: whoever claims it from now on sees it.
        self.ended.fetch_add(1, Ordering::Release);
        Some(durable)
    }

    /// Keeps everybody off a partial that is whole, until it is published or can't be.
    pub(super) fn seal(&self, id: &PartialId, writer: &Arc<Writer>) -> Result<(), FileError> {
        let mut entries = self.entries.lock();
        let entry = mine(&mut entries, id, writer).ok_or(FileError::FencedOut)?;
        entry.publishing = true;
        Ok(())
    }

    /// Forgets the partials that nobody has gone on with for longer than `kept`. Returns what they
    /// left: whose it was, its name in `.incoming` and how many bytes were durable.
    pub(super) fn expire(&self, now: SystemTime, kept: Duration) -> Vec<(PartialId, String, u64)> {
        let is_old = |entry: &Entry| {
            let age = now.duration_since(entry.time);
            entry.writer.is_none() && age.is_ok_and(|age| age > kept)
        };
        let mut entries = self.entries.lock();
        let old = entries.extract_if(|_, entry| is_old(entry));
        old.map(|(id, entry)| (id, entry.incoming, entry.durable))
            .collect()
    }

    /// How many there are without an upload under way, and their bytes.
    pub(super) fn count(&self) -> (usize, u64) {
        let entries = self.entries.lock();
        let idle = entries.values().filter(|entry| entry.writer.is_none());
        idle.fold((0, 0), |(count, bytes), entry| {
            (count + 1, bytes + entry.durable)
        })
    }
}

fn mine<'a>(
    entries: &'a mut HashMap<PartialId, Entry>,
    id: &PartialId,
    writer: &Arc<Writer>,
) -> Option<&'a mut Entry> {
    let is_mine = |entry: &&mut Entry| {
        let current = entry.writer.as_ref();
        current.is_some_and(|current| Arc::ptr_eq(current, writer))
    };
    entries.get_mut(id).filter(is_mine)
}

#[cfg(test)]
mod tests {
    use super::super::FileLimits;
    use super::super::space::Space;
    use super::*;
    use crate::wire::FileName;

    #[test]
    fn nobody_can_note_more_while_a_partial_is_cut() {
        let partials = Partials::default();
        let id = PartialId {
            user: None,
            name: FileName::new("a").unwrap(),
            size: 10,
            digest: format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
        };
        let (writer, now) = (Arc::new(Writer::default()), SystemTime::UNIX_EPOCH);
        let limits = FileLimits {
            quota_per_user: 0,
            quota: 0,
            disk_reserve: 0,
            partial_kept: Duration::from_secs(1),
        };
        let disk = File::open(std::env::temp_dir()).unwrap();
        let space = Arc::new(Space::new(disk, &limits, Vec::new(), 0).unwrap());
        let share = || Share::new(&space, None);
        let claimed = partials.claim(&id, 0, "f".to_owned(), &writer, now);
        assert!(claimed.is_ok());
        assert_eq!(partials.note(&id, &writer, 4, now, drop), Some(4));
        let kept = partials.leave(&id, &writer, share(), |durable| {
            assert_eq!(durable, 4);
            assert!(partials.entries.is_locked(), "or a sync could be noted now");
        });
        assert_eq!(kept, Some(4));
        // Whoever synced before the cut comes too late.
        assert_eq!(partials.note(&id, &writer, 8, now, drop), None);
        assert_eq!(partials.standing(&id).map(|it| it.durable), Some(4));
        assert_eq!(partials.leave(&id, &writer, share(), drop), None);
    }
}

//! One file of a batch: what it turns out to be, and how it ends.

use super::super::incoming::Incoming;
use super::super::publisher::Finished;
use super::super::records::{Record, Scope, State};
use super::super::space::Share;
use super::super::{Shared, UPLOADS};
use super::change::{Change, Committed};
use crate::budget::Charge;
use crate::store::{FileError, NewFile, PendingFile, Published, StoreError};
use crate::ticket::Ticket;
use crate::wire::{Answer, Digest, FileName};
use std::sync::Arc;

/// One file of a batch.
pub(super) struct Item {
    pub(super) wanted: NewFile,
    pub(super) digest: Option<Digest>,
    pub(super) size: u64,
    pub(super) ticket: Ticket,
    pub(super) answer: fn(Result<Published, &FileError>) -> Answer,
    pub(super) charge: Option<Charge>,
    pub(super) scope: Option<Scope>,
    pub(super) course: Course,
}

/// What becomes of a file.
pub(super) enum Course {
    /// It gets a name.
    New {
        incoming: Incoming,
        record: Option<Record>,
        /// Whether it has its name.
        renamed: bool,
    },
    /// The same file is here already, under this name.
    Same { name: FileName, held: Held },
    /// It is done, or can't be.
    Settled(Result<Published, FileError>),
}

/// What a duplicate gives back at its end.
pub(super) enum Held {
    Incoming(Incoming),
    Share(Share),
}

impl Item {
    pub(super) fn new(finished: Finished) -> Self {
        let scope = finished.scope();
        let Finished {
            wanted,
            incoming,
            same,
            digest,
            size,
            pending,
        } = finished;
        let PendingFile {
            ticket,
            answer,
            charge,
        } = pending;
        let course = match (incoming, same) {
            (Some(incoming), _) => Course::New {
                incoming,
                record: None,
                renamed: false,
            },
            (None, Some((name, share))) => Course::Same {
                name,
                held: Held::Share(share),
            },
            (None, None) => Course::Settled(Err(StoreError::Fenced.into())),
        };
        Self {
            wanted,
            digest,
            size,
            ticket,
            answer,
            charge: Some(charge),
            scope,
            course,
        }
    }

    /// Finds out whether the same file is here already.
    pub(super) fn recognize(&mut self, shared: &Arc<Shared>) -> Result<(), FileError> {
        let (Course::New { .. } | Course::Same { .. }, Some(digest)) = (&self.course, self.digest)
        else {
            return Ok(());
        };
        let asked = &self.wanted.name;
        let found = shared.same(asked, self.size, digest, self.wanted.reader())?;
        let Some(record) = found else {
            return match self.course {
                // Removed since this began: its bytes were not kept.
                Course::Same { .. } => Err(FileError::Conflict { offset: 0 }),
                _ => Ok(()),
            };
        };
        if self.wanted.durable && record.state == State::Hasty {
            shared.settle_one(&record)?;
        }
        let gone = Course::Settled(Err(FileError::FencedOut));
        let held = match std::mem::replace(&mut self.course, gone) {
            Course::New { incoming, .. } => Held::Incoming(incoming),
            Course::Same { held, .. } => held,
            Course::Settled(_) => return Ok(()),
        };
        let name = record.name;
        self.course = Course::Same { name, held };
        Ok(())
    }

    /// Ends it without a name. What its store is to blame for may be tried again with what came, all
    /// else goes.
    pub(super) fn fail(&mut self, error: FileError) {
        let is_kept = matches!(error, FileError::Store(_));
        self.end(Err(error), is_kept);
    }

    pub(super) fn end(&mut self, outcome: Result<Published, FileError>, is_kept: bool) {
        let before = std::mem::replace(&mut self.course, Course::Settled(outcome));
        if let Course::New { incoming, .. } = before
            && !is_kept
        {
            incoming.discard();
        }
    }

    pub(super) fn published(&self, name: FileName, duplicate: bool) -> Published {
        Published {
            name,
            size: self.size,
            digest: self.digest,
            durable: self.wanted.durable,
            duplicate,
            room: self.wanted.room.clone(),
            post: None,
        }
    }

    /// Whether its record must be committed before anything else happens to it: because it is
    /// durable, because without the record it would be seen by everybody, or because a resend
    /// asks the record.
    pub(super) fn waits(&self) -> bool {
        self.wanted.durable || self.scope.is_some() || self.wanted.reader().is_some()
    }

    /// Whether its last commit is still to come.
    pub(super) const fn is_under_way(&self) -> bool {
        matches!(
            self.course,
            Course::New { renamed: true, .. } | Course::Same { .. }
        )
    }

    /// The name of a durable file whose record says all about it already.
    pub(super) fn plain_name(&self) -> Option<FileName> {
        let is_plain = self.wanted.durable && self.wanted.room.is_none() && self.scope.is_none();
        match &self.course {
            Course::New {
                record: Some(record),
                renamed: true,
                ..
            } if is_plain => Some(record.name.clone()),
            _ => None,
        }
    }

    pub(super) fn change(&mut self) -> Option<Change> {
        let (name, duplicate, enter, state) = match &self.course {
            Course::New {
                record: Some(record),
                renamed: true,
                ..
            } => {
                let state = match record.state {
                    State::Publishing => State::Published,
                    state => state,
                };
                let enter = (!self.waits()).then(|| record.clone());
                (record.name.clone(), false, enter, Some(state))
            }
            Course::Same { name, .. } => (name.clone(), true, None, None),
            _ => return None,
        };
        Some(Change {
            enter,
            state,
            published: self.published(name, duplicate),
            wanted: self.wanted.clone(),
            scope: self.scope.clone(),
            charge: self.charge.take(),
        })
    }

    /// Ends it well.
    pub(super) fn settle(&mut self, shared: &Shared, made: Committed) {
        let gone = Course::Settled(Err(StoreError::Fenced.into()));
        let (name, duplicate) = match std::mem::replace(&mut self.course, gone) {
            Course::New {
                incoming,
                record: Some(record),
                ..
            } => {
                incoming.published(false);
                shared.listing.add(record.name.as_str());
                (record.name, false)
            }
            Course::Same { name, held } => {
                match held {
                    Held::Incoming(incoming) => incoming.duplicate(made.already_owned),
                    Held::Share(share) => share.keep(true, made.already_owned),
                }
                (name, true)
            }
            _ => return,
        };
        let mut published = self.published(name, duplicate);
        if self.wanted.durable {
            published.post = made.post;
        }
        self.course = Course::Settled(Ok(published));
    }

    /// Takes its name away again.
    pub(super) fn take_back(&self, shared: &Shared) {
        let Course::New {
            incoming,
            record: Some(record),
            renamed: true,
        } = &self.course
        else {
            return;
        };
        let name = record.name.as_str();
        let back = shared
            .uploads
            .rename(name, &shared.incoming, incoming.name());
        if let Err(error) = back {
            tracing::error!("{UPLOADS}/{name:?} was refused and can't be taken back: {error}");
            return;
        }
        // Without its record everybody would see a name that comes back.
        if shared.check_fence().is_err() || shared.sync_folder(&shared.uploads).is_err() {
            return;
        }
        shared.forget_later(&record.name);
    }
}

//! What is committed for one file at its end, with the post to its room.

use super::super::records::{Record, Scope, State, claim, claims, enter, keep_posted, settle};
use crate::budget::Charge;
use crate::store::database::Writing;
use crate::store::{NewFile, NewMessage, Published, Receipt, StoreError};
use crate::wire::FileTag;
use std::time::SystemTime;

/// What is committed for one file.
pub(super) struct Change {
    /// Its record, if it has not been entered yet.
    pub(super) enter: Option<Record>,
    pub(super) state: Option<State>,
    pub(super) published: Published,
    pub(super) wanted: NewFile,
    pub(super) scope: Option<Scope>,
    pub(super) charge: Option<Charge>,
}

impl Change {
    pub(super) fn make(
        self,
        db: &mut Writing<'_>,
        now: SystemTime,
    ) -> Result<Committed, StoreError> {
        let Self {
            wanted,
            mut published,
            ..
        } = self;
        let name = published.name.as_str();
        if let Some(record) = &self.enter {
            enter(db, record)?;
        }
        if let Some(state) = self.state {
            settle(db, name, state)?;
        }
        // What an operator placed by hand stays the operator's: who has the same gets no claim to it.
        let is_placed = published.duplicate && claims(db, name)?.is_empty();
        let is_new_claim = !is_placed && claim(db, name, wanted.owner.as_ref(), now)?;
        if let (Some(room), Some(charge)) = (&wanted.room, self.charge) {
            published.post = Some(db.post(NewMessage {
                room: room.clone(),
                from: wanted.owner.clone(),
                key: wanted.key.clone(),
                text: String::new(),
                file: Some(FileTag {
                    name: published.name.clone(),
                    size: published.size,
                    digest: published.digest,
                }),
                charge,
            })?);
        }
        if let Some(scope) = &self.scope {
            keep_posted(db, scope, &published)?;
        }
        Ok(Committed {
            post: published.post,
            already_owned: published.duplicate && !is_new_claim,
        })
    }
}

/// What the last commit tells of one file.
#[derive(Default)]
pub(super) struct Committed {
    pub(super) post: Option<Receipt>,
    pub(super) already_owned: bool,
}

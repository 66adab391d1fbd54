//! What a client is told when a store can't do its part, and what the operator is.

use crate::store::StoreError;
use crate::wire::{Code, Refusal};

/// The refusal for an `error` of the store called `store`.
pub(super) fn refuse(store: &'static str, error: &StoreError) -> Refusal {
    match error {
        StoreError::NoSpace => Refusal::new(Code::NoSpace, "the disk is full; nothing was stored"),
        // The store has said aloud why it is fenced; once is enough.
        StoreError::Fenced => Refusal::internal(),
        StoreError::Io(error) => {
            tracing::error!(store, %error, "a store failed");
            Refusal::internal()
        }
    }
}

//! A change that another store wants made in the next commit: a closure for the journal thread and
//! one for whoever waits, behind a trait that forgets their types.

use super::writing::Writing;
use crate::store::StoreError;

/// A change on its way to the journal thread. Dropped unfinished, it is refused.
pub(super) trait Change: Send {
    /// Makes it. An error says that it has to be undone.
    fn apply(&mut self, writing: &mut Writing<'_>) -> Result<(), StoreError>;

    /// Tells whoever waits that it is committed now, if it succeeded, or why not.
    fn finish(self: Box<Self>, commit: Result<(), &StoreError>);
}

/// A change, what came of it, and who is told.
struct Waiting<T, C, D: FnOnce(Result<T, StoreError>)> {
    change: Option<C>,
    result: Option<Result<T, StoreError>>,
    done: Option<D>,
}

/// Packs `change` and who is told of its end.
pub(super) fn pack<T: Send + 'static>(
    change: impl FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
    done: impl FnOnce(Result<T, StoreError>) + Send + 'static,
) -> Box<dyn Change> {
    Box::new(Waiting {
        change: Some(change),
        result: None,
        done: Some(done),
    })
}

impl<T, C, D> Change for Waiting<T, C, D>
where
    T: Send,
    C: FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send,
    D: FnOnce(Result<T, StoreError>) + Send,
{
    fn apply(&mut self, writing: &mut Writing<'_>) -> Result<(), StoreError> {
        let Some(change) = self.change.take() else {
            return Err(StoreError::Fenced);
        };
        let result = self.result.insert(change(writing));
        result.as_ref().map(drop).map_err(StoreError::again)
    }

    fn finish(mut self: Box<Self>, commit: Result<(), &StoreError>) {
        let result = match (self.result.take(), commit) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(error)) => Err(error.again()),
            (None, Ok(())) => Err(StoreError::Fenced),
        };
        if let Some(done) = self.done.take() {
            done(result);
        }
    }
}

impl<T, C, D: FnOnce(Result<T, StoreError>)> Drop for Waiting<T, C, D> {
    fn drop(&mut self) {
        // A panic in the journal thread: whoever waits must not wait for ever.
        if let Some(done) = self.done.take() {
            done(Err(StoreError::Fenced));
        }
    }
}

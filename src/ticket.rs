//! An answer that is owed: redeemed exactly once, by whoever finishes the work, on any thread.
//!
//! A ticket that is dropped, by a panic or a mistake, redeems itself as `internal`, so that no
//! client waits for ever. What a redeemed answer is and where it goes is left to the [`Redeemer`].

use crate::wire::{Answer, Refusal};
use std::fmt;
use std::sync::Arc;

/// An answer on its way back.
#[derive(Debug)]
pub struct Redeemed {
    /// Which connection it belongs to.
    pub connection: u64,
    /// Which of that connection's requests it answers.
    pub slot: u64,
    /// The answer.
    pub answer: Answer,
}

/// Where tickets are redeemed.
pub trait Redeemer: Send + Sync {
    /// Takes finished answers, many at once so that a group commit costs one wake-up.
    fn redeem(&self, batch: Vec<Redeemed>);
}

/// The right and the duty to answer one request.
pub struct Ticket {
    redeemer: Option<Arc<dyn Redeemer>>,
    connection: u64,
    slot: u64,
}

impl Ticket {
    /// A ticket for request `slot` of `connection`.
    #[must_use]
    pub fn new(redeemer: Arc<dyn Redeemer>, connection: u64, slot: u64) -> Self {
        Self {
            redeemer: Some(redeemer),
            connection,
            slot,
        }
    }

    /// Redeems this one ticket.
    pub fn redeem(self, answer: Answer) {
        redeem_all([(self, answer)]);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(redeemer) = self.redeemer.take() {
            let (connection, slot) = (self.connection, self.slot);
            let answer = Err(Refusal::internal());
            redeemer.redeem(vec![Redeemed {
                connection,
                slot,
                answer,
            }]);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({}/{})", self.connection, self.slot)
    }
}

/// Redeems many tickets with one call for each run of tickets of the same redeemer.
pub fn redeem_all(finished: impl IntoIterator<Item = (Ticket, Answer)>) {
    let mut current: Option<Arc<dyn Redeemer>> = None;
    let mut batch = Vec::new();
    for (mut ticket, answer) in finished {
        let Some(redeemer) = ticket.redeemer.take() else {
            continue;
        };
        match &current {
            Some(same) if Arc::ptr_eq(same, &redeemer) => {}
            _ => {
                if let Some(previous) = current.replace(redeemer) {
                    previous.redeem(std::mem::take(&mut batch));
                }
            }
        }
        let (connection, slot) = (ticket.connection, ticket.slot);
        batch.push(Redeemed {
            connection,
            slot,
            answer,
        });
    }
    if let Some(redeemer) = current {
        redeemer.redeem(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Code, Reply};
    use parking_lot::Mutex;

    #[derive(Default)]
    struct Desk(Mutex<Vec<Vec<Redeemed>>>);

    impl Redeemer for Desk {
        fn redeem(&self, batch: Vec<Redeemed>) {
            self.0.lock().push(batch);
        }
    }

    #[test]
    fn a_dropped_ticket_redeems_itself_as_internal() {
        let desk = Arc::new(Desk::default());
        drop(Ticket::new(desk.clone(), 1, 2));
        let batches = desk.0.lock();
        assert_eq!((batches[0][0].connection, batches[0][0].slot), (1, 2));
        assert_eq!(
            batches[0][0].answer.as_ref().unwrap_err().code,
            Code::Internal
        );
    }

    #[test]
    fn a_redeemed_ticket_is_redeemed_once_and_a_batch_at_once() {
        let desk = Arc::new(Desk::default());
        let ticket = |slot| (Ticket::new(desk.clone(), 1, slot), Ok(Reply::new()));
        redeem_all([ticket(1), ticket(2), ticket(3)]);
        let batches = desk.0.lock();
        assert_eq!(batches.len(), 1);
        assert_eq!(
            batches[0].iter().map(|r| r.slot).collect::<Vec<_>>(),
            [1, 2, 3]
        );
    }
}

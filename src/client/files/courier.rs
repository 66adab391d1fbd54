//! Who carries files over a connection that is made anew when it breaks. What is sent and fetched
//! is left to [`super::send`] and [`super::fetch`].

use super::pace::Pace;
use crate::client::waits::Waits;
use crate::client::{Client, Error, Progress, Stop};
use crate::time::Random;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How files are carried.
#[derive(Debug, Clone)]
pub struct Terms {
    /// For how long it is tried again while nothing moves.
    pub patience: Duration,
    /// The bound on the bytes a second, shared with other couriers.
    pub pace: Option<Arc<Pace>>,
    /// Ends every wait.
    pub stop: Stop,
    /// What spreads the waits of many.
    pub random: Random,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(300),
            pace: None,
            stop: Stop::new(),
            random: Random::system(),
        }
    }
}

/// What happens while a file is carried.
#[derive(Debug)]
pub enum News<'a> {
    /// So many of its bytes are hashed.
    Hashed(u64),
    /// It goes on from this offset, in bytes.
    Resumed(u64),
    /// So much of an upload is confirmed.
    Sent(Progress),
    /// So many bytes of a download are kept here, of so many.
    Kept {
        /// Bytes that are kept.
        bytes: u64,
        /// Bytes of the file in all.
        size: u64,
    },
    /// It broke off, and is tried again after a wait.
    Broken {
        /// Why.
        error: &'a Error,
        /// How long is waited.
        wait: Duration,
    },
    /// It starts over, since what was there is not the same file.
    StartedOver,
}

/// Makes a connection, logged in if need be.
type Connect<'a> = dyn FnMut() -> Result<Client, Error> + Send + 'a;

/// Carries one file after the other.
pub struct Courier<'a> {
    connect: Box<Connect<'a>>,
    client: Option<Client>,
    /// Whether a connection ever came about: before that nothing is waited for.
    was_connected: bool,
    pub(super) terms: Terms,
}

impl fmt::Debug for Courier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl<'a> Courier<'a> {
    /// A courier who connects with `connect` when there is something to carry.
    #[must_use]
    pub fn new(connect: impl FnMut() -> Result<Client, Error> + Send + 'a, terms: Terms) -> Self {
        Self {
            connect: Box::new(connect),
            client: None,
            was_connected: false,
            terms,
        }
    }

    /// The connection, made anew when the last one is over.
    ///
    /// # Errors
    ///
    /// That of connecting.
    pub fn client(&mut self) -> Result<&mut Client, Error> {
        self.terms.stop.check()?;
        if let Some(client) = &mut self.client {
            // What the server did since the last call shows only now.
            let _ = client.glance();
        }
        let client = match self.client.take() {
            Some(client) if client.is_open() => client,
            _ => (self.connect)()?.with_stop(self.terms.stop.clone()),
        };
        self.was_connected = true;
        Ok(self.client.insert(client))
    }

    /// What ends every wait.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.terms.stop.clone()
    }

    /// Says goodbye. All that was carried has its receipt: how that goes changes nothing.
    pub fn leave(mut self) {
        if let Some(client) = self.client.take().filter(Client::is_open) {
            let _ = client.close();
        }
    }

    /// Waits after `error` if the same is worth another try, and gives it back if not.
    pub(super) fn wait(
        &mut self,
        error: Error,
        tries: &mut Tries,
        news: &mut dyn FnMut(News<'_>),
    ) -> Result<(), Error> {
        let is_passing = match &error {
            // A server that is at fault would be at fault with this file again.
            Error::Refused(refused) => refused.is_passing(),
            error => error.is_passing(),
        };
        if !self.was_connected || !is_passing {
            return Err(error);
        }
        match &error {
            Error::Refused(refused) => tries.ask(refused.retry_after()),
            _ => self.client = None,
        }
        let Some(wait) = tries.next() else {
            return Err(error);
        };
        let error = &error;
        news(News::Broken { error, wait });
        self.terms.stop.sleep(wait)
    }
}

/// The tries of one file, and when to give up.
#[derive(Debug)]
pub(super) struct Tries {
    patience: Duration,
    /// When something moved last.
    moved: Instant,
    waits: Waits,
}

impl Tries {
    pub(super) fn new(terms: &Terms) -> Self {
        Self {
            patience: terms.patience,
            moved: Instant::now(),
            waits: Waits::new(terms.random.clone()),
        }
    }

    /// Something moved: patience and waits begin anew.
    pub(super) fn moved(&mut self) {
        self.moved = Instant::now();
        self.waits.reset();
    }

    fn ask(&mut self, wait: Option<Duration>) {
        if let Some(wait) = wait {
            self.waits.ask(wait);
        }
    }

    /// How long to wait now; `None` if patience is over before that.
    fn next(&mut self) -> Option<Duration> {
        let wait = self.waits.next();
        let left = self.patience.saturating_sub(self.moved.elapsed());
        (wait <= left).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_over_before_a_wait_that_outlasts_it() {
        let terms = |patience| Terms {
            patience,
            ..Terms::default()
        };
        let mut tries = Tries::new(&terms(Duration::from_secs(3600)));
        assert!(tries.next().is_some());
        tries.ask(Some(Duration::from_secs(100)));
        assert!(tries.next().unwrap() >= Duration::from_secs(100));
        assert_eq!(Tries::new(&terms(Duration::ZERO)).next(), None);
    }
}

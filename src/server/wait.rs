//! What a parked connection waits for, and until when: deadlines for a peer that began something
//! and doesn't go on. Waiting for the server itself has none.

use super::connection::{Input, Inside};
use super::stream::Stream;
use crate::config::Limits;
use std::time::{Duration, Instant};

/// How long a connection waits for memory before it looks again.
const MEMORY_RETRY: Duration = Duration::from_millis(50);

/// What the peer should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// Read what it was sent.
    Read,
    /// Finish a frame, or send the text that follows a header.
    FinishFrame,
    /// Go on with a file.
    GoOn,
}

/// A duty, and since when nothing was done about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    duty: Duty,
    progress: u64,
    since: Instant,
}

/// Why a connection's time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// A duty was not done.
    Duty(Duty),
    /// No login where one is required.
    Login,
    /// A proxy did not say whose connection it is.
    Proxy,
    /// Its end has lasted long enough.
    Farewell,
    /// No TLS handshake where one begins everything.
    Handshake,
}

impl Inside {
    /// What the peer should do now, if anything.
    fn duty(&self) -> Option<Duty> {
        if !self.outbox.is_empty()
            || self.stream.as_ref().is_some_and(Stream::has_unsent)
            || (self.transfer.is_some() && self.waits_for.is_none())
        {
            return Some(Duty::Read);
        }
        // While requests wait for the server itself nothing is expected of the peer.
        if self.input != Input::Open
            || self.held.is_some()
            || self.waits_for.is_some()
            || !self.replies.is_empty()
        {
            return None;
        }
        match &self.request {
            Some(request) if request.is_file => Some(Duty::GoOn),
            Some(_) => Some(Duty::FinishFrame),
            None => {
                let began = !self.pending.is_empty() && !self.conversation.may_rest();
                // A record is kept as well, whatever may be in it.
                let has_part = self.stream.as_ref().is_some_and(Stream::has_part);
                (began || has_part).then_some(Duty::FinishFrame)
            }
        }
    }

    /// The next deadline, if there is one.
    ///
    /// # Errors
    ///
    /// What has expired by `now`.
    pub(super) fn deadline(&mut self, limits: &Limits) -> Result<Option<Instant>, Expired> {
        // Before it is over nothing can be said or asked for, so there is nothing else to be late with.
        let owes_handshake = self.stream.as_ref().is_some_and(Stream::is_handshaking)
            && self.waits_for.is_none()
            && self.input == Input::Open;
        let duty = self.duty().filter(|_| !owes_handshake);
        // A login that waits for a permit is late by our fault, not the peer's.
        let owes_login =
            self.session.owes_login() && self.input == Input::Open && self.waits_for.is_none();
        let is_at_rest = self.farewell.is_none() && self.asleep.is_empty();
        let waits_for_memory = self.waits_for_memory || self.reads_later;
        if duty.is_none()
            && is_at_rest
            && !owes_login
            && !waits_for_memory
            && !owes_handshake
            && !self.awaits_proxy
        {
            self.wait = None;
            return Ok(None);
        }
        let now = Instant::now();
        let mut deadlines: [Option<(Instant, Expired)>; 4] = [None; 4];
        self.wait = duty.map(|duty| match self.wait {
            Some(wait) if wait.duty == duty && wait.progress == self.progress => wait,
            _ => Wait {
                duty,
                progress: self.progress,
                since: now,
            },
        });
        if let Some(wait) = self.wait {
            let patience = patience(wait.duty, limits);
            deadlines[0] = Some((wait.since + patience, Expired::Duty(wait.duty)));
        }
        if owes_handshake {
            let deadline = self.opened + limits.handshake_timeout;
            deadlines[1] = Some((deadline, Expired::Handshake));
        } else if owes_login {
            deadlines[1] = Some((self.opened + limits.login_timeout, Expired::Login));
        }
        if self.awaits_proxy {
            deadlines[3] = Some((self.opened + limits.proxy_timeout, Expired::Proxy));
        }
        deadlines[2] = self.farewell.map(|farewell| (farewell, Expired::Farewell));
        let first = deadlines
            .into_iter()
            .flatten()
            .min_by_key(|(deadline, _)| *deadline);
        let retry = waits_for_memory.then_some(now + MEMORY_RETRY);
        match first {
            Some((deadline, expired)) if deadline <= now => Err(expired),
            _ => {
                let first = first.map(|(deadline, _)| deadline);
                Ok([first, retry, self.asleep.first()]
                    .into_iter()
                    .flatten()
                    .min())
            }
        }
    }
}

fn patience(duty: Duty, limits: &Limits) -> Duration {
    match duty {
        Duty::Read => limits.output_timeout,
        Duty::FinishFrame => limits.frame_timeout,
        Duty::GoOn => limits.upload_timeout,
    }
}

//! Many conversations at once, served by one thread that waits for all of them together: a slow
//! answer holds nobody up.

use super::stream::{Talk, wait};
use super::url::Url;
use crate::client::Error;
use crate::conversation::{Talking, Turn};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Has `jobs` conversations with `url` at once and tells what is heard, and each failure, as it
/// comes. The texts are dealt out in turn, the conversation `n` gets the texts `n`, `n + jobs` and
/// so on; where there are fewer texts than conversations they begin again, so that each has one.
/// Where a conversation is over after one text, the next text begins another.
///
/// A conversation that failed says nothing more; the others go on.
pub fn converse(
    url: &Url,
    texts: &[String],
    jobs: usize,
    timeout: Duration,
    mut tell: impl FnMut(Result<String, Error>),
) {
    let mut waiting: VecDeque<_> = (0..jobs).map(|job| deal(texts, job, jobs)).collect();
    let mut running: Vec<Job<'_>> = Vec::new();
    while !(waiting.is_empty() && running.is_empty()) {
        // One at a time: a server that takes its time to accept answers those before meanwhile.
        if let Some(texts) = waiting.pop_front() {
            running.push(Job { texts, talk: None });
        }
        running.retain_mut(|job| match job.advance(url, timeout, &mut tell) {
            Ok(is_done) => !is_done,
            Err(error) => {
                tell(Err(error));
                false
            }
        });
        let mut until = Instant::now();
        if waiting.is_empty() {
            until += timeout;
        }
        let mut fds = Vec::with_capacity(running.len());
        for talk in running.iter().filter_map(|job| job.talk.as_ref()) {
            let (fd, deadline) = talk.wanted();
            fds.push(fd);
            until = until.min(deadline);
        }
        if !fds.is_empty()
            && let Err(error) = wait(&mut fds, until)
        {
            tell(Err(error));
            return;
        }
    }
}

/// The texts of conversation `job` out of `jobs`.
fn deal(texts: &[String], job: usize, jobs: usize) -> VecDeque<&str> {
    let own = texts.iter().skip(job).step_by(jobs.max(1));
    let mut own: VecDeque<_> = own.map(String::as_str).collect();
    if own.is_empty() && !texts.is_empty() {
        own.push_back(&texts[job % texts.len()]);
    }
    own
}

/// One conversation, or several after each other.
struct Job<'a> {
    texts: VecDeque<&'a str>,
    talk: Option<Talk<Box<dyn Talking>>>,
}

impl Job<'_> {
    /// Does what can be done without waiting; whether that was the last of it.
    fn advance(
        &mut self,
        url: &Url,
        timeout: Duration,
        tell: &mut impl FnMut(Result<String, Error>),
    ) -> Result<bool, Error> {
        loop {
            let talk = match &mut self.talk {
                Some(talk) => talk,
                None if self.texts.is_empty() => return Ok(true),
                None => {
                    // Conversations without texts have no jobs.
                    let Some(talking) = url.conversation.talking() else {
                        return Ok(true);
                    };
                    let talk = Talk::connect(&url.address, talking, timeout)?;
                    self.talk.insert(talk)
                }
            };
            let advanced = talk.advance();
            while let Some(text) = talk.heard() {
                tell(Ok(text));
            }
            advanced?;
            match talk.turn() {
                _ if talk.is_leaving() => return Ok(talk.is_done()),
                Turn::Listen => return Ok(false),
                Turn::Speak if !talk.is_flushed() => return Ok(false),
                Turn::Over => self.talk = None,
                Turn::Speak => match self.texts.pop_front() {
                    Some(text) => talk.begin_to_say(text)?,
                    None => talk.begin_to_leave()?,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(count: usize) -> Vec<String> {
        (0..count).map(|n| n.to_string()).collect()
    }

    #[test]
    fn texts_are_dealt_out_in_turn_and_nobody_goes_without() {
        let four = texts(4);
        assert_eq!(deal(&four, 1, 4), ["1"]);
        assert_eq!(deal(&four, 1, 3), ["1"]);
        assert_eq!(deal(&four, 0, 3), ["0", "3"]);
        assert_eq!(deal(&texts(1), 99, 100), ["0"]);
        assert!(deal(&[], 0, 3).is_empty());
    }

    proptest! {
        #[test]
        fn every_text_is_dealt_once_unless_they_are_too_few(count in 1usize..50, jobs in 1usize..50) {
            let all = texts(count);
            let mut dealt: Vec<_> = (0..jobs).flat_map(|job| deal(&all, job, jobs)).collect();
            prop_assert_eq!(dealt.len(), count.max(jobs));
            dealt.sort_unstable();
            dealt.dedup();
            prop_assert_eq!(dealt.len(), count);
        }
    }
}

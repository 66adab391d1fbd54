//! Many conversations at once, served by one thread that waits for all of them together: a slow
//! answer holds nobody up.

use super::stream::{Talk, wait};
use super::url::Url;
use crate::client::Error;
use crate::client::load::raise_open_files;
use crate::conversation::{Talking, Turn};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

/// Open files beside the connections: the standard streams, and room to look up names.
const OTHER_FILES: u64 = 32;

/// How many conversations connect at once. A server whose backlog is short drops what comes on top
/// of it, and is asked again only after a second.
const CONNECTING: usize = 8;

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
    raise_open_files(jobs as u64 + OTHER_FILES);
    let peers = match url.address.resolve() {
        Ok(peers) => peers,
        Err(error) => return tell(Err(error)),
    };
    let server = Server {
        url,
        peers,
        timeout,
    };
    let mut go_on = |job: &mut Job<'_>| match job.advance(&server, &mut tell) {
        Ok(is_done) => !is_done,
        Err(error) => {
            tell(Err(error));
            false
        }
    };
    let mut waiting = 0..jobs;
    let mut running: Vec<Job<'_>> = Vec::new();
    loop {
        running.retain_mut(&mut go_on);
        while running.iter().filter(|job| job.is_connecting()).count() < CONNECTING
            && let Some(number) = waiting.next()
        {
            let mut job = Job::new(deal(texts, number, jobs));
            if go_on(&mut job) {
                running.push(job);
            }
        }
        let talks = running.iter().filter_map(|job| job.talk.as_ref());
        let (mut fds, deadlines): (Vec<_>, Vec<_>) = talks.map(Talk::wanted).unzip();
        let Some(until) = deadlines.into_iter().min() else {
            return;
        };
        if let Err(error) = wait(&mut fds, until) {
            return tell(Err(error));
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

/// With whom all conversations are had.
struct Server<'a> {
    url: &'a Url,
    /// Where the server may be, to be tried in this order.
    peers: Vec<SocketAddr>,
    timeout: Duration,
}

/// One conversation, or several after each other.
struct Job<'a> {
    texts: VecDeque<&'a str>,
    talk: Option<Talk<Box<dyn Talking>>>,
    /// How many of the server's addresses took no connection.
    failed_peers: usize,
}

impl<'a> Job<'a> {
    fn new(texts: VecDeque<&'a str>) -> Self {
        Self {
            texts,
            talk: None,
            failed_peers: 0,
        }
    }

    fn is_connecting(&self) -> bool {
        self.talk.as_ref().is_some_and(Talk::is_connecting)
    }

    /// Does what can be done without waiting; whether that was the last of it.
    fn advance(
        &mut self,
        server: &Server<'_>,
        tell: &mut impl FnMut(Result<String, Error>),
    ) -> Result<bool, Error> {
        loop {
            let Some(talk) = &mut self.talk else {
                if self.texts.is_empty() || !self.connect(server)? {
                    return Ok(true);
                }
                continue;
            };
            let advanced = talk.advance();
            while let Some(text) = talk.heard() {
                tell(Ok(text));
            }
            match advanced {
                Err(Error::Io(error)) if talk.is_connecting() => {
                    self.talk = None;
                    self.miss(server, error)?;
                    continue;
                }
                advanced => advanced?,
            }
            match talk.turn() {
                _ if talk.is_connecting() => return Ok(false),
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

    /// Begins a connection to the first address that nothing speaks against. `false` where there
    /// is nothing to begin: a conversation that isn't had text after text.
    fn connect(&mut self, server: &Server<'_>) -> Result<bool, Error> {
        while self.talk.is_none() {
            let Some(talking) = server.url.conversation.talking() else {
                return Ok(false);
            };
            let begun = match server.peers.get(self.failed_peers) {
                Some(peer) => Talk::begin(&server.url.address, *peer, talking, server.timeout),
                None => Err(Error::Io(ErrorKind::NotFound.into())),
            };
            match begun {
                Ok(talk) => self.talk = Some(talk),
                Err(Error::Io(error)) => self.miss(server, error)?,
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Takes that an address took no connection. Fails with `error` if it was the last.
    fn miss(&mut self, server: &Server<'_>, error: io::Error) -> Result<(), Error> {
        self.failed_peers += 1;
        if self.failed_peers < server.peers.len() {
            return Ok(());
        }
        Err(server.url.address.unreachable(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fake::{PATIENCE, serve};
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

    #[test]
    fn the_next_address_of_a_host_is_tried() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let elsewhere = nobody.local_addr().unwrap();
        drop(nobody);
        let (address, served) = serve(|peer| {
            assert_eq!(peer.rest(), b"ab");
        });
        let url: Url = format!("sink://{address}").parse().unwrap();
        let server = Server {
            peers: vec![elsewhere, address.parse().unwrap()],
            url: &url,
            timeout: PATIENCE,
        };
        let mut job = Job::new(["a", "b"].into());
        let mut tell = |told: Result<String, Error>| panic!("{told:?}");
        while !job.advance(&server, &mut tell).unwrap() {
            let (fd, until) = job.talk.as_ref().unwrap().wanted();
            wait(&mut [fd], until).unwrap();
        }
        served.join().unwrap();
        assert_eq!(job.failed_peers, 1);
        let mut job = Job::new(["a"].into());
        job.failed_peers = 1;
        let error = loop {
            match job.advance(&server, &mut tell) {
                Ok(is_done) => assert!(!is_done),
                Err(error) => break error,
            }
            let (fd, until) = job.talk.as_ref().unwrap().wanted();
            wait(&mut [fd], until).unwrap();
        };
        assert!(matches!(error, Error::Connect { .. }), "{error}");
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

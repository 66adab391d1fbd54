//! One connection: bytes out while bytes come in. What they say is entered into the ledger; what
//! requests and answers mean is left to [`super::Client`].
//!
//! The socket is non-blocking and waited for with `poll`, in both directions at once: a client
//! that writes without reading and a server that answers without being read would wait for each
//! other for ever.

use super::Error;
use super::inbox::Inbox;
use super::ledger::Ledger;
use super::stop::{LOOK_EVERY, Stop};
use super::stream::Stream;
use crate::conversation::framed::Talking;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    talking: Talking,
    inbox: Inbox,
    output: Vec<u8>,
    ledger: Ledger,
    /// How long nothing may move in either direction.
    timeout: Duration,
    /// Ends every wait when it is uttered.
    stop: Option<Stop>,
    /// The server has closed its side.
    ended: bool,
    /// Something failed; what comes now can't be trusted.
    failed: bool,
}

impl Connection {
    pub(super) fn new(stream: Stream, timeout: Duration) -> Result<Self, Error> {
        stream.socket().set_nodelay(true)?;
        stream.socket().set_nonblocking(true)?;
        Ok(Self {
            stream,
            talking: Talking::new(),
            inbox: Inbox::new(),
            output: Vec::new(),
            ledger: Ledger::default(),
            timeout,
            stop: None,
            ended: false,
            failed: false,
        })
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Lets `stop` end every wait.
    pub(super) fn stop_by(&mut self, stop: Stop) {
        self.stop = Some(stop);
    }

    /// How long nothing may move.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sets how long nothing may move from now on.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Where requests are written to; [`flush`](Self::flush) sends them.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    pub(super) fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// Whether a request may still be answered here.
    pub(super) fn is_open(&self) -> bool {
        !self.ended && !self.failed && self.ledger.last_word().is_none()
    }

    /// Gives the connection up: the stream is not where a request could begin.
    pub(super) fn give_up(&mut self) {
        self.failed = true;
    }

    /// Sends all that was written to the output.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        if self.output.is_empty() {
            return Ok(());
        }
        let mut output = std::mem::take(&mut self.output);
        let sent = self.send(&output);
        output.clear();
        self.output = output;
        sent
    }

    /// Sends `bytes`, reading whatever comes meanwhile.
    pub(super) fn send(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            match (&mut self.stream).write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => {
                        self.wait(PollFlags::IN | PollFlags::OUT)?;
                        self.read()?;
                        self.check_open()?;
                    }
                    _ => return Err(self.broken_off(error)),
                },
            }
        }
        Ok(())
    }

    /// Reads what has come, without waiting. To its end: the server's last words and its close
    /// mostly come together, and whoever saw only the words would write into a closed connection.
    pub(super) fn glance(&mut self) -> Result<(), Error> {
        while !self.ended && self.read()? {}
        Ok(())
    }

    /// Sends what is written and waits until the ledger has `enough`.
    pub(super) fn wait_until(&mut self, enough: impl Fn(&Ledger) -> bool) -> Result<(), Error> {
        self.flush()?;
        while !enough(&self.ledger) {
            self.check_open()?;
            self.wait(PollFlags::IN)?;
            self.read()?;
        }
        Ok(())
    }

    /// Sends what is written and waits until the ledger has `enough` or `deadline` has passed;
    /// whether it has. Silence until then is no failure.
    pub(super) fn wait_until_or(
        &mut self,
        deadline: Instant,
        enough: impl Fn(&Ledger) -> bool,
    ) -> Result<bool, Error> {
        self.flush()?;
        while !enough(&self.ledger) {
            self.check_open()?;
            if !self.wait_before(deadline, PollFlags::IN)? {
                return Ok(false);
            }
            self.read()?;
        }
        Ok(true)
    }

    /// Reads what has come, and waits for it if nothing has.
    pub(super) fn read_some(&mut self) -> Result<(), Error> {
        self.check_open()?;
        if !self.read()? {
            self.wait(PollFlags::IN)?;
        }
        Ok(())
    }

    /// Sends what is written and reads to the end of the stream.
    pub(super) fn wait_for_end(&mut self) -> Result<(), Error> {
        self.flush()?;
        while !self.ended {
            self.wait(PollFlags::IN)?;
            self.read()?;
        }
        Ok(())
    }

    /// Why nothing can be asked here any more, if so.
    pub(super) fn check_open(&self) -> Result<(), Error> {
        self.check_stop()?;
        match self.ledger.last_word() {
            Some(last_word) => Err(Error::Refused(last_word.clone())),
            None if self.ended || self.failed => Err(Error::Closed {
                going_away: self.ledger.is_going_away(),
            }),
            None => Ok(()),
        }
    }

    /// An error once a stop is asked for.
    fn check_stop(&self) -> Result<(), Error> {
        self.stop.as_ref().map_or(Ok(()), Stop::check)
    }

    fn wait(&mut self, wanted: PollFlags) -> Result<(), Error> {
        if self.wait_before(Instant::now() + self.timeout, wanted)? {
            return Ok(());
        }
        self.failed = true;
        Err(Error::TimedOut(self.timeout))
    }

    /// Waits until something moves or `deadline` has passed; whether something does.
    fn wait_before(&self, deadline: Instant, wanted: PollFlags) -> Result<bool, Error> {
        if wanted.contains(PollFlags::IN) && self.stream.has_plain() {
            self.check_stop()?;
            return Ok(true);
        }
        loop {
            self.check_stop()?;
            let left = deadline.saturating_duration_since(Instant::now());
            let look = match self.stop {
                Some(_) => left.min(LOOK_EVERY),
                None => left,
            };
            let timespec = Timespec::try_from(look).ok();
            let mut fds = [PollFd::new(&self.stream, wanted)];
            match poll(&mut fds, timespec.as_ref()) {
                Ok(0) if look < left => {}
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::Io(error.into())),
            }
        }
    }

    /// Reads once; whether more may be there at once, be it the end.
    fn read(&mut self) -> Result<bool, Error> {
        match self.inbox.read_from(&mut self.stream) {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Ok(false),
                ErrorKind::Interrupted => return Ok(true),
                // The end, only less polite: the system hands out what had come before it. Whoever
                // cuts a stream off inside TLS takes nothing that a frame's length would not miss.
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
                    self.ended = true
                }
                _ => {
                    self.failed = true;
                    return Err(error.into());
                }
            },
        }
        let digested = self.digest();
        self.failed |= digested.is_err();
        digested.map(|()| true)
    }

    fn digest(&mut self) -> Result<(), Error> {
        let mut input = self.inbox.unread();
        while let Some(event) = self.talking.advance(&mut input)? {
            self.ledger.enter(event)?;
        }
        let left = input.len();
        self.inbox.keep(left);
        Ok(())
    }

    /// What to say of a write that failed: the server may have told why before it closed.
    fn broken_off(&mut self, error: io::Error) -> Error {
        self.failed = true;
        let gone = matches!(
            error.kind(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
        );
        if !gone {
            return error.into();
        }
        match self.glance().and_then(|()| self.check_open()) {
            Err(said) => said,
            Ok(()) => error.into(),
        }
    }
}

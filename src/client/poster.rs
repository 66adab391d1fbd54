//! Posting messages so that a connection that breaks loses none and doubles none: what has no
//! receipt yet is kept, and sent again under the same key over the next connection.

use super::waits::Waits;
use super::{Client, Error, Post, Receipt, Refused, Reply};
use crate::time::Random;
use crate::wire::{Code, Header};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// Bytes of text that may be without a receipt, besides one message: 16 MiB. They are held to be
/// sent again.
const MOST_HELD: usize = 16 * 1024 * 1024;

/// Random bytes of a key: 128 bits, which nobody else draws.
const KEY_BYTES: usize = 16;

type Connect = Box<dyn FnMut() -> Result<Client, Error> + Send>;
type Pause = Box<dyn FnMut(Duration) + Send>;

/// Posts messages over connections that come and go.
///
/// A connection that breaks off, or a server that refuses because it is going away, is followed by
/// another one for as long as the patience lasts. Receipts come in the order of the messages. After
/// an error that ended the connection nothing is known of those that have none, and they are
/// forgotten.
pub struct Poster {
    connect: Connect,
    pause: Pause,
    client: Option<Client>,
    /// Messages without a receipt, in order.
    held: VecDeque<Held>,
    held_bytes: usize,
    /// Receipts and refusals that came and were not received yet, in order.
    receipts: VecDeque<Result<Receipt, Refused>>,
    waits: Waits,
    patience: Duration,
    random: Random,
}

struct Held {
    header: Header,
    text: Vec<u8>,
    /// The key was made here: that the message was there already is only our own doing.
    own_key: bool,
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poster")
            .field("client", &self.client)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

impl Poster {
    /// Connects with `connect` when there is something to ask. It logs in, where that is wanted.
    /// `patience` bounds the waiting between the tries after a connection broke.
    #[must_use]
    pub fn new(
        connect: impl FnMut() -> Result<Client, Error> + Send + 'static,
        patience: Duration,
        random: Random,
    ) -> Self {
        Self {
            connect: Box::new(connect),
            pause: Box::new(std::thread::sleep),
            client: None,
            held: VecDeque::new(),
            held_bytes: 0,
            receipts: VecDeque::new(),
            waits: Waits::new(random.clone()),
            patience,
            random,
        }
    }

    /// This poster, with `pause` to wait between tries.
    #[must_use]
    pub fn with_pause(mut self, pause: impl FnMut(Duration) + Send + 'static) -> Self {
        self.pause = Box::new(pause);
        self
    }

    /// The connection, made anew if the last one is over, for whatever else is to be asked. Not
    /// while messages are under way: their answers would be taken for others.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn client(&mut self) -> Result<&mut Client, Error> {
        if let Some(client) = &mut self.client {
            // What the server did since the last call shows only now.
            let _ = client.glance();
        }
        let client = match self.client.take() {
            Some(client) if client.is_open() => client,
            _ => (self.connect)()?,
        };
        Ok(self.client.insert(client))
    }

    /// Posts a message and waits for its receipt. Not while others are under way.
    ///
    /// # Errors
    ///
    /// See [`Error`]. [`Error::is_broken_off`] tells why the connection broke whose successors were
    /// of no use: the message may have been taken or not.
    pub fn say(&mut self, text: &str, post: &Post) -> Result<Receipt, Error> {
        self.client()?;
        self.send(text.as_bytes().to_vec(), post)?;
        match self.receive()? {
            Some(receipt) => receipt.map_err(Error::Refused),
            None => Err(Error::Nonsense("no answer".to_owned())),
        }
    }

    /// Sends a message without waiting for its receipt, under a random key if `post` has none. It
    /// may be gathered with others until [`flush`](Self::flush) or [`receive`](Self::receive). Waits
    /// while more than 16 MiB or [`WINDOW`](super::WINDOW) messages have no receipt.
    ///
    /// # Errors
    ///
    /// See [`say`](Self::say); what has no receipt by then can't be known.
    pub fn send(&mut self, text: Vec<u8>, post: &Post) -> Result<(), Error> {
        let mut header = post.header();
        let own_key = post.key.is_none();
        if own_key {
            header = header.with("key", self.random.hex(KEY_BYTES));
        }
        self.attempt(|client| client.send(header.clone(), Some(&text)).map(|_| ()))?;
        self.held_bytes += text.len();
        self.held.push_back(Held {
            header,
            text,
            own_key,
        });
        while self.held_bytes > MOST_HELD {
            self.attempt(Client::wait_for_first)?;
            self.collect()?;
        }
        Ok(())
    }

    /// Sends what is gathered.
    ///
    /// # Errors
    ///
    /// See [`say`](Self::say).
    pub fn flush(&mut self) -> Result<(), Error> {
        self.attempt(Client::flush)
    }

    /// Waits for the next receipt, in the order of the messages; `None` if all have theirs.
    ///
    /// # Errors
    ///
    /// See [`say`](Self::say); a refusal of the message is within.
    pub fn receive(&mut self) -> Result<Option<Result<Receipt, Refused>>, Error> {
        while self.receipts.is_empty() && !self.held.is_empty() {
            self.attempt(Client::wait_for_first)?;
            self.collect()?;
        }
        Ok(self.receipts.pop_front())
    }

    /// The next receipt if it came while something else was done.
    ///
    /// # Errors
    ///
    /// See [`say`](Self::say).
    pub fn received(&mut self) -> Result<Option<Result<Receipt, Refused>>, Error> {
        self.collect()?;
        Ok(self.receipts.pop_front())
    }

    /// Messages whose receipts did not come yet.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.held.len()
    }

    /// Says goodbye, if there is anybody to say it to.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn close(self) -> Result<(), Error> {
        match self.client {
            Some(client) if client.is_open() => client.close(),
            _ => Ok(()),
        }
    }

    /// Does `ask`, over as many connections as it takes.
    fn attempt(&mut self, ask: impl Fn(&mut Client) -> Result<(), Error>) -> Result<(), Error> {
        loop {
            let Some(client) = &mut self.client else {
                self.client = Some((self.connect)()?);
                continue;
            };
            match ask(client) {
                // What was answered before the break is not sent again.
                Err(error) if error.is_broken_off() => match self.collect()? {
                    true => {}
                    false => self.resume(error)?,
                },
                Err(error) => {
                    if !client.is_open() {
                        self.forget();
                    }
                    return Err(error);
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Nobody will say any more what became of the messages without a receipt.
    fn forget(&mut self) {
        self.client = None;
        self.held.clear();
        self.held_bytes = 0;
    }

    /// Takes the answers that came. Whether the server turned out to be going away, and another
    /// connection was made.
    fn collect(&mut self) -> Result<bool, Error> {
        while let Some(answer) = self.client.as_mut().and_then(Client::received) {
            match answer.outcome {
                // The next connection is where it is taken, and all that came behind it.
                Err(refused) if refused.code == Some(Code::GoingAway) => {
                    self.resume(Error::Refused(refused))?;
                    return Ok(true);
                }
                outcome => self.settle(outcome)?,
            }
        }
        Ok(false)
    }

    fn settle(&mut self, outcome: Result<Reply, Refused>) -> Result<(), Error> {
        let Some(held) = self.held.pop_front() else {
            return Err(Error::Nonsense("an answer to no message".to_owned()));
        };
        self.held_bytes -= held.text.len();
        self.waits.reset();
        self.receipts.push_back(match outcome {
            Ok(reply) => {
                let mut receipt = Receipt::try_from(reply)?;
                receipt.duplicate &= !held.own_key;
                Ok(receipt)
            }
            Err(refused) => Err(refused),
        });
        Ok(())
    }

    /// Makes another connection and sends everything that has no receipt over it; gives up with
    /// `error`, which is why, once the patience is used up.
    fn resume(&mut self, error: Error) -> Result<(), Error> {
        self.client = None;
        if let Error::Refused(refused) = &error
            && let Some(wait) = refused.retry_after()
        {
            self.waits.ask(wait);
        }
        let mut left = self.patience;
        while let wait = self.waits.next()
            && wait <= left
        {
            left -= wait;
            (self.pause)(wait);
            match self.send_again() {
                Ok(client) => {
                    self.client = Some(client);
                    return Ok(());
                }
                Err(again) if again.is_passing() => {}
                Err(again) => {
                    self.forget();
                    return Err(again);
                }
            }
        }
        self.forget();
        Err(error)
    }

    fn send_again(&mut self) -> Result<Client, Error> {
        let mut client = (self.connect)()?;
        for held in &self.held {
            client.send(held.header.clone(), Some(&held.text))?;
        }
        Ok(client)
    }
}

#[cfg(test)]
mod tests;

//! Protocols as sans-IO state machines: bytes in, requests and bytes out. No socket, clock, thread
//! or randomness of their own, so that a test can cut and glue their input as it likes.
//!
//! One file or folder each, serving and talking side together. What a request means is left to
//! [`crate::dispatch`], moving the bytes to [`crate::server`] and [`crate::client`].

pub mod bot;
pub mod delay;
pub mod framed;
pub mod frames;
pub mod hello;
pub mod login;
pub mod sink;
mod talking;
mod text;
pub mod udp;
pub mod upload;

pub use talking::{BrokenOff, Talking, Turn, Unsayable};
pub use text::TextDecoder;

use crate::wire::{Answer, Expect, Header, Id, Refusal};

/// The serving side of a conversation.
pub trait Serving: Send {
    /// What the conversation makes of the bytes at the front of `input`, which it moves past what
    /// it has consumed. Called until it says [`Step::More`]; what is left in `input` then comes
    /// again, with more behind it.
    ///
    /// # Errors
    ///
    /// The last word to a peer whose stream is broken. Nothing after it has a meaning.
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal>;

    /// Says what follows the header that [`Step::Begin`] told.
    fn expect(&mut self, body: Expect);

    /// Holds headers to `bytes` from now on.
    fn set_max_header(&mut self, bytes: usize);

    /// Whether the input so far ends inside something that began.
    fn is_inside(&self) -> bool;

    /// Appends the answer to the request `id` to `out`; without an id nothing is said.
    fn answer(&self, id: Option<&Id>, answer: &Answer, out: &mut Vec<u8>);

    /// Appends the last word to a peer whose stream is broken.
    fn last_word(&self, refusal: &Refusal, out: &mut Vec<u8>);

    /// Appends the news that the server goes away and may be tried again in a while.
    fn going_away(&self, retry_after_ms: u64, out: &mut Vec<u8>);
}

/// What a conversation found in its input.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    /// Nothing whole any more.
    More,
    /// A request begins. Whoever asked says with [`Serving::expect`] what follows.
    Begin(Header),
    /// Before the first piece of a body: it will have this many bytes.
    Announce(u64),
    /// The next piece of the body, as it came.
    Piece(&'a [u8]),
    /// The body is whole.
    End,
    /// The peer said that it is done.
    Close,
}

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
mod texts;
pub mod udp;
pub mod upload;

pub use talking::{BrokenOff, Talking, Turn, Unsayable};
pub use text::TextDecoder;

use crate::wire::{Answer, Expect, Fields, Header, Id, Refusal, Reply};
use std::time::Duration;

/// The serving side of a conversation.
///
/// What has a default here is for conversations without frames: where a text ends, who speaks
/// first and when it is over is not in their bytes alone.
pub trait Serving: Send {
    /// Appends what is said before the peer has said anything.
    fn open(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// What the conversation makes of the bytes at the front of `input`, which it moves past what
    /// it has consumed. Called until it says [`Step::More`]; what is left in `input` then comes
    /// again, with more behind it.
    ///
    /// # Errors
    ///
    /// The last word to a peer whose stream is broken. Nothing after it has a meaning.
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal>;

    /// Told when there is nothing more to read right now. `true` if [`next`](Self::next) has
    /// something to say because of it.
    fn pause(&mut self) -> bool {
        false
    }

    /// Told once when the input has ended; [`next`](Self::next) is called once more after it.
    fn end(&mut self) {}

    /// Told in place of [`end`](Self::end) where the input should have said that it ends and did not:
    /// anybody on the way may have cut it off.
    fn cut_off(&mut self) {
        self.end();
    }

    /// Says what follows the header that [`Step::Begin`] told.
    fn expect(&mut self, body: Expect) {
        let _ = body;
    }

    /// Holds headers to `bytes` from now on.
    fn set_max_header(&mut self, bytes: usize) {
        let _ = bytes;
    }

    /// Whether the peer may leave it at what it has sent so far for as long as it likes, although
    /// not all of that is consumed.
    fn may_rest(&self) -> bool {
        false
    }

    /// How many requests may wait for their answers at once.
    fn window(&self) -> usize {
        usize::MAX
    }

    /// Whether any answer is ever held back.
    fn has_delays(&self) -> bool {
        false
    }

    /// How long the answer to the request `id` is held back once it is ready.
    fn delay(&self, id: Option<&Id>) -> Duration {
        let _ = id;
        Duration::ZERO
    }

    /// Bytes that are kept until requests are answered, where that may take a while.
    fn kept(&self) -> usize {
        0
    }

    /// Whether there are words for a refusal. Where there are none the connection ends instead.
    fn tells_refusals(&self) -> bool {
        false
    }

    /// Appends the answer to the request `id` to `out`; without an id nothing is said.
    fn answer(&mut self, id: Option<&Id>, answer: &Answer, out: &mut Vec<u8>);

    /// Appends what stands before the body of `bytes` bytes that answers the request `id` besides
    /// `reply`. `true` if that body is to follow, in pieces.
    fn answer_header(
        &mut self,
        id: Option<&Id>,
        reply: &Reply,
        bytes: u64,
        out: &mut Vec<u8>,
    ) -> bool {
        let _ = (id, reply, bytes, out);
        false
    }

    /// Appends what stands before the next piece of a body of which `left` bytes are left, more than
    /// 0, and says how many of them are that piece.
    fn open_piece(&mut self, left: u64, out: &mut Vec<u8>) -> u64 {
        let _ = out;
        left
    }

    /// Appends the last word to a peer whose stream is broken.
    fn last_word(&self, refusal: &Refusal, out: &mut Vec<u8>) {
        let _ = (refusal, out);
    }

    /// Appends the news that the server goes away and may be tried again in a while.
    fn going_away(&self, retry_after_ms: u64, out: &mut Vec<u8>) {
        let _ = (retry_after_ms, out);
    }
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
    /// What the header of the request under way should have said instead.
    Amend(Fields),
    /// The body is whole.
    End,
    /// The peer said that it is done.
    Close,
    /// Nothing is said after the answers that are owed. What the peer still says is heard.
    LastWords,
}

#[cfg(test)]
mod play;

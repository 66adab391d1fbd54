//! `frames://`: bare frames of text that nobody answers, until the client closes.

mod serving;
mod talking;

pub use serving::FramesServing;
pub use talking::FramesTalking;

/// How a frame's length is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// As in [`crate::wire::frame`]: four bytes, signed and little-endian.
    Binary,
    /// `?length=ascii`: decimal digits right before the text, as many as it takes.
    Ascii,
}

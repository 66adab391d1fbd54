//! The framed conversation: the protocol of gatepost itself.

mod serving;
mod talking;

pub use serving::FramedServing;
pub use talking::{
    Broken, Event, FileFrames, MAX_REPLY_HEADER, Talking, write_close, write_request,
};

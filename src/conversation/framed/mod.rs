//! The framed conversation: the protocol of gatepost itself.

mod serving;

pub use serving::FramedServing;

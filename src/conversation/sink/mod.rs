//! `sink://`: texts that nobody answers, until the client closes.

mod serving;
mod talking;

pub use serving::SinkServing;
pub use talking::SinkTalking;

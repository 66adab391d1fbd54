//! `sink://`: texts that nobody answers, until the client closes.

mod talking;

pub use talking::SinkTalking;

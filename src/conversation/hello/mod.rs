//! `hello://`: the client says one text, the server answers once and closes.

mod serving;
mod talking;

pub use serving::HelloServing;
pub use talking::HelloTalking;

/// What the course's server answers, 11 bytes.
pub const REPLY: &str = "Hello World";

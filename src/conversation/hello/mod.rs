//! `hello://`: the client says one text, the server answers once and closes.

mod talking;

pub use talking::HelloTalking;

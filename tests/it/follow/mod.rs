//! Clients that follow rooms and post into them while connections break and servers come and go:
//! the library with a server in this process, and the real program with itself.

pub(crate) mod board;
mod library;
mod program;
pub(crate) mod run;

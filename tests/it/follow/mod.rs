//! Clients that follow rooms and post into them while connections break and servers come and go:
//! the library with a server in this process, and the real program with itself.

mod board;
mod library;
mod program;
mod run;

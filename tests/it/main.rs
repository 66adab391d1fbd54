//! One integration binary, so that the library is linked once.
//!
//! `tour` reads like the manual, `readme` runs the README. `golden` plays conversations, `hostile`
//! those of peers that mean no good, `bounds` what all of them share, `regression` bugs that were found once, `files` is what becomes
//! of files, `logins` who is let in, `rooms` what is heard in them, `search` what is found in them, `follow` our clients of
//! rooms while connections break, `outside` the clients that are
//! not ours, `proxied` those who come through a proxy, `talk` our clients of servers that are not, `classic` the
//! course's conversations, `tls` both inside TLS.
//! `layers` and `tables` hold the source and the documents to what they claim; `support` is what the
//! others stand on.
//!
//! The trials of the real program stand on `trial` as well: `drain` ends it with everything under
//! way, `exits` are its other ends, `leaving` are clients that wait for nothing, `crowd` are
//! thousands at once, `big` a file larger than memory, `crash` what outlives a kill, `power` what
//! outlives the loss of power, `faults` what a failing disk may not break.

// All of this is test code; clippy takes only what stands below a `#[test]` for it.
#![allow(clippy::unwrap_used)]

mod big;
mod bounds;
mod classic;
mod crash;
mod crowd;
mod drain;
mod exits;
mod faults;
mod files;
mod follow;
mod golden;
mod hostile;
mod layers;
mod leaving;
mod logins;
mod outside;
mod power;
mod proxied;
mod readme;
mod regression;
mod rooms;
mod search;
mod support;
mod tables;
mod talk;
mod tls;
mod tour;
mod trial;

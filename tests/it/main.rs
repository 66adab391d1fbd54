//! One integration binary, so that the library is linked once.
//!
//! `tour` reads like the manual, `readme` runs the README. `golden` plays conversations, `hostile`
//! those of peers that mean no good, `outside` the clients that are not ours, `load` many at once,
//! `shutdown` the end. `layers` and `tables` hold the source and the documents to what they claim;
//! `support` is what the others stand on.

// All of this is test code; clippy takes only what stands below a `#[test]` for it.
#![allow(clippy::unwrap_used)]

mod golden;
mod hostile;
mod layers;
mod load;
mod outside;
mod readme;
mod shutdown;
mod support;
mod tables;
mod tour;

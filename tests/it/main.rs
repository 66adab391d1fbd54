//! One integration binary, so that the library is linked once.
//!
//! `tour` reads like the manual. `golden` plays conversations, `hostile` those of peers that mean
//! no good, `outside` the clients that are not ours. `layers` and `tables` hold the source and the
//! documents to what they claim; `support` is what the others stand on.

mod golden;
mod hostile;
mod layers;
mod outside;
mod support;
mod tables;
mod tour;

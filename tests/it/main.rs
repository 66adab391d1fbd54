//! One integration binary, so that the library is linked once.
//!
//! `layers` and `tables` hold the source and the documents to what they claim.

mod golden;
mod layers;
mod tables;

//! Files over connections that may break: an upload goes on where the server's durable bytes end,
//! a download where the bytes that were kept end, and each ends with a digest that was checked.
//!
//! [`Client`](super::Client) does one try over one connection; a [`Courier`] goes on until it is
//! done. Neither opens a file: where bytes come from is a [`Source`], where they go a [`Landing`].

mod courier;
mod digester;
mod download;
mod fetch;
mod kept;
mod pace;
mod send;
#[cfg(test)]
mod shelf;

pub use courier::{Courier, News, Terms};
pub use digester::Digester;
pub use download::{Offered, Taker};
pub use fetch::{Fetched, Landing};
pub use kept::{Held, Listed, Listing};
pub use pace::Pace;
pub use send::{Sending, Source, digest_of};

//! Talking to a server: a blocking client for the framed conversation.
//!
//! ```no_run
//! use gatepost::client::{Client, Post};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), gatepost::client::Error> {
//! let mut client = Client::connect("127.0.0.1:8001", Duration::from_secs(30))?;
//! let receipt = client.say("你好", &Post::default())?;
//! println!("message {:?} is on disk", receipt.seq);
//! client.close()
//! # }
//! ```
//!
//! A [`Poster`] posts messages and a [`Subscription`] follows rooms over connections that may break,
//! each message once and in order. A [`Courier`] sends and fetches files over connections that may break. [`Client`] asks and
//! waits; [`Client::send`] and [`Client::receive`] keep many requests under
//! way at once. Printing, prompts and exit codes are left to the command line; [`load`] drives
//! many connections to measure a server, and [`talk`] is the client of every other conversation.
//!
//! A server at `framed+tls://host:port` is spoken to inside TLS and has to be one that the system's
//! roots vouch for, or that [`Address::trusting`] says to believe.

mod address;
mod answers;
mod asking;
mod connection;
mod error;
mod files;
mod inbox;
mod ledger;
pub mod load;
mod poster;
mod pushes;
mod rooms;
mod stop;
mod stream;
mod subscription;
pub mod talk;
mod upload;
mod waits;

#[cfg(test)]
mod fake;

pub use address::{Address, AddressError};
pub use answers::{Answer, Greeting, Receipt, Reply, Stored, Welcome};
pub use asking::{Ack, Client, Post, WINDOW};
pub use error::{Error, Refused};
pub use files::{
    Courier, Digester, Fetched, Held, Landing, Listed, Listing, News, Offered, Pace, Sending,
    Source, Taker, Terms, digest_of,
};
pub use poster::Poster;
pub use pushes::Push;
pub use rooms::{Bound, History, Joined, MAX_PAGE, Page, Pages, Range, Room};
pub use stop::Stop;
pub use subscription::{Event, Link, Start, Subscription};
pub use upload::{FilePost, Phase, Progress};

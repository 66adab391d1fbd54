//! Bytes to values and back: frames, headers, replies, codes and checked names.
//!
//! Everything here is a pure function over bytes. Who reads or writes them, and when, is left to
//! [`crate::conversation`]; what a request means is left to [`crate::handler`].

mod code;
mod digest;
mod fields;
pub mod frame;
mod header;
mod id;
mod incoming;
mod message;
mod names;
mod proof;
mod proxy;
mod reply;
mod token;

pub use code::{CODES, Code};
pub use digest::{Algorithm, Digest, DigestError, WantedDigest};
pub use fields::{FieldError, Fields};
pub use header::{Expect, Header, HeaderError};
pub use id::Id;
pub use incoming::Incoming;
pub use message::{FileTag, Message};
pub use names::{FileName, Key, NameError, RoomName, UserName};
pub use proof::proof;
pub use proxy::{MAX_PROXY_HEADER, NoProxyHeader, Proxied};
pub use reply::{Answer, Datum, Refusal, Reply, write_last_word};
pub use token::{Token, TokenError, TokenHash};

//! `udp://`: a datagram of text, answered once it is stored.

mod serving;
mod talking;

pub use serving::{header, text, words};
pub use talking::{Missing, UdpTalking};

/// The answer to every datagram, 9 bytes.
pub const RECEIVED: &str = "已收到";

/// The longest text that one datagram can hold, in bytes.
pub const MAX_DATAGRAM: usize = 65_507;

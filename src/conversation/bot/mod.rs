//! `bot://`: the server greets, then every text is answered until the client closes.

mod serving;
mod talking;

pub use serving::BotServing;
pub use talking::BotTalking;

/// What the server says first, 13 bytes.
pub const GREETING: &str = "你找谁呀!";

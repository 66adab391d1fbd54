//! `delay://`: every text is answered, `sleep` only after five seconds, until the client closes.

mod serving;
mod talking;

pub use serving::{DelayServing, PAUSE};
pub use talking::DelayTalking;

/// The text whose answer takes its time.
pub const SLEEP: &str = "sleep";

/// What precedes a text in its answer.
pub const AT_ONCE: &str = "已收到普通信息:";

/// What precedes [`SLEEP`] in its answer.
pub const DELAYED: &str = "已收到延时反馈信息:";

//! The engines that keep everything in memory: for simulations and tests, with the promises of the
//! lasting ones except that nothing outlives the process.

mod bans;
mod files;
mod messages;
mod tokens;
mod upload;
mod users;

pub use bans::MemoryBans;
pub use files::MemoryFiles;
pub use messages::MemoryMessages;
pub use tokens::MemoryTokens;
pub use users::MemoryUsers;

//! The engines that keep everything in memory: for simulations and tests, with the promises of the
//! lasting ones except that nothing outlives the process.

mod files;
mod messages;
mod upload;
mod users;

pub use files::MemoryFiles;
pub use messages::MemoryMessages;
pub use users::MemoryUsers;

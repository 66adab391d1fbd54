//! The command line: arguments to a subcommand, its result to an exit code. One file or folder a
//! subcommand; the only code that prints or ends the process.

pub mod exit;
pub mod log;
mod outlet;
pub mod printer;
pub mod settings;
pub mod terminal;

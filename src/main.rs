//! The program: arguments to the command line, its verdict to the shell.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatepost::cli::run(std::env::args_os())
}

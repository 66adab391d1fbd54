//! The door of the benchmark: reads the command line and hands over to the
//! runner or to one of the servers it is compared with. What is measured, and
//! what is deliberately equal, stands in the README of this crate.

mod cli;
mod connect;
mod connection;
mod dialect;
mod fanout;
mod files;
mod frames;
mod inbox;
mod limits;
mod load;
mod messages;
mod process;
mod report;
mod rooms;
mod runner;
mod sample;
mod servers;
mod targets;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    limits::raise_open_files()?;
    match cli.command {
        Command::Run(options) => runner::run(&options),
        Command::Serve { server, home } => servers::serve(server, home.as_deref()),
    }
}

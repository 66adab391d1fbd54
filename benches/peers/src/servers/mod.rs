//! The servers gatepost is compared with, each run in a process of its own:
//! what they share, from the listening socket to the end. What they do with a
//! connection is left to `echo` and `course`.

pub(crate) mod bare;
pub(crate) mod course;
pub(crate) mod echo;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use socket2::{Domain, Socket, Type};

use crate::cli::Server;
use course::Tally;

/// Accepted connections the kernel may hold for each server: gatepost's own
/// number. The standard library's is 128, tokio's 1,024.
const BACKLOG: i32 = 4096;

/// Serves as `server` until standard input ends.
///
/// The pipe on standard input is how the runner stops a server, and how a
/// server learns that the runner is gone, however it went.
pub(crate) fn serve(server: Server, home: Option<&Path>) -> anyhow::Result<()> {
    let listener = listen().context("listening on loopback")?;
    say(&format!("framed://{}", listener.local_addr()?))?;
    let tally = Arc::new(Tally::default());
    let counted = Arc::clone(&tally);
    std::thread::Builder::new()
        .name("until-stdin-ends".to_owned())
        .spawn(move || end_with_stdin(&tally))?;
    match server {
        Server::EchoThreads => echo::on_threads(&listener)?,
        Server::EchoTokio => echo::on_tokio(listener)?,
        Server::Course => course::one_by_one(&listener, &counted)?,
        Server::Bare => bare::on_threads(&listener, home.context("--home is missing")?)?,
        Server::CourseThreads => course::on_threads(&listener, &counted)?,
    }
    Ok(())
}

/// A listening socket on a free port of loopback.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn end_with_stdin(tally: &Tally) {
    // An error ends the input as well as its end does.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    let told = say(&format!("{}{}", course::TAKEN, tally.settled()));
    std::process::exit(i32::from(told.is_err()));
}

/// One line on standard output, there at once even where it is a file.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Whether a connection's end is the client's doing, and no one's fault.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// Says on standard error why a connection failed, unless the client just
/// went: the load generator leaves in the middle of things when time is up.
fn report(outcome: io::Result<()>) {
    if let Err(error) = outcome
        && !is_gone(&error)
    {
        eprintln!("a connection failed: {error}");
    }
}

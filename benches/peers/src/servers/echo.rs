//! Frames back as they came, on a thread for each connection and on tokio.
//!
//! Both are the same loop: read what is there, write every whole frame of it
//! back in one write. That is as little as a server of frames can do, also
//! with many requests in flight, so the ratios err on the side of the echoes.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::report;
use crate::frames;
use crate::inbox::Inbox;

/// Serves each connection on a thread of its own; returns only on an error.
pub(crate) fn on_threads(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        thread::Builder::new().spawn(move || report(echo(stream)))?;
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut inbox = Inbox::new();
    loop {
        let count = stream.read(inbox.space())?;
        if count == 0 {
            return Ok(());
        }
        inbox.received(count);
        let whole = frames::whole(inbox.bytes())?;
        stream.write_all(&inbox.bytes()[..whole])?;
        inbox.used(whole);
    }
}

/// Serves each connection as a task of tokio's multi-thread runtime with its
/// default number of workers; returns only on an error.
pub(crate) fn on_tokio(listener: TcpListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        // On a worker: the thread that blocks here is none of them, and every
        // accept would have to be handed over.
        tokio::spawn(accept_on_tokio(listener))
            .await
            .map_err(io::Error::other)?
    })
}

async fn accept_on_tokio(listener: tokio::net::TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move { report(echo_on_tokio(stream).await) });
    }
}

async fn echo_on_tokio(mut stream: tokio::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut inbox = Inbox::new();
    loop {
        let count = stream.read(inbox.space()).await?;
        if count == 0 {
            return Ok(());
        }
        inbox.received(count);
        let whole = frames::whole(inbox.bytes())?;
        stream.write_all(&inbox.bytes()[..whole]).await?;
        inbox.used(whole);
    }
}

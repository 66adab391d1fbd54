//! One connection to a server of files, in the tongue of its kind. Every
//! answer is checked; bytes that come are counted, not looked at.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::NamedTempFile;

use crate::frames;
use crate::servers::bare;

/// Bytes of a content that lie in memory; longer ones repeat them.
const BLOCK: usize = 1 << 20;

/// Bytes written and read at once.
const PIECE: usize = 256 << 10;

/// A server that is silent for so long is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every file holds, and its digest.
#[derive(Debug)]
pub(super) struct Content {
    block: Vec<u8>,
    pub(super) size: u64,
    blake3: String,
    /// The same on the disk, for clients that send nothing else.
    source: NamedTempFile,
}

impl Content {
    pub(super) fn of(size: u64) -> anyhow::Result<Self> {
        // Nothing that a file system could leave out or squeeze.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let block: Vec<u8> = (0..BLOCK / 8).flat_map(|_| next()).collect();
        let source = NamedTempFile::new().context("a file to send")?;
        let mut content = Self {
            block,
            size,
            blake3: String::new(),
            source,
        };
        let mut hasher = blake3::Hasher::new();
        for piece in content.pieces() {
            hasher.update(piece);
        }
        let _ = write!(content.blake3, "blake3:{}", hasher.finalize().to_hex());
        let mut source = content.source.as_file();
        content
            .pieces()
            .try_for_each(|piece| source.write_all(piece))?;
        Ok(content)
    }

    /// The whole of it, piece by piece.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let left = usize::try_from(self.size - at).unwrap_or(PIECE).min(PIECE);
            let from = (at % BLOCK as u64) as usize;
            at += left as u64;
            (left > 0).then(|| &self.block[from..from + left])
        })
    }
}

/// How a kind of server is spoken to.
#[derive(Debug, Clone)]
pub(super) enum Tongue {
    /// Receipts as asked: `ack`, and whether the digest is verified.
    Gatepost { ack: &'static str, digest: bool },
    /// HTTP/1.1 PUT and GET.
    Http,
    /// FTP in passive mode.
    Ftp,
    /// The bare receiver.
    Bare,
    /// rsync's own client sends a folder that was prepared.
    Rsync,
    /// `dd conv=fsync` into a file: no server at all.
    Dd(PathBuf),
}

impl Tongue {
    /// Files that may be under way at once.
    pub(super) fn depth(&self, wanted: u32) -> u32 {
        match self {
            Self::Gatepost { .. } | Self::Http | Self::Bare => wanted,
            Self::Ftp | Self::Rsync | Self::Dd(_) => 1,
        }
    }

    pub(super) fn open(&self, address: SocketAddr) -> anyhow::Result<Session> {
        let connect = || -> anyhow::Result<BufReader<TcpStream>> {
            let stream = TcpStream::connect(address).context("a client")?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(BufReader::with_capacity(PIECE, stream))
        };
        let mut session = Session {
            tongue: self.clone(),
            address,
            stream: match self {
                Self::Rsync | Self::Dd(_) => None,
                _ => Some(connect()?),
            },
        };
        if matches!(self, Self::Ftp) {
            session.reply("220")?;
            session.command("USER anonymous", "331")?;
            session.command("PASS x", "230")?;
            session.command("TYPE I", "200")?;
            session.command("CWD files", "250")?;
        }
        Ok(session)
    }
}

/// One connection.
pub(super) struct Session {
    tongue: Tongue,
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Session {
    /// Sends a file; its receipt may still be owed.
    pub(super) fn put(&mut self, name: &str, content: &Content) -> anyhow::Result<()> {
        let size = content.size;
        let head = match self.tongue.clone() {
            Tongue::Gatepost { ack, digest } => {
                let mut head = Vec::new();
                let digest = if digest {
                    format!(r#","digest":"{}""#, content.blake3)
                } else {
                    String::new()
                };
                let header = format!(
                    r#"{{"msg_type":"file","id":1,"file_name":"{name}","size":{size},"ack":"{ack}"{digest}}}"#
                );
                frames::encode(header.as_bytes(), &mut head);
                let length = i32::try_from(size).context("one frame is enough for this")?;
                head.extend_from_slice(&length.to_le_bytes());
                head
            }
            Tongue::Http => {
                format!("PUT /{name} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
                    .into_bytes()
            }
            Tongue::Bare => size.to_le_bytes().to_vec(),
            Tongue::Ftp => return self.ftp_put(name, content),
            Tongue::Rsync => return rsync_put(self.address, content),
            Tongue::Dd(folder) => return dd(&folder, content),
        };
        let stream = self.stream()?.get_mut();
        if size <= PIECE as u64 {
            // One write for a small file, as any client would.
            let body: Vec<u8> = content.pieces().flatten().copied().collect();
            return Ok(stream.write_all(&[head, body].concat())?);
        }
        stream.write_all(&head)?;
        content
            .pieces()
            .try_for_each(|piece| stream.write_all(piece))?;
        Ok(())
    }

    /// Waits for the receipt of the oldest file that has none.
    pub(super) fn receipt(&mut self) -> anyhow::Result<()> {
        match self.tongue {
            Tongue::Gatepost { ack, .. } => {
                let reply = self.gatepost_reply()?;
                ensure!(reply["ack"] == ack, "a receipt says {reply}");
            }
            Tongue::Http => {
                let head = self.http_head()?;
                ensure!(
                    head.starts_with("HTTP/1.1 201") || head.starts_with("HTTP/1.1 204"),
                    "told {head}"
                );
            }
            Tongue::Bare => {
                let mut answer = [0];
                self.stream()?.read_exact(&mut answer)?;
                ensure!(answer[0] == bare::TAKEN, "told {answer:?}");
            }
            Tongue::Ftp | Tongue::Rsync | Tongue::Dd(_) => {}
        }
        Ok(())
    }

    /// Fetches a file and counts its bytes.
    pub(super) fn get(&mut self, name: &str, size: u64) -> anyhow::Result<()> {
        match self.tongue {
            Tongue::Gatepost { .. } => {
                let mut ask = Vec::new();
                let header = format!(r#"{{"msg_type":"get","id":1,"file_name":"{name}"}}"#);
                frames::encode(header.as_bytes(), &mut ask);
                self.stream()?.get_mut().write_all(&ask)?;
                let reply = self.gatepost_reply()?;
                ensure!(reply["body"] == size, "{size} bytes are told as {reply}");
                let mut left = size;
                while left > 0 {
                    let mut length = [0; 4];
                    self.stream()?.read_exact(&mut length)?;
                    let length = u64::from(u32::from_le_bytes(length));
                    left = left.checked_sub(length).context("a frame past the end")?;
                    discard(self.stream()?, length)?;
                }
                Ok(())
            }
            Tongue::Http => {
                let ask = format!("GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n");
                self.stream()?.get_mut().write_all(ask.as_bytes())?;
                let head = self.http_head()?;
                ensure!(head.starts_with("HTTP/1.1 200"), "told {head}");
                let wanted = format!("Content-Length: {size}\r\n");
                ensure!(head.contains(&wanted), "not {size} bytes: {head}");
                discard(self.stream()?, size)
            }
            Tongue::Ftp => {
                let data = self.passive()?;
                self.command(&format!("RETR {name}"), "150")?;
                discard(&mut BufReader::with_capacity(PIECE, data), size)?;
                self.reply("226")
            }
            _ => anyhow::bail!("nothing is fetched from here"),
        }
    }

    /// Ends the connection, and waits until the server has heard it.
    pub(super) fn close(mut self) -> anyhow::Result<()> {
        if matches!(self.tongue, Tongue::Ftp) {
            self.command("QUIT", "221")?;
        }
        Ok(())
    }

    fn stream(&mut self) -> anyhow::Result<&mut BufReader<TcpStream>> {
        self.stream.as_mut().context("there is no connection")
    }

    fn gatepost_reply(&mut self) -> anyhow::Result<serde_json::Value> {
        let mut payload = Vec::new();
        let is_there = frames::read(self.stream()?, &mut payload)?;
        ensure!(is_there, "the server hung up");
        let reply: serde_json::Value = serde_json::from_slice(&payload)?;
        ensure!(reply["ok"] == true, "refused: {reply}");
        Ok(reply)
    }

    fn http_head(&mut self) -> anyhow::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let count = self.stream()?.read_line(&mut head)?;
            ensure!(count > 0, "the server hung up after {head:?}");
        }
        // nginx says 201 with an empty body, 204 with none.
        ensure!(
            head.contains("Content-Length: 0\r\n") || !head.contains("HTTP/1.1 201"),
            "an answer with a body: {head}"
        );
        Ok(head)
    }

    fn command(&mut self, command: &str, wanted: &str) -> anyhow::Result<()> {
        let line = format!("{command}\r\n");
        self.stream()?.get_mut().write_all(line.as_bytes())?;
        self.reply(wanted).with_context(|| command.to_owned())
    }

    fn reply(&mut self, wanted: &str) -> anyhow::Result<()> {
        self.line().and_then(|line| {
            ensure!(line.starts_with(wanted), "not {wanted}: {line}");
            Ok(())
        })
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(
            self.stream()?.read_line(&mut line)? > 0,
            "the server hung up"
        );
        Ok(line)
    }

    /// Opens FTP's second connection.
    fn passive(&mut self) -> anyhow::Result<TcpStream> {
        self.stream()?.get_mut().write_all(b"PASV\r\n")?;
        let line = self.line()?;
        let numbers = line.split(['(', ')']).nth(1).context("no address")?;
        let numbers: Vec<u16> = numbers
            .split(',')
            .filter_map(|it| it.parse().ok())
            .collect();
        ensure!(numbers.len() == 6, "told {line}");
        let port = numbers[4] << 8 | numbers[5];
        Ok(TcpStream::connect((self.address.ip(), port))?)
    }

    fn ftp_put(&mut self, name: &str, content: &Content) -> anyhow::Result<()> {
        let mut data = self.passive()?;
        self.command(&format!("STOR {name}"), "150")?;
        content
            .pieces()
            .try_for_each(|piece| data.write_all(piece))?;
        drop(data);
        self.reply("226")
    }
}

/// Reads `size` bytes and forgets them.
fn discard(stream: &mut BufReader<TcpStream>, size: u64) -> anyhow::Result<()> {
    let mut left = size;
    while left > 0 {
        let count = stream.fill_buf()?.len();
        ensure!(count > 0, "the server hung up {left} bytes early");
        let used = usize::try_from(left).unwrap_or(count).min(count);
        stream.consume(used);
        left -= used as u64;
    }
    Ok(())
}

/// The source is in the page cache, as it was just written.
fn rsync_put(address: SocketAddr, content: &Content) -> anyhow::Result<()> {
    let status = Command::new("rsync")
        .args(["--whole-file", "--no-times"])
        .arg(content.source.path())
        .arg(format!("rsync://127.0.0.1:{}/files/", address.port()))
        .status()?;
    ensure!(status.success(), "rsync ended with {status}");
    Ok(())
}

fn dd(folder: &Path, content: &Content) -> anyhow::Result<()> {
    let status = Command::new("dd")
        .args(["bs=1M", "conv=fsync", "status=none"])
        .arg(format!("if={}", content.source.path().display()))
        .arg(format!("of={}", folder.join("dd").display()))
        .status()?;
    ensure!(status.success(), "dd ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_has_its_size_and_its_digest() {
        for size in [0, 1, SMALL, PIECE as u64 + 1, 3 * BLOCK as u64 + 7] {
            let content = Content::of(size).unwrap();
            let whole: Vec<u8> = content.pieces().flatten().copied().collect();
            assert_eq!(whole.len() as u64, size);
            let digest = format!("blake3:{}", blake3::hash(&whole).to_hex());
            assert_eq!(content.blake3, digest);
        }
    }

    const SMALL: u64 = 64 << 10;
}

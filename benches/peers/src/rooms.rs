//! How each kind of server is told to join a room, to publish to it, and how
//! its pushes are read. Every message says its own number in its first twenty
//! bytes, so that a reader can tell a lost one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::dialect::shown;
use crate::frames;

/// Bytes of every message, the number included.
const LENGTH: usize = 256;

/// Digits of the number.
const DIGITS: usize = 20;

/// How long a server may take to answer a join.
const PATIENCE: Duration = Duration::from_secs(5);

/// A room of one kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Durable messages; readers hear what is on the disk.
    Gatepost,
    /// Redis's PUBLISH, which keeps nothing.
    Redis,
    /// Plain NATS, which keeps nothing.
    Nats,
}

impl Room {
    /// Makes `stream` a reader, and returns once it is one.
    pub(crate) fn join(self, stream: &mut TcpStream) -> anyhow::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        match self {
            Self::Gatepost => {
                let mut bytes = Vec::new();
                frames::encode(br#"{"msg_type":"join","id":1,"room":"bench"}"#, &mut bytes);
                stream.write_all(&bytes)?;
                let mut reply = Vec::new();
                ensure!(frames::read(stream, &mut reply)?, "no answer to a join");
                let value: serde_json::Value = serde_json::from_slice(&reply)?;
                ensure!(value["ok"] == true, "a join was refused: {}", shown(&reply));
            }
            Self::Redis => {
                stream.write_all(b"SUBSCRIBE bench\r\n")?;
                let mut answer = [0; 34];
                stream.read_exact(&mut answer)?;
                ensure!(answer.ends_with(b":1\r\n"), "redis said {}", shown(&answer));
            }
            Self::Nats => {
                stream.write_all(b"CONNECT {\"verbose\":false}\r\nSUB bench 1\r\nPING\r\n")?;
                let mut reader = BufReader::with_capacity(1, Read::by_ref(stream));
                let mut line = String::new();
                while !line.starts_with("PONG") {
                    line.clear();
                    ensure!(reader.read_line(&mut line)? > 0, "NATS hung up");
                }
            }
        }
        stream.set_read_timeout(None)?;
        Ok(())
    }

    /// Says what a publisher must say first.
    pub(crate) fn introduce(self, stream: &mut TcpStream) -> anyhow::Result<()> {
        if self == Self::Nats {
            stream.write_all(b"CONNECT {\"verbose\":false}\r\n")?;
        }
        Ok(())
    }

    /// Appends message `number`.
    pub(crate) fn publish(self, number: u64, out: &mut Vec<u8>) {
        let text = text(number);
        match self {
            Self::Gatepost => {
                frames::encode(br#"{"msg_type":"msg","room":"bench"}"#, out);
                frames::encode(&text, out);
            }
            Self::Redis => {
                let head = format!("*3\r\n$7\r\nPUBLISH\r\n$5\r\nbench\r\n${LENGTH}\r\n");
                out.extend_from_slice(head.as_bytes());
                out.extend_from_slice(&text);
                out.extend_from_slice(b"\r\n");
            }
            Self::Nats => {
                out.extend_from_slice(format!("PUB bench {LENGTH}\r\n").as_bytes());
                out.extend_from_slice(&text);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// The length of the push that `bytes` begins with, and its number; `None`
    /// while some of it is still to come.
    pub(crate) fn heard(self, bytes: &[u8]) -> anyhow::Result<Option<(usize, u64)>> {
        // NATS asks now and then whether anybody is there, and waits long for an answer.
        const ASIDE: &[u8] = b"PING\r\n";
        if self == Self::Nats
            && let Some(rest) = bytes.strip_prefix(ASIDE)
        {
            let found = self.heard(rest)?;
            return Ok(found.map(|(length, number)| (ASIDE.len() + length, number)));
        }
        let head = match self {
            Self::Gatepost => {
                let Some(header) = frames::first(bytes)? else {
                    return Ok(None);
                };
                ensure!(
                    header.starts_with(br#"{"msg_type":"msg","#),
                    "a reader was told {}",
                    shown(header)
                );
                frames::HEADER + header.len() + frames::HEADER
            }
            Self::Redis => b"*3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$256\r\n".len(),
            Self::Nats => b"MSG bench 1 256\r\n".len(),
        };
        let tail = if self == Self::Gatepost { 0 } else { 2 };
        let end = head + LENGTH + tail;
        if bytes.len() < end {
            return Ok(None);
        }
        let digits = std::str::from_utf8(&bytes[head..head + DIGITS]).ok();
        let number = digits.and_then(|digits| digits.parse().ok());
        let number = number.with_context(|| format!("no message: {}", shown(bytes)))?;
        Ok(Some((end, number)))
    }
}

fn text(number: u64) -> [u8; LENGTH] {
    let mut text = [b'x'; LENGTH];
    text[..DIGITS].copy_from_slice(format!("{number:020}").as_bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_of_each_kind_tells_its_number() {
        let mut gatepost = Vec::new();
        frames::encode(
            br#"{"msg_type":"msg","room":"bench","body":256}"#,
            &mut gatepost,
        );
        frames::encode(&text(7), &mut gatepost);
        let with_text = |head: &str| [head.as_bytes(), &text(7), b"\r\n"].concat();
        for (room, push) in [
            (Room::Gatepost, gatepost),
            (
                Room::Redis,
                with_text("*3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$256\r\n"),
            ),
            (Room::Nats, with_text("MSG bench 1 256\r\n")),
        ] {
            assert_eq!(
                room.heard(&push).unwrap(),
                Some((push.len(), 7)),
                "{room:?}"
            );
            assert_eq!(room.heard(&push[..push.len() - 1]).unwrap(), None);
        }
    }

    #[test]
    fn a_question_of_nats_is_passed_over() {
        let push = [b"PING\r\nMSG bench 1 256\r\n", &text(7)[..], b"\r\n"].concat();
        assert_eq!(Room::Nats.heard(&push).unwrap(), Some((push.len(), 7)));
    }

    #[test]
    fn a_gap_is_no_message() {
        let mut push = Vec::new();
        frames::encode(br#"{"msg_type":"gap","room":"bench"}"#, &mut push);
        assert!(Room::Gatepost.heard(&push).is_err());
    }
}

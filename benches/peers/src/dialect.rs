//! What is asked of each kind of server, and what counts as its right answer.
//! All pings but redis's are the same 64 bytes in a frame; messages are in `messages`. When they go and
//! where the answers are read is left to `connection`.

use std::net::TcpStream;

use anyhow::{Context, bail, ensure};

use crate::frames;
use crate::messages;

/// The payload of a ping: the row is defined for 64 bytes.
const PING_LENGTH: usize = 64;

/// Ids have nine digits throughout, so that every ping is equally long, and
/// fit 31 bits, so that no server has cause to refuse one.
const FIRST_ID: u32 = 100_000_000;
const LAST_ID: u32 = 999_999_999;

/// What redis is asked: one command, nothing stored.
const REDIS_PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const REDIS_PONG: &[u8] = b"+PONG\r\n";

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Frames; each comes back as it went.
    Echo,
    /// Frames of JSON; each is answered with its id and `"ok":true`.
    Gatepost,
    /// Redis's own protocol.
    Redis,
    /// Messages to gatepost, each answered with its durable receipt.
    GatepostMessage,
    /// Messages to a redis stream.
    RedisMessage,
    /// Messages to a JetStream stream, with receipts to the inbox of this port.
    NatsMessage(u16),
}

impl Dialect {
    /// Says what the server wants to hear before the first request; returns
    /// how this connection is spoken on.
    pub(crate) fn greet(self, stream: &mut TcpStream) -> anyhow::Result<Self> {
        match self {
            Self::NatsMessage(_) => messages::greet_nats(stream).map(Self::NatsMessage),
            _ => Ok(self),
        }
    }

    /// Appends the request numbered `id` to `out`.
    pub(crate) fn ask(self, id: u32, out: &mut Vec<u8>) {
        match self {
            Self::Echo | Self::Gatepost => frames::encode(&ping(id), out),
            Self::Redis => out.extend_from_slice(REDIS_PING),
            Self::GatepostMessage => messages::ask_gatepost(id, out),
            Self::RedisMessage => messages::ask_redis(out),
            Self::NatsMessage(port) => messages::ask_nats(port, id, out),
        }
    }

    /// The length of the answer to `id` that `bytes` begins with; `None` while
    /// some of it is still to come, an error where it is not the answer.
    pub(crate) fn answer(self, id: u32, bytes: &[u8]) -> anyhow::Result<Option<usize>> {
        match self {
            Self::Redis => return pong(bytes),
            Self::RedisMessage => return messages::redis_answer(bytes),
            Self::NatsMessage(port) => return messages::nats_answer(port, id, bytes),
            Self::Echo | Self::Gatepost | Self::GatepostMessage => {}
        }
        let Some(payload) = frames::first(bytes)? else {
            return Ok(None);
        };
        match self {
            Self::Echo => ensure!(payload == ping(id), "an echo differs: {}", shown(payload)),
            Self::GatepostMessage => messages::check_receipt(id, payload)?,
            _ => check_reply(id, payload)?,
        }
        Ok(Some(frames::HEADER + payload.len()))
    }
}

/// The id of a connection's first request.
pub(crate) fn first_id() -> u32 {
    FIRST_ID
}

/// The id after `id`; round again after the last with nine digits.
pub(crate) fn next_id(id: u32) -> u32 {
    if id == LAST_ID { FIRST_ID } else { id + 1 }
}

/// A ping of exactly `PING_LENGTH` bytes. The digits are put into a fixed
/// text: formatting it anew would cost the client more than the reply does.
fn ping(id: u32) -> [u8; PING_LENGTH] {
    const TEXT: &[u8; PING_LENGTH] =
        br#"{"msg_type":"ping","id":000000000,"pad":"xxxxxxxxxxxxxxxxxxxxx"}"#;
    let mut text = *TEXT;
    write_digits(id, &mut text[24..33]);
    text
}

/// Gatepost's reply in the spelling that it uses.
fn reply(id: u32) -> [u8; 26] {
    let mut text = *br#"{"id":000000000,"ok":true}"#;
    write_digits(id, &mut text[6..15]);
    text
}

pub(crate) fn write_digits(number: u32, digits: &mut [u8]) {
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// The usual spelling is compared byte by byte, as an echo is; any other is
/// parsed, since JSON may be spelled in many ways.
fn check_reply(id: u32, payload: &[u8]) -> anyhow::Result<()> {
    if payload == reply(id) {
        return Ok(());
    }
    let value: serde_json::Value = serde_json::from_slice(payload)
        .with_context(|| format!("a reply is not JSON: {}", shown(payload)))?;
    ensure!(
        value["id"] == id && value["ok"] == true,
        "asked with id {id}, told {}",
        shown(payload)
    );
    Ok(())
}

fn pong(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    if bytes.starts_with(REDIS_PONG) {
        return Ok(Some(REDIS_PONG.len()));
    }
    if !REDIS_PONG.starts_with(bytes) {
        bail!("redis said {}", shown(bytes));
    }
    Ok(None)
}

pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frames::encode(payload, &mut bytes);
        bytes
    }

    #[test]
    fn a_ping_is_json_of_64_bytes_with_its_id() {
        for id in [FIRST_ID, 123_456_789, LAST_ID] {
            let ping = ping(id);
            let value: serde_json::Value = serde_json::from_slice(&ping).unwrap();
            assert_eq!(value["msg_type"], "ping");
            assert_eq!(value["id"], id);
        }
    }

    #[test]
    fn an_echo_must_be_the_very_bytes_sent() {
        let mut asked = Vec::new();
        Dialect::Echo.ask(123_456_789, &mut asked);
        assert_eq!(asked.len(), frames::HEADER + PING_LENGTH);
        let answer = Dialect::Echo.answer(123_456_789, &asked).unwrap();
        assert_eq!(answer, Some(asked.len()));
        assert!(Dialect::Echo.answer(123_456_788, &asked).is_err());
        asked.pop();
        assert_eq!(Dialect::Echo.answer(123_456_789, &asked).unwrap(), None);
    }

    #[test]
    fn gatepost_must_answer_that_id_with_ok() {
        let answer = |text: &[u8]| Dialect::Gatepost.answer(123_456_789, &framed(text));
        let usual = br#"{"id":123456789,"ok":true}"#;
        assert_eq!(reply(123_456_789), *usual);
        assert_eq!(answer(usual).unwrap(), Some(30));
        assert!(answer(br#"{ "ok": true, "id": 123456789 }"#).is_ok());
        assert!(answer(br#"{"id":123456780,"ok":true}"#).is_err());
        assert!(answer(br#"{"id":123456789,"ok":false}"#).is_err());
        assert!(answer(b"pong").is_err());
    }

    #[test]
    fn redis_answers_pong() {
        assert_eq!(Dialect::Redis.answer(FIRST_ID, b"+PO").unwrap(), None);
        assert_eq!(
            Dialect::Redis.answer(FIRST_ID, b"+PONG\r\n+P").unwrap(),
            Some(7)
        );
        assert!(Dialect::Redis.answer(FIRST_ID, b"-ERR no\r\n").is_err());
    }

    #[test]
    fn ids_go_round_within_nine_digits() {
        assert_eq!(next_id(first_id()), FIRST_ID + 1);
        assert_eq!(next_id(LAST_ID), FIRST_ID);
    }
}

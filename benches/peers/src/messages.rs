//! The row `durable`: one message of 256 bytes to each kind of server, and what
//! counts as its receipt. Servers differ in how they are asked, so the text is
//! the same and its wrapping is each one's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::dialect::{shown, write_digits};
use crate::frames;

/// What every message says.
const TEXT: [u8; 256] = [b'x'; 256];

/// The JetStream stream's only subject.
const SUBJECT: &str = "bench";

/// Where a client of NATS wants its receipts: the connection's port and the id
/// of the message follow.
const INBOX: &str = "_INBOX.b";

/// How long a server may take to say hello.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn ask_gatepost(id: u32, out: &mut Vec<u8>) {
    let mut header = *br#"{"msg_type":"msg","id":000000000}"#;
    write_digits(id, &mut header[23..32]);
    frames::encode(&header, out);
    frames::encode(&TEXT, out);
}

/// A receipt must have the id, say yes, and say that it is durable.
pub(crate) fn check_receipt(id: u32, payload: &[u8]) -> anyhow::Result<()> {
    let mut usual = *br#"{"id":000000000,"ok":true,"#;
    write_digits(id, &mut usual[6..15]);
    let durable = br#""ack":"durable""#;
    if payload.starts_with(&usual) && payload.windows(durable.len()).any(|part| part == durable) {
        return Ok(());
    }
    let value: serde_json::Value = serde_json::from_slice(payload)
        .with_context(|| format!("a receipt is not JSON: {}", shown(payload)))?;
    ensure!(
        value["id"] == id && value["ok"] == true && value["ack"] == "durable",
        "sent a message with id {id}, told {}",
        shown(payload)
    );
    Ok(())
}

pub(crate) fn ask_redis(out: &mut Vec<u8>) {
    out.extend_from_slice(b"*5\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n$1\r\nt\r\n$256\r\n");
    out.extend_from_slice(&TEXT);
    out.extend_from_slice(b"\r\n");
}

/// The entry's id as a bulk string: `$15`, CR LF, as many bytes, CR LF.
pub(crate) fn redis_answer(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(line) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let length: Option<usize> = bytes[..line]
        .strip_prefix(b"$")
        .and_then(|digits| std::str::from_utf8(digits).ok()?.trim_end().parse().ok());
    let length = length.with_context(|| format!("redis said {}", shown(bytes)))?;
    let end = line + 1 + length + 2;
    Ok((bytes.len() >= end).then_some(end))
}

pub(crate) fn ask_nats(port: u16, id: u32, out: &mut Vec<u8>) {
    let head = format!("PUB {SUBJECT} {INBOX}.{port}.{id} {}\r\n", TEXT.len());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(&TEXT);
    out.extend_from_slice(b"\r\n");
}

/// `MSG INBOX.id 1 LENGTH`, CR LF, a JSON object with `seq`, CR LF; before it, now and then, a `PING`,
/// which it takes minutes to miss an answer to.
pub(crate) fn nats_answer(port: u16, id: u32, bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(line) = bytes.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&bytes[..line]);
    let words: Vec<_> = head.split_whitespace().collect();
    if words == ["PING"] {
        let answer = nats_answer(port, id, &bytes[line + 1..])?;
        return Ok(answer.map(|end| line + 1 + end));
    }
    let length = match words.as_slice() {
        ["MSG", inbox, _, length] if *inbox == format!("{INBOX}.{port}.{id}") => {
            length.parse().ok()
        }
        _ => None,
    };
    let length: usize = length.with_context(|| format!("after {id} NATS said {head}"))?;
    let end = line + 1 + length + 2;
    if bytes.len() < end {
        return Ok(None);
    }
    let receipt: serde_json::Value = serde_json::from_slice(&bytes[line + 1..end])?;
    ensure!(receipt["seq"].is_u64(), "no receipt: {receipt}");
    Ok(Some(end))
}

/// Introduces a client, and has what is sent to its inbox delivered. Returns
/// the port by which its inbox is told from those of others.
pub(crate) fn greet_nats(stream: &mut TcpStream) -> anyhow::Result<u16> {
    let port = stream.local_addr()?.port();
    let hello = format!("CONNECT {{\"verbose\":false}}\r\nSUB {INBOX}.{port}.* 1\r\nPING\r\n");
    converse(stream, &hello, "PONG")?;
    Ok(port)
}

/// Makes the stream: kept in files, one replica.
pub(crate) fn make_stream(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    let wish = format!(r#"{{"name":"BENCH","subjects":["{SUBJECT}"],"storage":"file"}}"#);
    let ask = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB made 1\r\nPUB $JS.API.STREAM.CREATE.BENCH made {}\r\n{wish}\r\n",
        wish.len()
    );
    let said = converse(&mut stream, &ask, "stream_create_response")?;
    ensure!(!said.contains("\"error\""), "NATS made no stream: {said}");
    Ok(())
}

/// Says `ask` and reads lines until one holds `wanted`, byte by byte so that
/// nothing after it is lost.
fn converse(stream: &mut TcpStream, ask: &str, wanted: &str) -> anyhow::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(ask.as_bytes())?;
    let mut said = String::new();
    let mut reader = BufReader::with_capacity(1, Read::by_ref(stream));
    while !said.contains(wanted) {
        said.clear();
        let count = reader.read_line(&mut said).context("a server's hello")?;
        ensure!(count > 0, "the server hung up instead of saying {wanted}");
    }
    stream.set_read_timeout(None)?;
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_has_the_id_and_is_durable() {
        let check = |text: &str| check_receipt(123_456_789, text.as_bytes());
        assert!(check(r#"{"id":123456789,"ok":true,"seq":1,"ack":"durable"}"#).is_ok());
        assert!(check(r#"{"ack":"durable","id":123456789,"ok":true}"#).is_ok());
        assert!(check(r#"{"id":123456789,"ok":true,"ack":"received"}"#).is_err());
        assert!(check(r#"{"id":123456788,"ok":true,"ack":"durable"}"#).is_err());
        assert!(check(r#"{"id":123456789,"ok":false,"code":"busy"}"#).is_err());
    }

    #[test]
    fn a_gatepost_message_is_a_header_and_a_text() {
        let mut out = Vec::new();
        ask_gatepost(123_456_789, &mut out);
        let header = frames::first(&out).unwrap().unwrap();
        let value: serde_json::Value = serde_json::from_slice(header).unwrap();
        assert_eq!(value["id"], 123_456_789);
        let text = frames::first(&out[frames::HEADER + header.len()..]).unwrap();
        assert_eq!(text.unwrap().len(), 256);
    }

    #[test]
    fn redis_answers_with_an_entrys_id() {
        assert_eq!(redis_answer(b"$3\r\n1-").unwrap(), None);
        assert_eq!(redis_answer(b"$3\r\n1-0\r\n$").unwrap(), Some(9));
        assert!(redis_answer(b"-ERR no\r\n").is_err());
    }

    #[test]
    fn nats_answers_in_the_inbox_of_the_message() {
        let receipt = b"MSG _INBOX.b.2.7 1 9\r\n{\"seq\":1}\r\n";
        assert_eq!(nats_answer(2, 7, receipt).unwrap(), Some(receipt.len()));
        assert_eq!(nats_answer(2, 7, &receipt[..25]).unwrap(), None);
        let asked = [b"PING\r\n", &receipt[..]].concat();
        assert_eq!(nats_answer(2, 7, &asked).unwrap(), Some(asked.len()));
        assert_eq!(nats_answer(2, 7, b"PING\r\n").unwrap(), None);
        assert!(nats_answer(2, 8, receipt).is_err());
        let error = b"MSG _INBOX.b.2.7 1 12\r\n{\"error\":{}}\r\n";
        assert!(nats_answer(2, 7, error).is_err());
    }
}

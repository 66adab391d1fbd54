//! The serving side of the framed conversation: frames to requests, answers to frames.

use crate::conversation::{Serving, Step};
use crate::wire::{Answer, Code, Expect, Header, Id, Refusal, Reply, frame, write_last_word};

/// The word that ends a conversation: a frame of these bytes, no JSON.
const CLOSE: &[u8] = b"close";

/// A conversation as the server sees it.
#[derive(Debug)]
pub struct FramedServing {
    max_header: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between requests.
    Header,
    /// A header was told; what follows is not said yet.
    Told,
    /// Before the one frame of a body.
    Frame,
    /// Before a body of this many bytes, not announced yet.
    Bytes(u64),
    /// Inside a body.
    Body {
        /// Bytes that the current frame still has.
        frame: u64,
        /// Bytes that frames after the current one still have.
        later: u64,
    },
    /// The peer said `close`.
    Closed,
}

impl FramedServing {
    /// A conversation at its start, with header frames of at most `max_header` bytes.
    #[must_use]
    pub const fn new(max_header: usize) -> Self {
        Self {
            max_header,
            state: State::Header,
        }
    }

    fn header<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        let payload = match frame::split(input, self.max_header) {
            Ok(Some(payload)) => payload,
            Ok(None) => return Ok(Step::More),
            Err(length) => return Err(self.bad_length(length)),
        };
        if payload == CLOSE {
            self.state = State::Closed;
            return Ok(Step::Close);
        }
        let header = Header::parse(payload)
            .map_err(|error| Refusal::new(Code::BadHeader, format!("not a header: {error}")))?;
        self.state = State::Told;
        Ok(Step::Begin(header))
    }

    fn bad_length(&self, length: i32) -> Refusal {
        let reason = if length < 0 {
            format!("a frame can't have {length} bytes")
        } else {
            format!(
                "a header may have at most {} bytes, not {length}",
                self.max_header
            )
        };
        Refusal::new(Code::BadFrame, reason)
    }

    /// The length that the next frame of a body announces.
    fn body_length(input: &mut &[u8]) -> Result<Option<u64>, Refusal> {
        let Some((prefix, rest)) = input.split_first_chunk() else {
            return Ok(None);
        };
        let Some(length) = frame::length(*prefix) else {
            let length = i32::from_le_bytes(*prefix);
            let reason = format!("a frame can't have {length} bytes");
            return Err(Refusal::new(Code::BadFrame, reason));
        };
        *input = rest;
        Ok(Some(length as u64))
    }

    fn body<'a>(
        &mut self,
        mut frame: u64,
        mut later: u64,
        input: &mut &'a [u8],
    ) -> Result<Step<'a>, Refusal> {
        // A loop and no recursion: a peer may send any number of empty frames in a row.
        while frame == 0 {
            if later == 0 {
                self.state = State::Header;
                return Ok(Step::End);
            }
            let Some(length) = Self::body_length(input)? else {
                return Ok(Step::More);
            };
            let Some(rest) = later.checked_sub(length) else {
                let reason =
                    format!("a frame of {length} bytes, {later} before the end of the body");
                return Err(Refusal::new(Code::BadFrame, reason));
            };
            (frame, later) = (length, rest);
            self.state = State::Body { frame, later };
        }
        let length = usize::try_from(frame).map_or(input.len(), |frame| frame.min(input.len()));
        if length == 0 {
            return Ok(Step::More);
        }
        let (piece, rest) = input.split_at(length);
        *input = rest;
        frame -= length as u64;
        self.state = State::Body { frame, later };
        Ok(Step::Piece(piece))
    }
}

impl Serving for FramedServing {
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, Refusal> {
        match self.state {
            State::Header => self.header(input),
            State::Told | State::Closed => Ok(Step::More),
            State::Frame => {
                let Some(length) = Self::body_length(input)? else {
                    return Ok(Step::More);
                };
                self.state = State::Body {
                    frame: length,
                    later: 0,
                };
                Ok(Step::Announce(length))
            }
            State::Bytes(bytes) => {
                self.state = State::Body {
                    frame: 0,
                    later: bytes,
                };
                Ok(Step::Announce(bytes))
            }
            State::Body { frame, later } => self.body(frame, later, input),
        }
    }

    fn expect(&mut self, body: Expect) {
        self.state = match body {
            Expect::Nothing => State::Header,
            Expect::Frame => State::Frame,
            Expect::Bytes(bytes) => State::Bytes(bytes),
        };
    }

    fn set_max_header(&mut self, bytes: usize) {
        self.max_header = bytes;
    }

    fn tells_refusals(&self) -> bool {
        true
    }

    fn answer(&mut self, id: Option<&Id>, answer: &Answer, out: &mut Vec<u8>) {
        match (id, answer) {
            (None, _) => {}
            (Some(id), Ok(reply)) => reply.write(id, out),
            (Some(id), Err(refusal)) => refusal.write(id, out),
        }
    }

    fn answer_header(
        &mut self,
        id: Option<&Id>,
        reply: &Reply,
        bytes: u64,
        out: &mut Vec<u8>,
    ) -> bool {
        if let Some(id) = id {
            reply.write_header(id, Some(bytes), out);
        }
        id.is_some()
    }

    /// As few frames as can be: whoever reads them has least to do, and a body that breaks off ends
    /// the connection however it is cut.
    fn open_piece(&mut self, left: u64, out: &mut Vec<u8>) -> u64 {
        let length = i32::try_from(left).unwrap_or(i32::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        length as u64
    }

    fn last_word(&self, refusal: &Refusal, out: &mut Vec<u8>) {
        write_last_word(refusal, out);
    }

    fn going_away(&self, retry_after_ms: u64, out: &mut Vec<u8>) {
        Header::new("going_away")
            .with("retry_after_ms", retry_after_ms)
            .write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a host sees of `wire` when it arrives in pieces of the lengths `cuts`.
    fn play(wire: &[u8], cuts: &[usize]) -> (Vec<String>, Option<Code>) {
        let mut conversation = FramedServing::new(256);
        let mut seen: Vec<String> = Vec::new();
        let mut buffer: Vec<u8> = Vec::new();
        let mut cuts = cuts.iter().copied().chain(std::iter::repeat(usize::MAX));
        let mut wire = wire;
        while !wire.is_empty() {
            let cut = cuts
                .next()
                .map_or(wire.len(), |cut| cut.clamp(1, wire.len()));
            buffer.extend_from_slice(&wire[..cut]);
            wire = &wire[cut..];
            let mut input = buffer.as_slice();
            loop {
                match conversation.next(&mut input) {
                    Ok(Step::More) => break,
                    Ok(Step::Begin(header)) => {
                        conversation.expect(match header.msg_type.as_str() {
                            "text" => Expect::Frame,
                            "file" => Expect::Bytes(header.fields.number("size").unwrap().unwrap()),
                            _ => Expect::Nothing,
                        });
                        seen.push(header.msg_type);
                    }
                    Ok(Step::Announce(bytes)) => seen.push(format!("{bytes}:")),
                    Ok(Step::Piece(piece)) => {
                        seen.last_mut()
                            .unwrap()
                            .push_str(&String::from_utf8_lossy(piece));
                    }
                    Ok(Step::End) => seen.push("end".to_owned()),
                    Ok(Step::Close) => seen.push("close".to_owned()),
                    Ok(step) => panic!("{step:?} is not framed"),
                    Err(refusal) => return (seen, Some(refusal.code)),
                }
            }
            buffer = input.to_vec();
        }
        (seen, None)
    }

    fn frames(payloads: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for payload in payloads {
            frame::write(&mut out, |out| out.extend_from_slice(payload.as_bytes()));
        }
        out
    }

    #[test]
    fn a_file_of_several_frames_and_an_empty_one() {
        let wire = frames(&[
            r#"{"msg_type":"file","size":5}"#,
            "ab",
            "",
            "cde",
            r#"{"msg_type":"file","size":0}"#,
            r#"{"msg_type":"ping"}"#,
            "close",
            "ignored",
        ]);
        let seen = [
            "file", "5:abcde", "end", "file", "0:", "end", "ping", "close",
        ];
        assert_eq!(play(&wire, &[]), (seen.map(str::to_owned).to_vec(), None));
    }

    #[test]
    fn any_number_of_empty_frames_is_no_recursion() {
        let mut wire = frames(&[r#"{"msg_type":"file","size":1}"#]);
        wire.resize(wire.len() + (4 << 20), 0);
        wire.extend(frames(&["x"]));
        assert_eq!(play(&wire, &[]).0, ["file", "1:x", "end"]);
    }

    #[test]
    fn a_body_of_any_length_is_cut_into_frames() {
        let mut conversation = FramedServing::new(256);
        let mut out = Vec::new();
        assert!(!conversation.answer_header(None, &Reply::new(), 5, &mut out));
        assert!(out.is_empty());
        let id = Id::from(1);
        assert!(conversation.answer_header(Some(&id), &Reply::new(), 5 << 30, &mut out));
        assert!(out.ends_with(br#""body":5368709120}"#));
        let (mut left, mut lengths) = (5u64 << 30, Vec::new());
        while left > 0 {
            out.clear();
            let piece = conversation.open_piece(left, &mut out);
            assert_eq!(out, (piece as i32).to_le_bytes());
            lengths.push(piece);
            left -= piece;
        }
        let most = frame::MAX_PAYLOAD as u64;
        assert_eq!(lengths, [most, most, (1 << 30) + 2]);
    }

    #[test]
    fn a_frame_past_the_end_of_a_file_breaks_the_stream() {
        let wire = frames(&[r#"{"msg_type":"file","size":5}"#, "abc", "def"]);
        assert_eq!(play(&wire, &[]).1, Some(Code::BadFrame));
    }

    #[test]
    fn impossible_lengths_break_the_stream() {
        assert_eq!(play(b"\xff\xff\xff\xff", &[]).1, Some(Code::BadFrame));
        assert_eq!(play(b"\xff\xff\xff\x7f", &[]).1, Some(Code::BadFrame));
        assert_eq!(play(&257i32.to_le_bytes(), &[]).1, Some(Code::BadFrame));
        assert_eq!(play(&256i32.to_le_bytes(), &[]).1, None);
        let mut text = frames(&[r#"{"msg_type":"text"}"#]);
        text.extend_from_slice(b"\xfe\xff\xff\xff");
        assert_eq!(play(&text, &[]).1, Some(Code::BadFrame));
    }

    proptest! {
        #[test]
        fn cuts_do_not_change_what_is_seen(
            texts in prop::collection::vec("[a-z]{0,20}", 0..5),
            cuts in prop::collection::vec(1usize..30, 0..40),
        ) {
            let mut wire = Vec::new();
            for text in &texts {
                wire.extend(frames(&[r#"{"msg_type":"text"}"#, text, r#"{"msg_type":"ping"}"#]));
                let header = format!(r#"{{"msg_type":"file","size":{}}}"#, 2 * text.len());
                wire.extend(frames(&[&header, text, text]));
            }
            prop_assert_eq!(play(&wire, &cuts), play(&wire, &[]));
        }

        #[test]
        fn any_bytes_are_survived(wire: Vec<u8>, cuts in prop::collection::vec(1usize..9, 0..9)) {
            let _ = play(&wire, &cuts);
        }
    }
}

//! Tests of the talking side: every cut of every answer gives the same events.

use super::*;
use crate::wire::{Code, Id, Refusal, Reply, write_last_word};
use proptest::prelude::*;

/// Everything `wire` says when it arrives in pieces of `cuts` bytes: headers and whole bodies.
fn read(wire: &[u8], cuts: &[usize]) -> Result<Vec<(Incoming, Vec<u8>)>, Broken> {
    let (mut talking, mut held) = (Talking::new(), Vec::new());
    let (mut said, mut open) = (Vec::new(), None);
    let mut rest = wire;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let cut = (*cuts.next().unwrap()).clamp(1, rest.len());
        held.extend_from_slice(&rest[..cut]);
        rest = &rest[cut..];
        let mut input = held.as_slice();
        while let Some(event) = talking.advance(&mut input)? {
            match event {
                Event::Header(header) => assert!(open.replace((header, Vec::new())).is_none()),
                Event::Body(piece) => {
                    assert!(!piece.is_empty());
                    open.as_mut().unwrap().1.extend_from_slice(piece);
                }
                Event::End => said.push(open.take().unwrap()),
            }
        }
        let left = input.len();
        held.drain(..held.len() - left);
    }
    assert_eq!(talking.is_at_rest(), open.is_none());
    Ok(said)
}

/// What a test server says: a reply whose body is cut into frames as given, or a refusal.
#[derive(Debug, Clone)]
enum Said {
    Reply(Vec<Vec<u8>>),
    Refused,
    Push(Vec<u8>),
}

fn write(said: &Said, id: u64, out: &mut Vec<u8>) {
    match said {
        Said::Reply(frames) => {
            let body: usize = frames.iter().map(Vec::len).sum();
            let header = Reply::new().with("body", body as u64);
            header.write(&Id::from(id), out);
            // Empty frames may stand before the end of a body, never behind it.
            let last = frames.iter().rposition(|piece| !piece.is_empty());
            for piece in frames.iter().take(last.map_or(0, |last| last + 1)) {
                frame::write(out, |out| out.extend_from_slice(piece));
            }
        }
        Said::Refused => Refusal::new(Code::Busy, "later").write(&Id::from(id), out),
        Said::Push(body) => {
            let header = Header::new("something new").with("body", body.len());
            header.write(out);
            if !body.is_empty() {
                frame::write(out, |out| out.extend_from_slice(body));
            }
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        prop::collection::vec(bytes(), 0..4).prop_map(Said::Reply),
        Just(Said::Refused),
        bytes().prop_map(Said::Push),
    ]
}

proptest! {
    #[test]
    fn every_segmentation_says_the_same(
        all in prop::collection::vec(said(), 0..8),
        cuts in prop::collection::vec(1usize..50, 1..20),
    ) {
        let mut wire = Vec::new();
        for (id, said) in all.iter().enumerate() {
            write(said, id as u64, &mut wire);
        }
        let read = read(&wire, &cuts).unwrap();
        prop_assert_eq!(read.len(), all.len());
        for (id, (said, (header, body))) in all.iter().zip(read).enumerate() {
            let expected = match said {
                Said::Reply(frames) => frames.concat(),
                Said::Refused => Vec::new(),
                Said::Push(body) => body.clone(),
            };
            prop_assert_eq!(body, expected);
            let id = Id::from(id as u64);
            let fits = match (said, &header) {
                (Said::Reply(_), Incoming::Reply { id: echoed, .. }) => *echoed == id,
                (Said::Refused, Incoming::Refused { id: echoed, .. }) => *echoed == id,
                (Said::Push(_), Incoming::Push { .. }) => true,
                _ => false,
            };
            prop_assert!(fits, "{:?} became {:?}", said, header);
        }
    }

    #[test]
    fn any_bytes_are_read_or_broken(wire: Vec<u8>, cuts in prop::collection::vec(1usize..9, 1..9)) {
        let _ = read(&wire, &cuts);
    }

    #[test]
    fn file_frames_hold_exactly_the_file(size in 0u64..300, longest in 1u32..90, most in 0usize..70) {
        let mut frames = FileFrames { longest, ..FileFrames::new(size) };
        let (mut wire, mut sent) = (Vec::new(), 0u64);
        while let Some((prefix, here)) = frames.advance(most) {
            prop_assert!(here > 0 && here <= most.max(1));
            wire.extend(prefix.into_iter().flatten());
            wire.extend((0..here).map(|_| 7));
            sent += here as u64;
            prop_assert_eq!(frames.left(), size - sent);
        }
        prop_assert_eq!(sent, size);
        let mut rest = wire.as_slice();
        let mut sum = 0;
        while let Some(payload) = frame::split(&mut rest, longest as usize).unwrap() {
            sum += payload.len() as u64;
        }
        prop_assert_eq!((sum, rest.len()), (size, 0));
    }
}

#[test]
fn a_frame_past_the_end_of_a_body_is_broken() {
    let mut wire = Vec::new();
    Reply::new()
        .with("body", 3u64)
        .write(&Id::from(1), &mut wire);
    frame::write(&mut wire, |out| out.extend_from_slice(b"four"));
    let broken = read(&wire, &[1000]).unwrap_err();
    assert_eq!(broken, Broken::BodyLength { length: 4, left: 3 });
}

#[test]
fn a_length_that_cannot_be_one_is_broken() {
    assert_eq!(
        read(b"\xff\xff\xff\xff", &[9]),
        Err(Broken::HeaderLength(-1))
    );
    let long = i32::try_from(MAX_REPLY_HEADER).unwrap() + 1;
    assert_eq!(
        read(&long.to_le_bytes(), &[9]),
        Err(Broken::HeaderLength(long))
    );
    let fits = i32::try_from(MAX_REPLY_HEADER).unwrap();
    assert_eq!(read(&fits.to_le_bytes(), &[9]), Ok(Vec::new()));
}

#[test]
fn the_last_word_is_a_push() {
    let mut wire = Vec::new();
    write_last_word(&Refusal::new(Code::BadFrame, "no"), &mut wire);
    let said = read(&wire, &[3]).unwrap();
    assert!(matches!(&said[0].0, Incoming::Push { msg_type, .. } if msg_type == "error"));
}

#[test]
fn a_request_is_what_the_course_sends() {
    let mut out = Vec::new();
    write_request(&Header::new("msg"), Some("你好".as_bytes()), &mut out);
    write_close(&mut out);
    let mut input = out.as_slice();
    let mut next = || frame::split(&mut input, 99).unwrap().unwrap().to_vec();
    assert_eq!(next(), br#"{"msg_type":"msg"}"#);
    assert_eq!(next(), "你好".as_bytes());
    assert_eq!(next(), b"close");
}

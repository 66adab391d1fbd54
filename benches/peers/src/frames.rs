//! The wire: a four-byte signed little-endian length, then that many bytes.
//! What the bytes mean is left to `dialect` and to the servers.

use std::io::{self, Read};

/// Bytes of the length before each payload.
pub(crate) const HEADER: usize = 4;

/// Longest payload taken. Nothing here sends more than a line; a greater
/// length means that the two sides have lost step.
const LONGEST: usize = 1 << 20;

/// Appends one frame to `out`.
pub(crate) fn encode(payload: &[u8], out: &mut Vec<u8>) {
    let length = i32::try_from(payload.len()).expect("this benchmark sends lines, not gigabytes");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(payload);
}

/// The payload of the frame that `bytes` begins with; `None` while some of it
/// is still to come.
pub(crate) fn first(bytes: &[u8]) -> io::Result<Option<&[u8]>> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    Ok(rest.get(..payload_length(*header)?))
}

/// How many of `bytes` are whole frames, counted from the first.
pub(crate) fn whole(bytes: &[u8]) -> io::Result<usize> {
    let mut end = 0;
    while let Some(payload) = first(&bytes[end..])? {
        end += HEADER + payload.len();
    }
    Ok(end)
}

/// Reads one frame's payload into `payload`; `false` where the stream ends
/// between two frames.
pub(crate) fn read(stream: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<bool> {
    let mut header = [0; HEADER];
    let begun = stream.read(&mut header)?;
    if begun == 0 {
        return Ok(false);
    }
    stream.read_exact(&mut header[begun..])?;
    payload.resize(payload_length(header)?, 0);
    stream.read_exact(payload)?;
    Ok(true)
}

fn payload_length(header: [u8; HEADER]) -> io::Result<usize> {
    let length = i32::from_le_bytes(header);
    match usize::try_from(length) {
        Ok(length) if length <= LONGEST => Ok(length),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame claims a length of {length}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for payload in payloads {
            encode(payload, &mut bytes);
        }
        bytes
    }

    #[test]
    fn a_frame_is_its_length_then_its_payload() {
        assert_eq!(framed(&[b"close"]), b"\x05\0\0\0close");
    }

    #[test]
    fn a_frame_is_found_once_it_is_whole() {
        let bytes = framed(&[b"one"]);
        for cut in 0..bytes.len() {
            assert_eq!(first(&bytes[..cut]).unwrap(), None);
        }
        assert_eq!(first(&bytes).unwrap(), Some(&b"one"[..]));
    }

    #[test]
    fn whole_frames_are_counted_and_the_begun_one_is_not() {
        let bytes = framed(&[b"one", b"", b"three"]);
        assert_eq!(whole(&bytes).unwrap(), bytes.len());
        assert_eq!(whole(&bytes[..bytes.len() - 1]).unwrap(), 7 + 4);
    }

    #[test]
    fn reading_goes_frame_by_frame_to_the_end() {
        let bytes = framed(&[b"one", b""]);
        let mut stream = &bytes[..];
        let mut payload = Vec::new();
        assert!(read(&mut stream, &mut payload).unwrap());
        assert_eq!(payload, b"one");
        assert!(read(&mut stream, &mut payload).unwrap());
        assert!(payload.is_empty());
        assert!(!read(&mut stream, &mut payload).unwrap());
    }

    #[test]
    fn a_stream_cut_inside_a_frame_is_an_error() {
        let bytes = framed(&[b"one"]);
        for cut in [2, 5] {
            let error = read(&mut &bytes[..cut], &mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn impossible_lengths_are_refused() {
        assert!(first(&(-1i32).to_le_bytes()).is_err());
        assert!(first(&i32::MAX.to_le_bytes()).is_err());
    }
}

//! The frame: a length of four bytes, signed and little-endian (Python's `struct.pack('<i')`), then
//! that many bytes. What a frame holds is left to whoever reads it.

/// Bytes that a length takes on the wire.
pub const PREFIX: usize = 4;

/// The longest payload that one frame can announce, in bytes: 2 GiB − 1.
pub const MAX_PAYLOAD: usize = i32::MAX as usize;

/// The payload length that `prefix` announces, in bytes; `None` if it is negative.
#[must_use]
pub const fn length(prefix: [u8; PREFIX]) -> Option<usize> {
    let length = i32::from_le_bytes(prefix);
    if length < 0 {
        None
    } else {
        Some(length as usize)
    }
}

/// The prefix of a frame of `length` bytes; `None` if no frame can be that long.
#[must_use]
pub fn prefix(length: usize) -> Option<[u8; PREFIX]> {
    i32::try_from(length).ok().map(i32::to_le_bytes)
}

/// Appends one frame to `out`, its payload written by `fill`.
///
/// # Panics
///
/// If `fill` writes more than [`MAX_PAYLOAD`] bytes. Headers and texts are held far below that.
pub fn write(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    fill(out);
    let length = prefix(out.len() - start - PREFIX).expect("a frame stays below 2 GiB");
    out[start..start + PREFIX].copy_from_slice(&length);
}

/// Splits the first frame off `input`: its payload, with `input` left behind it. `Ok(None)` while
/// it is not whole.
///
/// # Errors
///
/// `Err` with the announced length if that is negative or above `limit`; `input` is unchanged.
pub fn split<'a>(input: &mut &'a [u8], limit: usize) -> Result<Option<&'a [u8]>, i32> {
    let Some((prefix, rest)) = input.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let announced = i32::from_le_bytes(*prefix);
    let length = match length(*prefix) {
        Some(length) if length <= limit => length,
        _ => return Err(announced),
    };
    let Some((payload, rest)) = rest.split_at_checked(length) else {
        return Ok(None);
    };
    *input = rest;
    Ok(Some(payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_course_client_packs_the_same_bytes() {
        // struct.pack('<i', 5) + b'close'
        let mut out = Vec::new();
        write(&mut out, |out| out.extend_from_slice(b"close"));
        assert_eq!(out, b"\x05\0\0\0close");
    }

    #[test]
    fn a_negative_length_and_one_past_the_limit_are_told() {
        assert_eq!(split(&mut &b"\xff\xff\xff\xff"[..], 10), Err(-1));
        assert_eq!(split(&mut &b"\x0b\0\0\0"[..], 10), Err(11));
        assert_eq!(split(&mut &b"\x0a\0\0\0"[..], 10), Ok(None));
        assert_eq!(prefix(MAX_PAYLOAD), Some([0xff, 0xff, 0xff, 0x7f]));
        assert_eq!(prefix(MAX_PAYLOAD + 1), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_split_again(payload: Vec<u8>, rest: Vec<u8>) {
            let mut wire = Vec::new();
            write(&mut wire, |out| out.extend_from_slice(&payload));
            wire.extend_from_slice(&rest);
            let mut input = wire.as_slice();
            prop_assert_eq!(split(&mut input, payload.len()), Ok(Some(payload.as_slice())));
            prop_assert_eq!(input, rest.as_slice());
        }

        #[test]
        fn a_cut_frame_is_not_yet_one(payload in prop::collection::vec(any::<u8>(), 0..64), cut in 0usize..68) {
            let mut wire = Vec::new();
            write(&mut wire, |out| out.extend_from_slice(&payload));
            prop_assume!(cut < wire.len());
            let mut input = &wire[..cut];
            prop_assert_eq!(split(&mut input, 64), Ok(None));
            prop_assert_eq!(input.len(), cut);
        }
    }
}

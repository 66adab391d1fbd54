//! The arguments of a call, where they are known to be of a kind.

use super::super::line::{Call, Value, number};

#[track_caller]
fn argument(call: &Call, at: usize) -> &Value {
    let argument = call.arguments.get(at);
    argument.unwrap_or_else(|| panic!("no argument {at}: {call:?}"))
}

/// A word as it stands there.
#[track_caller]
pub(super) fn word(call: &Call, at: usize) -> &str {
    match argument(call, at) {
        Value::Word(word) => word,
        other => panic!("no word, but {other:?}: {call:?}"),
    }
}

/// A number; what is none, such as `AT_FDCWD`, is -100.
#[track_caller]
pub(super) fn integer(call: &Call, at: usize) -> i64 {
    number(word(call, at)).unwrap_or(-100)
}

/// A length or an offset.
#[track_caller]
pub(super) fn size(call: &Call, at: usize) -> usize {
    let size = integer(call, at);
    usize::try_from(size).unwrap_or_else(|_| panic!("no size, but {size}: {call:?}"))
}

/// A string, which must be there to its end.
#[track_caller]
pub(super) fn bytes(call: &Call, at: usize) -> Vec<u8> {
    whole(argument(call, at)).unwrap_or_else(|| panic!("no whole string: {call:?}"))
}

fn whole(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes, true) => Some(bytes.clone()),
        _ => None,
    }
}

/// A field of a structure, as it stands there.
#[track_caller]
pub(super) fn field<'a>(call: &'a Call, at: usize, name: &str) -> &'a Value {
    find(argument(call, at), name).unwrap_or_else(|| panic!("no field {name}: {call:?}"))
}

fn find<'a>(value: &'a Value, wanted: &str) -> Option<&'a Value> {
    let Value::Fields(fields) = value else {
        return None;
    };
    let (_, value) = fields.iter().find(|(name, _)| name == wanted)?;
    Some(value)
}

/// All the bytes that a call wants to write or to send.
#[track_caller]
pub(super) fn payload(call: &Call) -> Vec<u8> {
    let pieces = match argument(call, 1) {
        Value::Bytes(..) => return bytes(call, 1),
        Value::List(pieces) => pieces,
        Value::Fields(_) => match field(call, 1, "msg_iov") {
            Value::List(pieces) => pieces,
            _ => return Vec::new(),
        },
        Value::Word(_) => return Vec::new(),
    };
    let piece = |piece: &Value| find(piece, "iov_base").and_then(whole);
    let pieces: Option<Vec<_>> = pieces.iter().map(piece).collect();
    let pieces = pieces.unwrap_or_else(|| panic!("no whole pieces: {call:?}"));
    pieces.concat()
}

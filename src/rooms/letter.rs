//! A push as it lies in the mails of those who read its room: written once, shared by all.

use crate::budget::Charge;
use crate::store::Kept;
use crate::wire::RoomName;

/// Bytes that the header of most pushes and the prefixes of its frames take.
const HEADER: usize = 256;

/// One push.
#[derive(Debug)]
pub(super) struct Letter {
    /// The room it belongs to.
    pub(super) room: RoomName,
    /// Its message's seq.
    pub(super) seq: u64,
    /// Its bytes on the wire.
    pub(super) bytes: Vec<u8>,
    /// The memory it occupies, however many have it.
    _charge: Charge,
}

impl Letter {
    /// The push of a committed message.
    pub(super) fn write(kept: Kept) -> Self {
        let Kept {
            message,
            mut charge,
        } = kept;
        let mut bytes = Vec::with_capacity(HEADER + message.text.len());
        message.write_push(&mut bytes);
        charge.set(size_of::<Self>() + bytes.capacity());
        Self {
            room: message.room,
            seq: message.seq,
            bytes,
            _charge: charge,
        }
    }
}

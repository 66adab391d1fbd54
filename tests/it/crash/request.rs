//! What a sender asks for, each told from its number and place alone, and how it is written.

use crate::support::frame;
use crate::trial::chance::mix;
use crate::trial::content;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Files have fewer bytes than this, and most of them far fewer.
const SIZE: u64 = 200_000;

/// A body that says its size comes in frames of so many bytes.
const FRAME: usize = 60_000;

/// What the id of a question for an offset begins with; then comes the file's.
pub(crate) const OFFSET_OF: &str = "offset of ";

/// One request, until it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Message {
        key: String,
        room: String,
    },
    File {
        name: String,
        parcel: Parcel,
        /// How many of its bytes are known to be safe.
        offset: u64,
    },
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parcel {
    seed: u64,
    pub(crate) size: usize,
}

/// How a file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Its bytes in one frame, and nothing said of them.
    Plain,
    /// With its size and its digest, so that it can be resumed and is stored once.
    Proven,
    /// The same, posted to a room under a key.
    Posted,
}

impl Parcel {
    /// What `sender` made in its `place`.
    pub(super) fn of(sender: u64, place: u64) -> Self {
        let seed = mix(sender << 32 | place);
        let most = if seed.is_multiple_of(4) { SIZE } else { 3_000 };
        let size = usize::try_from(mix(seed) % most).unwrap();
        Self { seed, size }
    }

    /// All of it.
    pub(crate) fn bytes(self) -> Vec<u8> {
        content::bytes(self.seed, self.size)
    }

    fn form(self) -> Form {
        match self.seed / 4 % 3 {
            0 => Form::Plain,
            1 => Form::Proven,
            _ => Form::Posted,
        }
    }

    /// Whether it is posted to a room.
    pub(crate) fn is_posted(self) -> bool {
        self.form() == Form::Posted
    }

    /// Whether it is stored once, however often it is sent.
    pub(crate) fn is_proven(self) -> bool {
        self.form() != Form::Plain
    }

    /// Its digest, as it is written on the wire.
    pub(crate) fn digest(self) -> String {
        let bytes = self.bytes();
        if self.seed.is_multiple_of(2) {
            return format!("blake3:{}", blake3::hash(&bytes));
        }
        let digest = Sha256::digest(&bytes);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }
}

/// The text that goes with a key.
pub(crate) fn text_of(key: &str) -> String {
    let length = key.bytes().map(usize::from).sum::<usize>() % 300;
    format!("the text of {key}{}", "。".repeat(length))
}

/// The room that is posted to under a key: a message's, or the name of a file.
pub(crate) fn room_of(key: &str) -> String {
    let stem = key.strip_suffix(".bin").unwrap_or(key);
    let place = stem
        .split_once('-')
        .and_then(|(_, place)| place.parse().ok());
    format!("room-{}", place.unwrap_or(0u64) % 3)
}

impl Request {
    /// What `sender` asks for in its `place`: one in so many is a file.
    pub(super) fn new(sender: u64, place: u64, is_file: bool) -> Self {
        if is_file {
            Self::File {
                name: format!("{sender}-{place}.bin"),
                parcel: Parcel::of(sender, place),
                offset: 0,
            }
        } else {
            let key = format!("{sender}-{place}");
            let room = room_of(&key);
            Self::Message { key, room }
        }
    }

    /// The one with this id.
    pub(crate) fn with_id(id: &str) -> Self {
        let stem = id.strip_suffix(".bin");
        let (sender, place) = stem.unwrap_or(id).split_once('-').expect("no id of ours");
        let [sender, place] = [sender, place].map(|number| number.parse().expect("no id of ours"));
        Self::new(sender, place, stem.is_some())
    }

    /// Its id, which is no other's.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Message { key, .. } => key,
            Self::File { name, .. } => name,
        }
    }

    /// The question how much of it is safe already, if it can be resumed.
    pub(crate) fn question(&self) -> Option<Value> {
        let Self::File { name, parcel, .. } = self else {
            return None;
        };
        parcel.is_proven().then(|| {
            json!({
                "msg_type": "offset", "id": format!("{OFFSET_OF}{name}"), "file_name": name,
                "size": parcel.size, "digest": parcel.digest(),
            })
        })
    }

    /// As it is sent, in pieces.
    pub(crate) fn pieces(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Message { key, room } => {
                let header = json!({"msg_type": "msg", "id": key, "key": key, "room": room});
                let header = frame(header.to_string().as_bytes());
                vec![[header, frame(text_of(key).as_bytes())].concat()]
            }
            Self::File {
                name,
                parcel,
                offset,
            } => pieces(name, *parcel, *offset),
        }
    }
}

fn pieces(name: &str, parcel: Parcel, offset: u64) -> Vec<Vec<u8>> {
    let mut header = json!({"msg_type": "file", "id": name, "file_name": name});
    let bytes = parcel.bytes();
    let write = |header: &Value| frame(header.to_string().as_bytes());
    match parcel.form() {
        Form::Plain => return vec![[write(&header), frame(&bytes)].concat()],
        Form::Proven => {}
        Form::Posted => {
            header["room"] = room_of(name).into();
            header["key"] = name.into();
        }
    }
    header["size"] = parcel.size.into();
    header["digest"] = parcel.digest().into();
    if offset > 0 {
        header["offset"] = offset.into();
    }
    let rest = &bytes[usize::try_from(offset).unwrap()..];
    let body = rest.chunks(FRAME).map(frame);
    std::iter::once(write(&header)).chain(body).collect()
}

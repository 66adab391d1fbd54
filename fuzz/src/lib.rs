//! What each fuzz target does with its input, as plain functions: the targets call them under
//! libFuzzer, the tests here over the corpora.

mod classic;

pub use classic::classic;

use gatepost::config::Listen;
use gatepost::conversation::framed::FramedServing;
use gatepost::conversation::{Serving, Step};
use gatepost::store::{Account, UsersEditor};
use gatepost::wire::{Expect, FileName, Header, Incoming, Key, Proxied, RoomName, UserName, frame};
use std::path::{Component, Path};
use std::sync::LazyLock;

/// The longest header frame that is split off here.
const MAX_HEADER: usize = 4096;

/// Frames, and the headers in them: a header that is read is written and read back the same.
///
/// # Panics
///
/// If it is not.
pub fn wire(data: &[u8]) {
    let mut input = data;
    while let Ok(Some(payload)) = frame::split(&mut input, MAX_HEADER) {
        let Ok(header) = Header::parse(payload) else {
            continue;
        };
        let mut wire = Vec::new();
        header.write(&mut wire);
        let again = frame::split(&mut wire.as_slice(), wire.len());
        let again = again.expect("its length is its own").expect("it is whole");
        assert_eq!(Header::parse(again), Ok(header));
    }
}

/// What a client reads from a server.
pub fn incoming(data: &[u8]) {
    // Any answer will do, as long as there is one.
    let _ = Incoming::parse(data);
}

/// Names: what is taken is what it promises to be.
///
/// # Panics
///
/// If it is not.
pub fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if FileName::new(text).is_ok() {
        let mut components = Path::new(text).components();
        assert_eq!(components.next(), Some(Component::Normal(text.as_ref())));
        assert_eq!(components.next(), None);
        assert!(text.len() <= 255 && !text.contains('\0') && !text.starts_with('.'));
    }
    if RoomName::new(text).is_ok() {
        assert!(text.len() <= 64 && text.split_whitespace().eq([text]));
    }
    if UserName::new(text).is_ok() {
        assert!(text.len() <= 63 && text.lines().eq([text]));
        assert!(!text.contains(['|', '#', '@', ' ']));
    }
    if Key::new(text).is_ok() {
        assert!((1..=128).contains(&text.len()));
    }
}

/// A whole `users.txt`: an account that counts is written and read back the same.
///
/// # Panics
///
/// If it is not.
pub fn users(data: &[u8]) {
    static FOLDER: LazyLock<tempfile::TempDir> =
        LazyLock::new(|| tempfile::tempdir().expect("there is room for a folder"));
    let list = |name: &str| {
        let editor = UsersEditor::new(FOLDER.path().join(name));
        editor.list().expect("the file can be read").0
    };
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(FOLDER.path().join(name), bytes).expect("the file can be written");
    };
    write("read", data);
    let accounts: Vec<Account> = list("read");
    write("written", b"");
    let editor = UsersEditor::new(FOLDER.path().join("written"));
    // Each write is synced; a few show as much as many.
    let few = &accounts[..accounts.len().min(3)];
    for account in few {
        editor.add(account).expect("what was read can be written");
    }
    assert_eq!(list("written"), few);
}

/// The header that a proxy puts before a connection: it is waited for until it is whole, and what
/// follows it changes nothing.
///
/// # Panics
///
/// If it does.
pub fn proxy(data: &[u8]) {
    let Ok(Some(proxied)) = Proxied::parse(data) else {
        return;
    };
    let (header, _) = data.split_at(proxied.length);
    assert_eq!(Proxied::parse(header), Ok(Some(proxied)));
    for cut in 0..header.len() {
        assert_eq!(Proxied::parse(&header[..cut]), Ok(None), "cut at {cut}");
    }
}

/// A listener's URL: one that is taken is shown as it can be given again.
///
/// # Panics
///
/// If it is not.
pub fn listen(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(listen) = text.parse::<Listen>() {
        assert_eq!(listen.to_string().parse().as_ref(), Ok(&listen));
    }
}

/// The serving side of the framed conversation: cuts do not change what is seen. The first eight
/// bytes say where to cut, the rest is the wire.
///
/// # Panics
///
/// If they do.
pub fn conversation(data: &[u8]) {
    let Some((cuts, wire)) = data.split_first_chunk::<8>() else {
        return;
    };
    assert_eq!(serve(wire, cuts), serve(wire, &[]), "cut at {cuts:?}");
}

/// What is seen of `wire` in pieces of as many bytes as `cuts` say, then whole.
fn serve(wire: &[u8], cuts: &[u8]) -> Vec<String> {
    let mut conversation = FramedServing::new(MAX_HEADER);
    let mut seen: Vec<String> = Vec::new();
    let mut pending: Vec<u8> = Vec::new();
    let mut rest = wire;
    for length in cuts.iter().map(|cut| usize::from(*cut)).chain([wire.len()]) {
        let (piece, later) = rest.split_at(length.min(rest.len()));
        rest = later;
        pending.extend_from_slice(piece);
        let mut input = pending.as_slice();
        if !look(&mut conversation, &mut input, &mut seen) {
            return seen;
        }
        pending = input.to_vec();
    }
    seen
}

/// Notes what is whole in `input`. `false` once the stream is broken.
fn look(conversation: &mut FramedServing, input: &mut &[u8], seen: &mut Vec<String>) -> bool {
    loop {
        match conversation.next(input) {
            Ok(Step::More) => return true,
            Ok(Step::Begin(header)) => {
                let number = |name| header.fields.number(name).ok().flatten();
                conversation.expect(match header.msg_type.as_str() {
                    "msg" => Expect::Frame,
                    _ => number("size").map_or(Expect::Nothing, Expect::Bytes),
                });
                seen.push(format!("{header:?}"));
            }
            // Pieces of one body are glued together again: where they are cut says nothing.
            Ok(Step::Announce(bytes)) => seen.push(format!("{bytes} bytes: ")),
            Ok(Step::Piece(piece)) => {
                let body = seen.last_mut().expect("a body is announced");
                body.extend(piece.iter().map(|byte| format!("{byte:02x}")));
            }
            Ok(Step::End) => seen.push("end".to_owned()),
            Ok(Step::Close) => seen.push("close".to_owned()),
            Ok(step @ (Step::Amend(_) | Step::LastWords)) => panic!("{step:?} is not framed"),
            Err(refusal) => {
                seen.push(refusal.to_string());
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Runs a target over its corpus.
    #[track_caller]
    fn run(name: &str, target: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let mut count = 0;
        for entry in fs::read_dir(folder).expect("every target has a corpus") {
            target(&fs::read(entry.expect("it can be listed").path()).expect("it can be read"));
            count += 1;
        }
        assert!(count > 0, "the corpus of {name} is empty");
    }

    #[test]
    fn the_corpora_pass() {
        run("wire", wire);
        run("incoming", incoming);
        run("names", names);
        run("users", users);
        run("conversation", conversation);
        run("classic", classic);
        run("proxy", proxy);
        run("listen", listen);
    }
}

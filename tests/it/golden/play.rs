//! Plays a conversation over a real socket against a server of its own, in one of several manners
//! of cutting what is sent. Whatever the manner, the answers are the same.

use super::form::{Conversation, Event, Setup};
use crate::support::{Peer, Served, limits, write_accounts};
use gatepost::config::Limits;

/// How what is sent reaches the socket.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Manner {
    /// Cut where the conversation says so.
    AsWritten,
    /// Everything up to the next expectation in one piece.
    Glued,
    /// Each byte by itself.
    ByteByByte,
}

/// Every manner.
pub(crate) const MANNERS: [Manner; 3] = [Manner::AsWritten, Manner::Glued, Manner::ByteByByte];

/// A server such as the conversation asks for.
#[track_caller]
fn serve(setup: &Setup) -> Served {
    let home = tempfile::tempdir().unwrap();
    write_accounts(home.path(), &setup.accounts);
    let users = home.path().join("users.txt");
    let mut file = std::fs::read_to_string(&users).unwrap();
    for admin in &setup.admins {
        // The last line of a name counts.
        let line = file
            .lines()
            .find(|line| line.starts_with(&format!("{admin}|")));
        let line = line.expect("an admin is an account").to_owned();
        file.push_str(&format!("{line}|admin\n"));
    }
    std::fs::write(users, file).unwrap();
    Served::at(home, |config| {
        if let Some(login) = &setup.login {
            let url = format!("framed://127.0.0.1:0?login={login}");
            config.listen = vec![url.parse().expect("the conversation's login is one")];
        }
        config.limits = Limits {
            workers: config.limits.workers,
            ..limits(&setup.limits)
        };
    })
}

/// Plays `conversation`.
///
/// # Errors
///
/// The line at which it goes another way, and how.
pub(crate) fn play(conversation: &Conversation, manner: Manner) -> Result<(), String> {
    let served = serve(&conversation.setup);
    let mut peer = served.peer();
    let mut unsent = Vec::new();
    for step in &conversation.steps {
        let result = match &step.event {
            Event::Send { bytes, .. } => {
                unsent.extend_from_slice(bytes);
                Ok(())
            }
            Event::Cut if matches!(manner, Manner::AsWritten) => {
                flush(&mut peer, &mut unsent, manner);
                Ok(())
            }
            Event::Cut => Ok(()),
            // Over a socket time passes by itself, while the next line is waited for.
            Event::Pass(_) => {
                flush(&mut peer, &mut unsent, manner);
                Ok(())
            }
            Event::SendEof => {
                flush(&mut peer, &mut unsent, manner);
                peer.end();
                Ok(())
            }
            expected => {
                flush(&mut peer, &mut unsent, manner);
                meet(&mut peer, expected)
            }
        };
        result.map_err(|error| format!("line {}: {error}", step.line))?;
    }
    Ok(())
}

/// Sends what is unsent. A server that has hung up is told by what it said, not by the socket.
fn flush(peer: &mut Peer, unsent: &mut Vec<u8>, manner: Manner) {
    let size = match manner {
        Manner::ByteByByte => 1,
        Manner::AsWritten | Manner::Glued => unsent.len().max(1),
    };
    for piece in unsent.chunks(size) {
        let _ = peer.try_raw(piece);
    }
    unsent.clear();
}

/// Reads what the server says next and compares it with what is expected.
fn meet(peer: &mut Peer, expected: &Event) -> Result<(), String> {
    let frame = peer.try_next().map_err(|error| error.to_string())?;
    said_as_expected(expected, frame.as_deref())
}

/// Whether `frame`, `None` at the end, is what was `expected`.
///
/// # Errors
///
/// How it is not.
pub(super) fn said_as_expected(expected: &Event, frame: Option<&[u8]>) -> Result<(), String> {
    let said = frame.map(String::from_utf8_lossy);
    match (expected, frame) {
        (Event::Eof, None) | (Event::Text(None), Some(_)) => Ok(()),
        (Event::Text(Some(text)), Some(frame)) if text.as_bytes() == frame => Ok(()),
        (Event::Header(pattern), Some(frame)) => serde_json::from_slice(frame)
            .map_err(|error| format!("{said:?}: {error}"))
            .and_then(|value| pattern.check(&value)),
        _ => Err(format!("expected {expected:?}, got {said:?}")),
    }
}

//! Handing in a file to `upload://`, which never answers: that the server took everything shows
//! only in how it closes.

use crate::client::stream::Stream;
use crate::client::upload::{held_back, shrunk};
use crate::client::{Address, Error, Phase, Progress};
use crate::conversation::upload::{PAUSE, UploadTalking};
use crate::wire::FileName;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

/// Bytes read from the file at once.
const PIECE: usize = 256 * 1024;

/// Sends a file under `name` and waits for the server to close. `size` is what `reader` holds, in
/// bytes; what it holds beyond that is not sent.
///
/// # Errors
///
/// [`Error::Unreadable`] if `reader` fails or ends before `size` bytes; [`Error::Io`] if the server
/// closed before it had read everything; [`Error::Nonsense`] if it said something;
/// [`Error::TimedOut`] if it took nothing, or did not close, for `timeout`.
pub fn upload(
    address: &Address,
    name: &FileName,
    mut reader: impl Read,
    size: u64,
    timeout: Duration,
    mut progress: impl FnMut(Progress),
) -> Result<(), Error> {
    let mut stream = address.connect(timeout)?;
    stream.socket().set_nodelay(true)?;
    stream.socket().set_read_timeout(Some(timeout))?;
    stream.socket().set_write_timeout(Some(timeout))?;
    let late = |error: io::Error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::TimedOut(timeout),
        _ => error.into(),
    };
    let mut talking = UploadTalking::new(name, size);
    (&mut stream).write_all(talking.prefix()).map_err(late)?;
    std::thread::sleep(PAUSE);
    let mut piece = vec![0; PIECE];
    let mut confirmed = 0;
    while talking.left() > 0 {
        let length = talking.advance(PIECE);
        reader.read_exact(&mut piece[..length]).map_err(shrunk)?;
        (&mut stream).write_all(&piece[..length]).map_err(late)?;
        let handed = size - talking.left();
        confirmed = handed
            .saturating_sub(held_back(stream.socket()))
            .max(confirmed);
        progress(Progress {
            phase: Phase::Sending,
            confirmed,
            size,
        });
    }
    // The last phase there is: nobody says that the file is safe.
    progress(Progress {
        phase: Phase::Waiting,
        confirmed,
        size,
    });
    match stream.shut_down_writing() {
        // The server has gone already; reading tells how.
        Err(error) if error.kind() == ErrorKind::NotConnected => {}
        result => result?,
    }
    wait_for_end(&mut stream, late)
}

/// Waits for the server to close, which has nothing to say.
fn wait_for_end(
    mut stream: &mut Stream,
    late: impl Fn(io::Error) -> Error + Copy,
) -> Result<(), Error> {
    let mut said = [0; 128];
    loop {
        match stream.read(&mut said) {
            Ok(0) => return Ok(()),
            Ok(bytes) => {
                let said = String::from_utf8_lossy(&said[..bytes]);
                return Err(Error::Nonsense(format!(
                    "{said:?}, where there is nothing to say"
                )));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(late(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fake::{PATIENCE, serve};

    fn send(address: &str, bytes: &[u8], size: u64) -> (Result<(), Error>, Vec<Progress>) {
        let name = FileName::new("a-1.txt").unwrap();
        let mut told = Vec::new();
        let address = address.parse().unwrap();
        let sent = upload(&address, &name, bytes, size, PATIENCE, |progress| {
            told.push(progress);
        });
        (sent, told)
    }

    #[test]
    fn a_file_is_its_prefix_and_its_bytes() {
        let bytes: Vec<u8> = (0..=255).cycle().take(PIECE + 1).collect();
        for bytes in [&bytes[..], b"1", b""] {
            let (address, served) = serve(|peer| peer.rest());
            let (sent, told) = send(&address, bytes, bytes.len() as u64);
            sent.unwrap();
            let prefix = format!("a-1.txt-{}", bytes.len()).into_bytes();
            assert!(served.join().unwrap() == [&prefix, bytes].concat());
            assert!(told.is_sorted_by_key(|progress| progress.confirmed));
            let last = told.last().unwrap();
            assert_eq!(
                (last.phase, last.size),
                (Phase::Waiting, bytes.len() as u64)
            );
        }
    }

    #[test]
    fn a_file_that_shrank_is_broken_off() {
        let (address, served) = serve(|peer| peer.rest());
        let (sent, _) = send(&address, b"abc", 4);
        assert!(matches!(sent, Err(Error::Unreadable(_))), "{sent:?}");
        assert_eq!(served.join().unwrap(), b"a-1.txt-4");
    }

    #[test]
    fn a_server_that_talks_back_is_another() {
        let (address, served) = serve(|peer| {
            peer.write(b"220 hello\r\n");
            // A close with bytes unread would be a reset, which might overtake the words.
            peer.rest();
        });
        let (sent, _) = send(&address, b"", 0);
        let Err(Error::Nonsense(what)) = sent else {
            panic!("{sent:?}");
        };
        assert_eq!(what, r#""220 hello\r\n", where there is nothing to say"#);
        served.join().unwrap();
    }
}

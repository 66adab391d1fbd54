//! Sending a file until its receipt is here: the digest first, then the bytes, and again from where
//! the server's durable bytes end whenever the connection broke.

use super::courier::{Courier, News, Tries};
use super::digester::Digester;
use super::pace::Pace;
use crate::client::{Error, FilePost, Progress, Stop, Stored};
use crate::wire::{Algorithm, Code, Digest, WantedDigest};
use std::io::{self, ErrorKind, Read};

/// What a file is read from.
pub trait Source: Send {
    /// How many bytes it has.
    fn size(&self) -> u64;

    /// Reads some of the bytes from `offset` on; 0 at the end.
    ///
    /// # Errors
    ///
    /// The system's.
    fn read_at(&mut self, piece: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes sure that it is still what it was when its size was taken.
    ///
    /// # Errors
    ///
    /// That it changed, or the system's.
    fn check(&mut self) -> io::Result<()>;
}

impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&mut self, mut piece: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.get(offset..).unwrap_or_default();
        io::Write::write(&mut piece, rest)
    }

    fn check(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file to be sent with a digest, so that it can be resumed and is verified.
#[derive(Debug, Clone)]
pub struct Sending {
    /// How it is posted; its digest is set here.
    pub post: FilePost,
    /// How its digest is computed.
    pub algorithm: Algorithm,
    /// The digest, if it was computed before.
    pub digest: Option<Digest>,
    /// Whether it goes on where an earlier try broke off, perhaps another program's.
    pub resume: bool,
}

/// Files from this size on, in bytes, are asked for before they are sent: what an earlier try left
/// of a smaller one is sent anew sooner than asked for.
const ASK_FROM: u64 = 1024 * 1024;

/// How often the server may say that it goes on elsewhere, without anything having moved.
const MOST_CONFLICTS: u32 = 3;

/// Bytes that are hashed at once.
const PIECE: usize = 256 * 1024;

/// The digest of all that `source` has.
///
/// # Errors
///
/// [`Error::Unreadable`], also if it changes meanwhile; [`Error::Stopped`].
pub fn digest_of(
    source: &mut dyn Source,
    algorithm: Algorithm,
    stop: &Stop,
    news: &mut dyn FnMut(News<'_>),
) -> Result<Digest, Error> {
    let mut digester = Digester::new(algorithm);
    let (size, mut hashed) = (source.size(), 0);
    let most = usize::try_from(size).unwrap_or(PIECE).min(PIECE);
    let mut piece = vec![0; most];
    while hashed < size {
        stop.check()?;
        let most = usize::try_from(size - hashed).map_or(piece.len(), |left| left.min(piece.len()));
        match source.read_at(&mut piece[..most], hashed) {
            Ok(0) => return Err(changed("became shorter")),
            Ok(bytes) => {
                digester.update(&piece[..bytes]);
                hashed += bytes as u64;
                news(News::Hashed(hashed));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Unreadable(error)),
        }
    }
    source.check().map_err(Error::Unreadable)?;
    Ok(digester.finish())
}

fn changed(how: &str) -> Error {
    Error::Unreadable(io::Error::other(format!(
        "the file {how} while it was sent"
    )))
}

/// How far a sending is over all its tries.
struct Way<'a> {
    post: FilePost,
    digest: Digest,
    size: u64,
    /// Whether the server is asked where to go on before the next try.
    ask: bool,
    /// Where to go on, if the server has said so.
    told: Option<u64>,
    /// Where the last try began.
    began_at: u64,
    /// The most that was ever confirmed.
    furthest: u64,
    conflicts: u32,
    tries: Tries,
    news: &'a mut dyn FnMut(News<'_>),
}

impl Courier<'_> {
    /// Sends `sending`, whose bytes `source` has, until it is stored: tries again and goes on by
    /// itself when the connection breaks or the server says later.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] if the source fails or changes meanwhile, after which nothing of it is
    /// published; [`Error::Stopped`]; what the server refuses for good; and the last failure once
    /// patience is over. Except after a refusal, what the server has of it can be resumed.
    pub fn send(
        &mut self,
        sending: &Sending,
        source: &mut dyn Source,
        news: &mut dyn FnMut(News<'_>),
    ) -> Result<Stored, Error> {
        let digest = match sending.digest {
            Some(digest) => digest,
            None => digest_of(source, sending.algorithm, &self.terms.stop, news)?,
        };
        let size = source.size();
        let mut way = Way {
            post: FilePost {
                digest: Some(WantedDigest::Verify(digest)),
                ..sending.post.clone()
            },
            digest,
            size,
            ask: sending.resume && size >= ASK_FROM,
            told: None,
            began_at: 0,
            furthest: 0,
            conflicts: 0,
            tries: Tries::new(&self.terms),
            news,
        };
        loop {
            match self.try_to_send(&mut way, source) {
                Ok(stored) => return way.check(stored),
                Err(Error::Refused(refused)) if refused.code == Some(Code::Conflict) => {
                    let offset = refused.fields.number("offset").ok().flatten();
                    way.after_conflict(offset, Error::Refused(refused))?;
                }
                Err(Error::Refused(refused)) if refused.code == Some(Code::DigestMismatch) => {
                    source.check().map_err(Error::Unreadable)?;
                    way.after_mismatch(Error::Refused(refused))?;
                }
                Err(error) => {
                    self.wait(error, &mut way.tries, way.news)?;
                    (way.ask, way.told) = (true, None);
                }
            }
        }
    }

    fn try_to_send(&mut self, way: &mut Way<'_>, source: &mut dyn Source) -> Result<Stored, Error> {
        let terms = self.terms.clone();
        let client = self.client()?;
        let offset = match way.told.take() {
            Some(offset) => offset,
            None if way.ask => client.held(&way.post.name, way.size, &way.digest)?.offset,
            None => 0,
        };
        way.began_at = offset;
        if offset > 0 {
            (way.news)(News::Resumed(offset));
        }
        let mut reader = Reader {
            source,
            offset,
            pace: terms.pace.as_deref(),
            stop: &terms.stop,
        };
        let Way {
            post,
            size,
            furthest,
            tries,
            conflicts,
            news,
            ..
        } = way;
        let mut progress = |progress: Progress| {
            if progress.confirmed > *furthest {
                *furthest = progress.confirmed;
                *conflicts = 0;
                tries.moved();
            }
            news(News::Sent(progress));
        };
        client
            .post_file(post, &mut reader, *size, offset, &mut progress)
            .map_err(|error| stopped(error, &terms.stop))
    }
}

/// A reader that is stopped can only say that it failed.
fn stopped(error: Error, stop: &Stop) -> Error {
    match error {
        Error::Unreadable(_) if stop.is_asked() => Error::Stopped,
        error => error,
    }
}

impl Way<'_> {
    /// The server goes on elsewhere than where this try began, or lets somebody else go on.
    fn after_conflict(&mut self, offset: Option<u64>, error: Error) -> Result<(), Error> {
        self.conflicts += 1;
        if self.conflicts > MOST_CONFLICTS {
            return Err(error);
        }
        self.told = offset.filter(|offset| *offset <= self.size);
        self.ask = true;
        Ok(())
    }

    /// What the server has is not the file, which is as it was: an earlier try may have left it.
    fn after_mismatch(&mut self, error: Error) -> Result<(), Error> {
        if self.began_at == 0 {
            return Err(error);
        }
        (self.news)(News::StartedOver);
        self.told = Some(0);
        Ok(())
    }

    /// Holds the receipt against what was sent.
    fn check(&self, stored: Stored) -> Result<Stored, Error> {
        if stored.size == self.size && stored.digest == Some(self.digest) {
            return Ok(stored);
        }
        let other = "a receipt of another size or digest than the file's";
        Err(Error::Nonsense(other.to_owned()))
    }
}

/// Reads a source at a pace, and notices when it changes.
struct Reader<'a> {
    source: &'a mut dyn Source,
    offset: u64,
    pace: Option<&'a Pace>,
    stop: &'a Stop,
}

impl Read for Reader<'_> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let stop = |error: Error| io::Error::other(error);
        self.stop.check().map_err(stop)?;
        let most = match self.pace {
            Some(pace) => pace.admit(piece.len(), self.stop).map_err(stop)?,
            None => piece.len(),
        };
        let bytes = self.source.read_at(&mut piece[..most], self.offset)?;
        // After the bytes are here: a change that comes later is not in them.
        self.source.check()?;
        self.offset += bytes as u64;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;

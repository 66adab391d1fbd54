//! Fetching a file until all of it is here and its digest is checked: again from where the bytes
//! that are kept end, whenever the connection broke.

use super::courier::{Courier, News, Tries};
use super::digester::Digester;
use super::download::{Offered, Taker};
use crate::client::{Client, Error, Terms};
use crate::wire::{Algorithm, Code, Digest, FileName};
use std::io::{self, ErrorKind};

/// Where the bytes of a file are kept until it is whole.
pub trait Landing: Send {
    /// How many are kept, from the first on; those of an earlier try among them.
    fn kept(&self) -> u64;

    /// Keeps the next ones.
    ///
    /// # Errors
    ///
    /// The system's.
    fn append(&mut self, piece: &[u8]) -> io::Result<()>;

    /// Reads back some of those from `offset` on.
    ///
    /// # Errors
    ///
    /// The system's, or that what is here can't be read back.
    fn read_at(&mut self, piece: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Forgets all of them.
    ///
    /// # Errors
    ///
    /// The system's, or that what is here can't be taken back.
    fn start_over(&mut self) -> io::Result<()>;
}

/// A file that is here whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, which what came was held against; `None` where the server has none, so that
    /// nothing could be verified.
    pub digest: Option<Digest>,
}

/// How often it is started over because what is kept is not the server's file.
const MOST_RESTARTS: u32 = 2;

/// Bytes that are read back at once.
const PIECE: usize = 256 * 1024;

/// A file on its way here.
struct Way<'a> {
    name: &'a FileName,
    landing: &'a mut dyn Landing,
    terms: Terms,
    /// The digest of the file whose bytes are kept, as far as it is known.
    known: Option<Digest>,
    /// Has hashed the first so many of the kept bytes.
    hashed: (Digester, u64),
    restarts: u32,
    tries: Tries,
    size: u64,
    news: &'a mut dyn FnMut(News<'_>),
}

impl Courier<'_> {
    /// Fetches the file called `name` into `landing`: goes on from what is kept there already, tries
    /// again by itself when the connection breaks or the server says later, and holds the whole
    /// against the server's digest.
    ///
    /// # Errors
    ///
    /// [`Error::Unwritable`] if the landing fails; [`Error::Stopped`]; [`Error::Nonsense`] if what
    /// came has another digest than the server said, after which nothing of it is kept; what the
    /// server refuses for good; and the last failure once patience is over. What is kept can be
    /// gone on with.
    pub fn fetch(
        &mut self,
        name: &FileName,
        landing: &mut dyn Landing,
        news: &mut dyn FnMut(News<'_>),
    ) -> Result<Fetched, Error> {
        let mut way = Way {
            name,
            landing,
            terms: self.terms.clone(),
            known: None,
            hashed: (Digester::new(Algorithm::Blake3), 0),
            restarts: 0,
            tries: Tries::new(&self.terms),
            size: 0,
            news,
        };
        loop {
            let tried = self.client().and_then(|client| way.fetch(client));
            match tried {
                Ok(Some(fetched)) => return Ok(fetched),
                Ok(None) => {
                    let other = "bytes that have another digest than it says".to_owned();
                    way.start_over(Error::Nonsense(other))?;
                }
                Err(Error::Refused(refused)) if refused.code == Some(Code::Conflict) => {
                    way.start_over(Error::Refused(refused))?;
                }
                Err(error) => self.wait(error, &mut way.tries, way.news)?,
            }
        }
    }
}

impl Way<'_> {
    /// One try; `None` if all came and is not what the server says it is.
    fn fetch(&mut self, client: &mut Client) -> Result<Option<Fetched>, Error> {
        self.prepare(client)?;
        let kept = self.landing.kept();
        let digest = self.known.filter(|_| kept > 0);
        if kept > 0 {
            (self.news)(News::Resumed(kept));
        }
        let offered = client.get(self.name, kept, digest.as_ref(), self)?;
        if self.known.is_none() {
            // What was placed by hand has its digest a while later.
            let listed = client.look_up(self.name)?;
            let same = listed.filter(|listed| listed.size == offered.size);
            self.known = same.and_then(|listed| listed.digest);
        }
        let Some(known) = self.known else {
            let (size, digest) = (offered.size, None);
            return Ok(Some(Fetched { size, digest }));
        };
        self.hash(known.algorithm)?;
        let is_it = self.hashed.0.clone().finish() == known;
        Ok(is_it.then_some(Fetched {
            size: offered.size,
            digest: Some(known),
        }))
    }

    /// Finds out whether what is kept can be gone on with, and hashes it.
    fn prepare(&mut self, client: &mut Client) -> Result<(), Error> {
        let kept = self.landing.kept();
        if kept == 0 {
            return Ok(());
        }
        if self.known.is_none() {
            // Only a digest tells whether the file is still the one of which this is a part.
            let listed = client.look_up(self.name)?;
            let longer = listed.filter(|listed| listed.size >= kept);
            self.known = longer.and_then(|listed| listed.digest);
        }
        match self.known {
            Some(known) => self.hash(known.algorithm),
            None => self.forget(),
        }
    }

    /// Hashes what of the kept bytes is not hashed yet, or not so.
    fn hash(&mut self, algorithm: Algorithm) -> Result<(), Error> {
        if self.hashed.0.algorithm() != algorithm {
            self.hashed = (Digester::new(algorithm), 0);
        }
        let kept = self.landing.kept();
        let mut piece = Vec::new();
        while self.hashed.1 < kept {
            self.terms.stop.check()?;
            piece.resize(PIECE, 0);
            let left = usize::try_from(kept - self.hashed.1).unwrap_or(PIECE);
            let most = left.min(PIECE);
            match self.landing.read_at(&mut piece[..most], self.hashed.1) {
                Ok(0) => {
                    let shorter = io::Error::other("what was kept became shorter");
                    return Err(Error::Unwritable(shorter));
                }
                Ok(bytes) => {
                    self.hashed.0.update(&piece[..bytes]);
                    self.hashed.1 += bytes as u64;
                    (self.news)(News::Hashed(self.hashed.1));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Unwritable(error)),
            }
        }
        Ok(())
    }

    /// Starts over after `error`, which is given back if that was done before or can't be.
    fn start_over(&mut self, error: Error) -> Result<(), Error> {
        self.restarts += 1;
        let forgotten = self.forget();
        if self.restarts > MOST_RESTARTS || forgotten.is_err() {
            return Err(error);
        }
        (self.news)(News::StartedOver);
        Ok(())
    }

    fn forget(&mut self) -> Result<(), Error> {
        self.known = None;
        self.hashed = (Digester::new(Algorithm::Blake3), 0);
        self.landing.start_over().map_err(Error::Unwritable)
    }
}

impl Taker for Way<'_> {
    fn begin(&mut self, offered: &Offered) -> Result<(), Error> {
        self.size = offered.size;
        if self.landing.kept() == 0 {
            self.known = offered.digest;
            // Where the server has none yet, most likely it will be of this kind.
            let algorithm = offered.digest.map_or(Algorithm::Blake3, |it| it.algorithm);
            self.hashed = (Digester::new(algorithm), 0);
        } else if offered.digest.is_some_and(|it| Some(it) != self.known) {
            let other = "another file than the one that was asked for".to_owned();
            return Err(Error::Nonsense(other));
        }
        Ok(())
    }

    fn take(&mut self, mut piece: &[u8]) -> Result<(), Error> {
        while !piece.is_empty() {
            self.terms.stop.check()?;
            let bytes = match &self.terms.pace {
                Some(pace) => pace.admit(piece.len(), &self.terms.stop)?,
                None => piece.len(),
            };
            let (now, later) = piece.split_at(bytes);
            self.landing.append(now).map_err(Error::Unwritable)?;
            self.hashed.0.update(now);
            self.hashed.1 += bytes as u64;
            piece = later;
            self.tries.moved();
            let (bytes, size) = (self.landing.kept(), self.size);
            (self.news)(News::Kept { bytes, size });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

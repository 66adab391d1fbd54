//! Fetching a file, or the rest of one, over one connection, without holding it. Going on after the
//! connection broke is left to [`super::courier`].

use crate::client::{Client, Error, Reply};
use crate::wire::{Digest, Fields, FileName, Header};

/// What the server says of a file before its bytes come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its size in bytes, the whole of it.
    pub size: u64,
    /// Its digest, if the server has one.
    pub digest: Option<Digest>,
}

/// What takes in a file that comes.
pub trait Taker {
    /// The file begins, or goes on where it was asked to.
    ///
    /// # Errors
    ///
    /// If it can't be kept, or is not what was expected.
    fn begin(&mut self, offered: &Offered) -> Result<(), Error>;

    /// The next bytes.
    ///
    /// # Errors
    ///
    /// If they can't be kept.
    fn take(&mut self, piece: &[u8]) -> Result<(), Error>;
}

impl Client {
    /// Fetches the file called `name` from `offset` on. With a `digest` only the file that has it.
    ///
    /// # Errors
    ///
    /// See [`Error`]: refused as `not_found`, or as `conflict` if another file is there now. What
    /// `taker` fails with ends the connection.
    pub fn get(
        &mut self,
        name: &FileName,
        offset: u64,
        digest: Option<&Digest>,
        taker: &mut dyn Taker,
    ) -> Result<Offered, Error> {
        let mut header = Header::new("get").with("file_name", name.as_str());
        if offset > 0 {
            header = header.with("offset", offset);
        }
        if let Some(digest) = digest {
            header = header.with("digest", digest.to_string());
        }
        let id = self.next(|header, out| header.write(out), header)?;
        self.connection.ledger().stream(id);
        let got = self.take_in(id, offset, taker);
        if !matches!(got, Ok(_) | Err(Error::Refused(_))) {
            // The rest of the body would be taken for what comes next.
            self.connection.give_up();
        }
        got
    }

    fn take_in(&mut self, id: u64, offset: u64, taker: &mut dyn Taker) -> Result<Offered, Error> {
        self.connection.flush()?;
        let (mut begun, mut buffer) = (None, Vec::new());
        while !self.connection.ledger().is_answered(id) {
            if let Some((fields, body, piece)) = self.connection.ledger().coming() {
                buffer.clear();
                std::mem::swap(piece, &mut buffer);
                if begun.is_none() {
                    let fields = fields.clone();
                    begun = Some(begin(fields, body, offset, taker)?);
                }
                taker.take(&buffer)?;
            }
            self.connection.read_some()?;
        }
        // Short files have come whole before anybody looked.
        let reply = self.wait_for(id)?;
        let offered = match begun {
            Some(offered) => offered,
            None => begin(reply.fields, reply.body.len() as u64, offset, taker)?,
        };
        taker.take(&reply.body)?;
        Ok(offered)
    }
}

/// Reads the header of a file that comes from `offset` on with `body` bytes.
fn begin(fields: Fields, body: u64, offset: u64, taker: &mut dyn Taker) -> Result<Offered, Error> {
    let reply = Reply {
        fields,
        body: Vec::new(),
    };
    let size = reply.number("size")?;
    let size = size.filter(|size| size.checked_sub(offset) == Some(body));
    let size = size.ok_or_else(|| {
        Error::Nonsense(format!(
            "{body} bytes of a file from {offset} on, which are not all of it"
        ))
    })?;
    let digest = reply.digest()?;
    let offered = Offered { size, digest };
    taker.begin(&offered)?;
    Ok(offered)
}

//! What happens to `messages.log` at a start: it is created, or read and made durable, and what a
//! crash left behind its last good line is moved aside.

use super::disk::{FileDisk, NAME};
use super::record::{self, Opening};
use super::scan::{self, Scan};
use crate::store::StoreError;
use crate::store::directory::{Access, Directory};
use crate::store::ledger::Ledger;
use crate::time::Random;
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

/// Random bytes in a store's id.
const ID_BYTES: usize = 16;

/// A new file is written under this name first, so that its header is never torn.
const UNFINISHED: &str = "messages.log.new";

/// A file that is ready to be written to.
pub(super) struct Opened {
    /// The store's id.
    pub(super) id: String,
    /// What was damaged, a sentence each.
    pub(super) notes: Vec<String>,
    /// The file.
    pub(super) disk: FileDisk,
    /// The counters.
    pub(super) ledger: Ledger,
    /// Where the next line goes.
    pub(super) good: u64,
    /// Whether something that isn't a whole line had to stay right before that place.
    pub(super) torn: bool,
}

/// Opens or creates the file in the folder `home`.
pub(super) fn open(home: &Path, random: &Random) -> Result<Opened, StoreError> {
    let home = Directory::open(home)?;
    let mut notes = Vec::new();
    if let Some(file) = home.open_file(NAME)? {
        let (opening, scan) = scan::scan(BufReader::with_capacity(1 << 18, &file))?;
        match opening {
            Opening::Store(id) => return resume(home, file, id, scan),
            Opening::Newer(version) => {
                return Err(StoreError::Io(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("{NAME} has format {version}, which this version does not know"),
                )));
            }
            Opening::Unreadable if file.metadata()?.len() == 0 => home.remove(NAME)?,
            Opening::Unreadable => {
                let aside = set_aside(&home)?;
                notes.push(format!(
                    "its first line can't be read: the whole file is now {aside} and a new one begun"
                ));
            }
        }
    }
    create(home, random, notes)
}

fn create(home: Directory, random: &Random, notes: Vec<String>) -> Result<Opened, StoreError> {
    let id = random.hex(ID_BYTES);
    let header = record::header(&id);
    if home.holds(UNFINISHED)? {
        home.remove(UNFINISHED)?;
    }
    let mut file = home.create(UNFINISHED, Access::Private)?;
    file.write_all(&header)?;
    file.sync_all()?;
    home.rename(UNFINISHED, &home, NAME)?;
    home.sync()?;
    Ok(Opened {
        id,
        notes,
        disk: FileDisk::new(home, file),
        ledger: Ledger::default(),
        good: header.len() as u64,
        torn: false,
    })
}

fn resume(home: Directory, mut file: File, id: String, scan: Scan) -> Result<Opened, StoreError> {
    let Scan {
        ledger,
        mut good,
        end,
        mut notes,
    } = scan;
    let mut torn = false;
    if end > good {
        let bytes = end - good;
        match move_tail(&home, &mut file, good) {
            Ok(aside) => notes.push(format!(
                "{bytes} bytes from byte {good} on are no whole message: moved to {aside}"
            )),
            Err(error) => {
                // A full disk must not keep the daemon down: the tail becomes a bad line in the
                // middle, which the next start skips.
                notes.push(format!(
                    "{bytes} bytes from byte {good} on are no whole message and can't be moved \
                     aside ({error}): left there"
                ));
                (good, torn) = (end, true);
            }
        }
    }
    // A crash of the daemon alone leaves lines in the page cache that were never synced. Their
    // senders may resend them and get a receipt, so they are made durable before anything is told.
    file.sync_data()?;
    home.sync()?;
    Ok(Opened {
        id,
        notes,
        disk: FileDisk::new(home, file),
        ledger,
        good,
        torn,
    })
}

/// Copies what lies behind the byte `good` to a file of its own, makes that durable, and only then
/// cuts it off. Returns the copy's name.
fn move_tail(home: &Directory, file: &mut File, good: u64) -> io::Result<String> {
    let name = free_name(home)?;
    let mut copy = home.create(&name, Access::Private)?;
    let copied = copy_tail(file, good, &mut copy).and_then(|()| home.sync());
    if let Err(error) = copied {
        // Nothing was cut off yet, so the half copy is of no use to anybody.
        let _ = home.remove(&name);
        return Err(error);
    }
    file.set_len(good)?;
    Ok(name)
}

fn copy_tail(file: &mut File, good: u64, copy: &mut File) -> io::Result<()> {
    file.seek(SeekFrom::Start(good))?;
    io::copy(file, copy)?;
    copy.sync_all()
}

/// Renames the whole file. Returns its new name.
fn set_aside(home: &Directory) -> io::Result<String> {
    let name = free_name(home)?;
    home.rename(NAME, home, &name)?;
    Ok(name)
}

fn free_name(home: &Directory) -> io::Result<String> {
    for number in 1u64.. {
        let name = format!("{NAME}.torn-{number}");
        if !home.holds(&name)? {
            return Ok(name);
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

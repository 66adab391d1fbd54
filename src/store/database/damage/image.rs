//! The pages of a database as its file and the log beside it hold them together, good or bad, read
//! without SQLite.

use super::wal::Wal;
use crate::store::database::schema::NAME;
use crate::store::directory::Directory;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// Bytes of a page where the file doesn't say it; ours never have another size.
const PAGE_SIZE: usize = 4_096;

/// Bytes of the header of the first page.
pub(super) const HEADER: usize = 100;

/// How every database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The index of a log has its words within so many bytes.
const INDEX: u64 = 136;

/// A database that is not open.
#[derive(Debug)]
pub(crate) struct Image {
    file: File,
    log: Option<File>,
    pub(super) wal: Wal,
    pub(super) page_size: usize,
    /// How many pages there are, by the larger of what is said and what is there.
    pub(super) pages: u32,
    /// What is wrong, a sentence each.
    findings: Vec<String>,
    /// How many frames of the log are gone; `None` if that is not known.
    pub(super) lost_frames: Option<u32>,
}

impl Image {
    /// Reads what there is in `home`; `None` if there is no database or nothing in it. Must not be
    /// called while one is open: closing a file gives SQLite's locks on it up.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn read(home: &Directory) -> io::Result<Option<Self>> {
        let log = home.open_file(&format!("{NAME}-wal"))?;
        let Some(file) = home.open_file(NAME)? else {
            return Ok(None);
        };
        let length = file.metadata()?.len();
        if length == 0 && log.as_ref().map_or(Ok(0), length_of)? == 0 {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        read_at(&file, &mut header, 0);
        let page_size = page_size(&header);
        let wal = match &log {
            Some(log) => Wal::read(log, page_size.unwrap_or(PAGE_SIZE))?,
            None => Wal::default(),
        };
        let mut index = Vec::new();
        if let Some(file) = home.open_file(&format!("{NAME}-shm"))? {
            file.take(INDEX).read_to_end(&mut index)?;
        }
        let lost_frames = match &log {
            _ if index.is_empty() && wal.found == 0 && !wal.is_broken => Some(0),
            _ => wal.lost(&index),
        };
        let mut image = Self {
            file,
            log,
            wal,
            page_size: page_size.unwrap_or(PAGE_SIZE),
            pages: 0,
            findings: Vec::new(),
            lost_frames,
        };
        image.look(&header, length);
        Ok(Some(image))
    }

    /// What can be seen to be wrong from outside, a sentence each.
    pub(crate) fn findings(&self) -> &[String] {
        &self.findings
    }

    /// Whether nothing that was committed can be missing at the log's end.
    pub(crate) fn is_all_there(&self) -> bool {
        self.lost_frames == Some(0)
    }

    /// How many bytes the database has.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.pages) * self.page_size as u64
    }

    /// Reads page `number`, from 1. What is cut off or can't be read is zero.
    pub(super) fn page(&self, number: u32, page: &mut Vec<u8>) {
        page.clear();
        page.resize(self.page_size, 0);
        match (&self.log, self.wal.pages.get(&number)) {
            (Some(log), Some(offset)) => read_at(log, page, *offset),
            _ => {
                let before = u64::from(number.saturating_sub(1));
                read_at(&self.file, page, before * self.page_size as u64);
            }
        }
    }

    fn look(&mut self, header: &[u8; HEADER], length: u64) {
        let page_size = self.page_size as u64;
        let present = u32::try_from(length.div_ceil(page_size)).unwrap_or(u32::MAX);
        let whole = u32::try_from(length / page_size).unwrap_or(u32::MAX);
        if length == 0 {
            self.findings
                .push("it is empty, though it has a log".to_owned());
        }
        let has_first = self.wal.pages.contains_key(&1);
        if !has_first && (!header.starts_with(MAGIC) || page_size_of(header).is_none()) {
            self.findings.push("its header can't be read".to_owned());
        }
        let mut first = Vec::new();
        self.page(1, &mut first);
        // With another version SQLite would only read it, and see no damage.
        if self.findings.is_empty()
            && !first[18..20]
                .iter()
                .all(|version| (1..=2).contains(version))
        {
            self.findings
                .push("its header names a format that there is not".to_owned());
        }
        // Between the two the file is being made longer, which the log then knows of.
        let said = match self.wal.size {
            Some(size) => size,
            None if header[24..28] == header[92..96] => word(header, 28),
            None => 0,
        };
        let is_missing = |page: &u32| !self.wal.pages.contains_key(page);
        let missing = (whole.saturating_add(1)..=said.min(whole.saturating_add(1 << 24)))
            .filter(is_missing)
            .count();
        if missing > 0 {
            let text = format!("{missing} of its {said} pages are cut off");
            self.findings.push(text);
        }
        if self.wal.is_broken {
            self.findings.push("its log is damaged".to_owned());
        }
        if let Some(lost @ 1..) = self.lost_frames {
            self.findings
                .push(format!("{lost} pages are missing at the end of its log"));
        }
        self.pages = if missing > 0 {
            present
        } else {
            present.max(said)
        };
        let highest = self.wal.pages.keys().copied().max().unwrap_or(0);
        self.pages = self.pages.max(highest);
    }
}

/// Reads as much as there is; the rest stays as it is.
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) {
    while !bytes.is_empty() {
        match file.read_at(bytes, offset) {
            Ok(0) => return,
            Ok(read) => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A bad sector costs what lies in it.
            Err(_) => return,
        }
    }
}

fn length_of(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}

fn page_size(header: &[u8; HEADER]) -> Option<usize> {
    header
        .starts_with(MAGIC)
        .then(|| page_size_of(header))
        .flatten()
}

fn page_size_of(header: &[u8; HEADER]) -> Option<usize> {
    match u16::from_be_bytes([header[16], header[17]]) {
        1 => Some(1 << 16),
        size if size.is_power_of_two() && size >= 512 => Some(usize::from(size)),
        _ => None,
    }
}

/// The big-endian word at byte `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    u32::from_be_bytes(word.copied().unwrap_or_default())
}

//! The write-ahead log as its format says it: which frames are whole, and whether more was there
//! once than SQLite would find.
//!
//! SQLite reads up to the first frame that is not whole and takes that for the end, as after a loss
//! of power it is. Where whole commits follow, or where the index beside the log remembers more, it
//! is damage, and what follows was acknowledged.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};

/// Bytes before the first frame.
const HEADER: usize = 32;

/// Bytes of a frame before its page.
const FRAME_HEADER: usize = 24;

/// The first word of a log whose sums read words as little-endian; one more: big-endian.
const MAGIC: u32 = 0x377f_0682;

/// Bytes of the index's header, of which there are two copies, and of what its sums cover.
const INDEX_HEADER: usize = 48;
const INDEX_SUMMED: usize = 40;

/// Two running sums.
type Sums = [u32; 2];

/// What is in a log.
#[derive(Debug, Default)]
pub(super) struct Wal {
    /// Where the last committed content of a page lies, in bytes.
    pub(super) pages: HashMap<u32, u64>,
    /// How many pages the database has with them, if anything was committed.
    pub(super) size: Option<u32>,
    /// How many frames SQLite finds committed.
    pub(super) found: u32,
    /// Whether whole commits follow behind what SQLite finds.
    pub(super) is_broken: bool,
    /// What all frames of this generation share.
    salt: [u8; 8],
}

/// A frame's own words.
#[derive(Clone, Copy)]
struct Frame {
    page: u32,
    /// Pages in the database after it, if it ends a commit; else 0.
    size: u32,
    salt: [u8; 8],
    sums: Sums,
    /// Where its page lies.
    offset: u64,
}

/// Reading a log from frame to frame.
struct Scan {
    wal: Wal,
    big_endian: bool,
    /// What the last frame says its sums are.
    seed: Sums,
    /// The last frame, if its content and what it says do not fit, and what its sums really are.
    misfit: Option<(Frame, Sums)>,
    /// Frames of this generation so far, and whether all were whole.
    frames: u32,
    is_whole: bool,
    /// Whether the last frame was of this generation.
    is_current: bool,
    /// What is not yet committed.
    open: Vec<(u32, u64)>,
}

impl Wal {
    /// Reads the log in `file` of a database with pages of `page_size` bytes.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn read(file: &File, page_size: usize) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(1 << 20, file);
        let mut header = [0; HEADER];
        if !fill(&mut file, &mut header)? {
            return Ok(Self::default());
        }
        let mut frame = vec![0; FRAME_HEADER + page_size];
        let mut offset = HEADER as u64;
        let mut scan: Option<Scan> = None;
        while fill(&mut file, &mut frame)? {
            let scan = scan.get_or_insert_with(|| Scan::new(&header, page_size, &frame));
            scan.read(&frame, offset + FRAME_HEADER as u64);
            offset += frame.len() as u64;
        }
        Ok(scan.map(|scan| scan.wal).unwrap_or_default())
    }

    /// How many committed frames are gone, as the `index` beside the log remembers them. `None` if
    /// it says nothing of this log; then nobody knows.
    pub(super) fn lost(&self, index: &[u8]) -> Option<u32> {
        let header = index.get(..INDEX_HEADER)?;
        let copy = index.get(INDEX_HEADER..2 * INDEX_HEADER)?;
        let native = |at: usize| {
            let word = header[at..].first_chunk().copied().unwrap_or_default();
            u32::from_ne_bytes(word)
        };
        let stored = [native(INDEX_SUMMED), native(INDEX_SUMMED + 4)];
        let real = sum([0; 2], &header[..INDEX_SUMMED], cfg!(target_endian = "big"));
        if header != copy || real != stored {
            return None;
        }
        let frames = native(16);
        let is_same = self.salt == header[32..40] || self.salt == [0; 8];
        // A log that is to be begun anew has none, whatever still lies in it.
        (is_same || frames == 0).then(|| frames.saturating_sub(self.found))
    }
}

impl Scan {
    /// Begins with the log's header and its first frame, which tells the salt if the header can't.
    fn new(header: &[u8; HEADER], page_size: usize, first: &[u8]) -> Self {
        let magic = word(header, 0);
        let big_endian = magic == MAGIC + 1;
        let stored = [word(header, 24), word(header, 28)];
        let sums = sum([0; 2], &header[..24], big_endian);
        let is_whole = (magic == MAGIC || big_endian)
            && sums == stored
            && word(header, 8) as usize == page_size;
        let mut wal = Wal::default();
        let salt = if is_whole {
            &header[16..24]
        } else {
            &first[8..16]
        };
        wal.salt.copy_from_slice(salt);
        let header = Frame {
            page: 0,
            size: 0,
            salt: wal.salt,
            sums: stored,
            offset: 0,
        };
        Self {
            wal,
            big_endian,
            seed: stored,
            misfit: (sums != stored).then_some((header, sums)),
            frames: 0,
            is_whole,
            is_current: true,
            open: Vec::new(),
        }
    }

    fn read(&mut self, bytes: &[u8], offset: u64) {
        let (header, page) = bytes.split_at(FRAME_HEADER);
        let frame = Frame {
            page: word(header, 0),
            size: word(header, 4),
            salt: *header[8..].first_chunk().unwrap_or(&[0; 8]),
            sums: [word(header, 16), word(header, 20)],
            offset,
        };
        let has_salt = frame.salt == self.wal.salt;
        if !has_salt && !self.is_current {
            // Left over from an earlier generation.
            self.misfit = None;
            self.seed = frame.sums;
            return;
        }
        let big_endian = self.big_endian;
        let from = |seed| sum(sum(seed, &header[..8], big_endian), page, big_endian);
        let real = from(self.seed);
        let fits = real == frame.sums;
        let misfit = self.misfit.take();
        let before = misfit.filter(|(_, sums)| !fits && from(*sums) == frame.sums);
        if let Some((before, _)) = before {
            // Only what it said of itself was wrong.
            self.enter(before);
        }
        self.frames += 1;
        // A salt alone that does not fit is a rotten one, if all else goes on from the last frame.
        let is_good = (fits || before.is_some()) && (has_salt || self.is_current);
        self.is_whole &= fits && has_salt;
        self.is_current = has_salt || is_good;
        self.seed = frame.sums;
        if is_good {
            self.enter(frame);
        } else {
            self.misfit = Some((frame, real));
        }
    }

    /// Takes a good frame in.
    fn enter(&mut self, frame: Frame) {
        if frame.page == 0 {
            return;
        }
        self.open.push((frame.page, frame.offset));
        if frame.size > 0 {
            self.wal.pages.extend(self.open.drain(..));
            self.wal.size = Some(frame.size);
            if self.is_whole {
                self.wal.found = self.frames;
            } else {
                self.wal.is_broken = true;
            }
        }
    }
}

/// Carries the sums on over `bytes`, of which there are eight or more.
fn sum([mut first, mut second]: Sums, bytes: &[u8], big_endian: bool) -> Sums {
    let read = if big_endian {
        u32::from_be_bytes
    } else {
        u32::from_le_bytes
    };
    for pair in bytes.chunks_exact(8) {
        let [a, b, c, d, e, f, g, h] = *pair else {
            continue;
        };
        first = first.wrapping_add(read([a, b, c, d])).wrapping_add(second);
        second = second.wrapping_add(read([e, f, g, h])).wrapping_add(first);
    }
    [first, second]
}

/// The word at byte `at`.
fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes[at..].first_chunk().copied().unwrap_or_default();
    u32::from_be_bytes(word)
}

/// Fills `bytes`. Returns whether there were so many.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rusqlite::Connection;
    use std::io::{Seek, Write};
    use tempfile::TempDir;

    const PAGE: usize = 4096;

    /// A database that is open, with a commit for each of a few rows in its log.
    fn database(rows: i64) -> (TempDir, Connection) {
        let home = tempfile::tempdir().unwrap();
        let connection = Connection::open(home.path().join("d")).unwrap();
        connection
            .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
            .unwrap();
        connection.execute_batch("CREATE TABLE t (n)").unwrap();
        for row in 0..rows {
            connection
                .execute("INSERT INTO t VALUES (?1)", [row])
                .unwrap();
        }
        (home, connection)
    }

    fn bytes(home: &TempDir, name: &str) -> Vec<u8> {
        std::fs::read(home.path().join(name)).unwrap()
    }

    fn read(bytes: &[u8]) -> Wal {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        Wal::read(&file, PAGE).unwrap()
    }

    #[test]
    fn a_whole_log_is_read_as_sqlite_reads_it() {
        let (home, connection) = database(3);
        let (log, index) = (bytes(&home, "d-wal"), bytes(&home, "d-shm"));
        let wal = read(&log);
        let frames = (log.len() - HEADER) / (PAGE + FRAME_HEADER);
        assert_eq!(wal.found as usize, frames);
        assert_eq!(
            (wal.size, wal.is_broken, wal.lost(&index)),
            (Some(2), false, Some(0))
        );
        let last = *wal.pages.get(&2).unwrap() as usize;
        assert_eq!(last + PAGE, log.len());
        drop(connection);
    }

    #[test]
    fn a_log_that_was_begun_anew_ends_where_its_generation_does() {
        let (home, connection) = database(9);
        let restart = "PRAGMA wal_checkpoint(RESTART)";
        connection.query_row(restart, [], |_| Ok(())).unwrap();
        let wal = read(&bytes(&home, "d-wal"));
        assert_eq!(wal.lost(&bytes(&home, "d-shm")), Some(0));
        connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
        let wal = read(&bytes(&home, "d-wal"));
        assert_eq!((wal.found, wal.is_broken), (1, false));
        assert_eq!(wal.lost(&bytes(&home, "d-shm")), Some(0));
    }

    #[test]
    fn a_cut_log_is_known_by_its_index_and_a_torn_one_is_not_broken() {
        let (home, _connection) = database(3);
        let (mut log, index) = (bytes(&home, "d-wal"), bytes(&home, "d-shm"));
        log.truncate(log.len() - 1);
        let wal = read(&log);
        assert_eq!((wal.is_broken, wal.lost(&index)), (false, Some(1)));
        assert_eq!(wal.lost(&[]), None);
        assert_eq!(read(&[]).lost(&index), Some(wal.found + 1));
    }

    #[test]
    fn any_flipped_bit_breaks_it_and_costs_one_page_at_most() {
        let (home, _connection) = database(4);
        let (log, index) = (bytes(&home, "d-wal"), bytes(&home, "d-shm"));
        let whole = read(&log);
        let last = log.len() - FRAME_HEADER - PAGE;
        // All of the headers, and some of the pages.
        let is_looked_at =
            |byte: &usize| byte.is_multiple_of(97) || (byte + PAGE - 32) % (PAGE + 24) < 24;
        for byte in (0..last).filter(|byte| *byte < HEADER || is_looked_at(byte)) {
            let mut log = log.clone();
            log[byte] ^= 0x10;
            let wal = read(&log);
            assert!(wal.is_broken, "byte {byte}");
            assert_eq!(
                (wal.size, wal.pages.get(&2)),
                (whole.size, whole.pages.get(&2)),
                "byte {byte}"
            );
        }
        for byte in [last, last + 4, last + 20, last + 99] {
            let mut log = log.clone();
            log[byte] ^= 1;
            let wal = read(&log);
            assert_eq!(
                (wal.is_broken, wal.lost(&index)),
                (false, Some(1)),
                "byte {byte}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(junk in proptest::collection::vec(any::<u8>(), 0..9_000)) {
            prop_assert!(read(&junk).pages.len() < 3);
            let _ = Wal::default().lost(&junk);
        }
    }
}

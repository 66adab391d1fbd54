//! A receiver of files that does nothing but what durability asks for: write
//! the bytes, sync the file, rename it, sync the folder, append a record, sync
//! that, answer. A thread for each connection. The wire: the size in eight
//! bytes, little-endian, then the bytes; the answer is one byte.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::report;

/// The answer to a whole file.
pub(crate) const TAKEN: u8 = b'!';

/// Bytes read at once.
const PIECE: usize = 256 << 10;

/// What the connections share.
struct Shelf {
    folder: File,
    path: PathBuf,
    records: Mutex<File>,
    number: AtomicU64,
}

/// Takes each connection on a thread of its own; returns only on an error.
pub(crate) fn on_threads(listener: &TcpListener, home: &Path) -> io::Result<()> {
    let path = home.join("files");
    fs::create_dir_all(&path)?;
    let records = OpenOptions::new()
        .create(true)
        .append(true)
        .open(home.join("records"))?;
    let shelf = Arc::new(Shelf {
        folder: File::open(&path)?,
        path,
        records: Mutex::new(records),
        number: AtomicU64::new(0),
    });
    loop {
        let (stream, _) = listener.accept()?;
        let shelf = Arc::clone(&shelf);
        thread::Builder::new().spawn(move || report(take(stream, &shelf)))?;
    }
}

fn take(mut stream: TcpStream, shelf: &Shelf) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut piece = vec![0; PIECE];
    loop {
        let mut size = [0; 8];
        if let Err(error) = stream.read_exact(&mut size) {
            return if error.kind() == io::ErrorKind::UnexpectedEof {
                Ok(())
            } else {
                Err(error)
            };
        }
        let number = shelf.number.fetch_add(1, Ordering::Relaxed);
        let partial = shelf.path.join(format!(".{number}"));
        let mut file = File::create(&partial)?;
        let mut left = u64::from_le_bytes(size);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let count = stream.read(&mut piece[..most])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.write_all(&piece[..count])?;
            left -= count as u64;
        }
        file.sync_data()?;
        fs::rename(&partial, shelf.path.join(number.to_string()))?;
        shelf.folder.sync_all()?;
        let mut records = shelf
            .records
            .lock()
            .expect("no thread panics while it holds this");
        writeln!(records, "{number}")?;
        records.sync_data()?;
        drop(records);
        stream.write_all(&[TAKEN])?;
    }
}

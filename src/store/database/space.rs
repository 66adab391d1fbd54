//! Whether the disk is full, where SQLite only says that a write or a sync failed: it knows ENOSPC
//! of a write, but neither EDQUOT nor what a sync says.

use crate::store::StoreError;
use crate::store::directory::{Access, Directory};
use std::io::{self, Write};
use std::path::Path;

/// The file that is written to find out.
const PROBE: &str = "gatepost.db.probe";

/// More than any file system keeps inside its inodes.
const BYTES: usize = 64 << 10;

/// Whether a small file can't be kept in `home` for lack of space. Blocks.
pub(super) fn is_lacking(home: &Path) -> bool {
    matches!(
        probe(home).map_err(StoreError::from),
        Err(StoreError::NoSpace)
    )
}

fn probe(home: &Path) -> io::Result<()> {
    let home = Directory::open(home)?;
    if home.holds(PROBE)? {
        home.remove(PROBE)?;
    }
    let mut file = home.create(PROBE, Access::Private)?;
    let written = file.write_all(&[0; BYTES]).and_then(|()| file.sync_all());
    home.remove(PROBE)?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_with_space_does_not_lack_it_and_nothing_is_left_there() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(PROBE), "left by a crash").unwrap();
        assert!(!is_lacking(home.path()));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}

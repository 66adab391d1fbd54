//! Where clients keep what outlives a command: `$XDG_STATE_HOME/gatepost`, or
//! `~/.local/state/gatepost`, for its owner alone. What lies in it is each caller's own.

pub(super) mod servers;
pub(super) mod tokens;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where the folder is, whether or not it is there; `None` without a home.
pub(super) fn folder() -> Option<PathBuf> {
    folder_of(|name| std::env::var_os(name).map(PathBuf::from))
}

fn folder_of(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // The standard says that a path that is not absolute is to be ignored.
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("gatepost"))
}

/// Makes `folder` with what is missing above it, for its owner alone.
///
/// # Errors
///
/// The system's.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Puts `bytes` into `path`, readable by its owner alone, in the place of what was there: whole or
/// not at all. The folder must be there.
///
/// # Errors
///
/// The system's; what was there stays.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Another command may do the same at the same time.
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = write_new(&new, bytes).and_then(|()| fs::rename(&new, path));
    written.inspect_err(|_| {
        // It is of no use to anybody.
        let _ = fs::remove_file(&new);
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_folder_is_the_state_s_or_the_home_s() {
        let with = |state: &'static str, home: &'static str| {
            folder_of(|name| match name {
                "XDG_STATE_HOME" => Some(state).filter(|it| !it.is_empty()).map(PathBuf::from),
                _ => Some(home).filter(|it| !it.is_empty()).map(PathBuf::from),
            })
        };
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(with("/s", "/h"), path("/s/gatepost"));
        assert_eq!(with("s", "/h"), path("/h/.local/state/gatepost"));
        assert_eq!(with("", "/h"), path("/h/.local/state/gatepost"));
        assert_eq!(with("", "h"), None);
    }

    #[test]
    fn what_is_kept_is_for_its_owner_alone_and_replaced_whole() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        make(&folder).unwrap();
        make(&folder).unwrap();
        let file = folder.join("c");
        for bytes in [&b"one"[..], b"two"] {
            replace(&file, bytes).unwrap();
            assert_eq!(fs::read(&file).unwrap(), bytes);
        }
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        fs::create_dir(folder.join("d")).unwrap();
        assert!(replace(&folder.join("d"), b"").is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    }
}

//! A file about to be sent: its name, its bytes and how many they are.

use super::exit::{Exit, Failure};
use rustix::fs::{Mode, OFlags};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

/// A file and the name it asks for.
#[derive(Debug)]
pub(super) struct Parcel<'a> {
    pub(super) path: &'a Path,
    pub(super) name: String,
}

/// The file, and the name it asks for where that is another.
impl fmt::Display for Parcel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)?;
        match self.path.file_name() {
            Some(own) if own == self.name.as_str() => Ok(()),
            _ => write!(f, " as {:?}", self.name),
        }
    }
}

impl<'a> Parcel<'a> {
    /// The file at `path`, standard input for `-`, under `name` or else its own.
    pub(super) fn new(path: &'a Path, name: Option<&str>) -> Result<Self, Failure> {
        let own = || {
            if path == Path::new("-") {
                return Err(Failure::usage(
                    "standard input has no name: give it one with --name",
                ));
            }
            let own = path.file_name().and_then(|name| name.to_str());
            own.map(str::to_owned).ok_or_else(|| {
                Failure::usage(format!(
                    "{} has no name in UTF-8: give it one with --name",
                    path.display()
                ))
            })
        };
        let name = name.map_or_else(own, |name| Ok(name.to_owned()))?;
        Ok(Self { path, name })
    }

    /// What to read, and how many bytes it is. The server is told the size before the bytes: what
    /// has no size of its own, such as a pipe, is copied to a temporary file first.
    pub(super) fn open(&self) -> Result<(File, u64), Failure> {
        if self.path == Path::new("-") {
            return Ok(spool(&mut io::stdin().lock())?);
        }
        let mut file = File::open(self.path)?;
        let kind = file.metadata()?;
        if kind.is_dir() {
            let folder = "is a folder, and only files can be sent";
            return Err(Failure::new(Exit::InputOutput, folder));
        }
        if kind.is_file() {
            return Ok((file, kind.len()));
        }
        Ok(spool(&mut file)?)
    }
}

/// Copies `reader` to a temporary file that has no name and goes with its handle.
fn spool(reader: &mut dyn Read) -> io::Result<(File, u64)> {
    let folder = std::env::temp_dir();
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(&folder, flags, Mode::RUSR | Mode::WUSR);
    let file = file.map_err(|error| {
        let error = io::Error::from(error);
        io::Error::new(
            error.kind(),
            format!("no temporary file in {}: {error}", folder.display()),
        )
    })?;
    let mut file = File::from(file);
    let size = io::copy(reader, &mut file)?;
    file.rewind()?;
    Ok((file, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_is_called_as_its_file_unless_told() {
        let name = |path: &str, name| Parcel::new(Path::new(path), name).map(|parcel| parcel.name);
        assert_eq!(name("/a/b.png", None).unwrap(), "b.png");
        assert_eq!(name("/a/b.png", Some("c")).unwrap(), "c");
        let shown = |name| Parcel::new(Path::new("a/b.png"), name).unwrap().to_string();
        assert_eq!(shown(None), "a/b.png");
        assert_eq!(shown(Some("../x")), "a/b.png as \"../x\"");
        assert_eq!(name("-", Some("c")).unwrap(), "c");
        assert_eq!(name("-", None).unwrap_err().exit, Exit::Usage);
        assert_eq!(name("/", None).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn what_is_read_once_is_measured_first() {
        let (mut file, size) = spool(&mut &b"from a pipe"[..]).unwrap();
        let mut read = String::new();
        file.read_to_string(&mut read).unwrap();
        assert_eq!((read.as_str(), size), ("from a pipe", 11));
        assert_eq!(
            Parcel::new(Path::new("/"), Some("x"))
                .unwrap()
                .open()
                .unwrap_err()
                .exit,
            Exit::InputOutput
        );
    }
}

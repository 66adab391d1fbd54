//! A file about to be sent: its name, its bytes and how many they are.

use super::exit::{Exit, Failure};
use crate::client::{Source, Stop};
use crate::wire::FileName;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file and the name it asks for.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// Whether it was found in a folder, rather than typed.
    is_found: bool,
}

/// The file, and the name it asks for where that is another.
impl fmt::Display for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)?;
        match self.path.file_name() {
            _ if self.is_found => Ok(()),
            Some(own) if own == self.name.as_str() => Ok(()),
            _ => write!(f, " as {:?}", self.name),
        }
    }
}

impl Parcel {
    /// The file at `path`, standard input for `-`, under `name` or else its own.
    pub(super) fn new(path: &Path, name: Option<&str>) -> Result<Self, Failure> {
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
        Ok(Self {
            path: path.to_owned(),
            name,
            is_found: false,
        })
    }

    /// The file at `path` in a folder that is sent.
    pub(super) fn inside(path: PathBuf, name: FileName) -> Self {
        Self {
            path,
            name: name.into_string(),
            is_found: true,
        }
    }

    /// Whether it is standard input, which nobody can read twice.
    pub(super) fn is_input(&self) -> bool {
        self.path == Path::new("-")
    }

    /// How many bytes it seems to have, as far as that shows without opening it.
    pub(super) fn believed_size(&self) -> u64 {
        let told = std::fs::metadata(&self.path);
        told.map_or(0, |told| if told.is_file() { told.len() } else { 0 })
    }

    /// What to read, and how many bytes it is. The server is told the size before the bytes: what
    /// has no size of its own, such as a pipe, is copied to a temporary file first.
    pub(super) fn open(&self) -> Result<(File, u64), Failure> {
        let opened = self.open_until(&Stop::new())?;
        Ok((opened.file, opened.size))
    }

    /// The same, as something that can be read from anywhere and notices when it changes.
    pub(super) fn open_until(&self, stop: &Stop) -> Result<OpenFile, Failure> {
        if self.is_input() {
            return Ok(spool(&mut Input(io::stdin(), stop))?);
        }
        let mut options = OpenOptions::new();
        options.read(true);
        if self.is_found {
            // Nothing that took the file's place since it was found is followed or waited for.
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            options.custom_flags(flags.bits().cast_signed());
        }
        let file = options.open(&self.path)?;
        let told = file.metadata()?;
        if told.is_dir() {
            let folder = "is a folder, and only files can be sent";
            return Err(Failure::new(Exit::InputOutput, folder));
        }
        if told.is_file() {
            return Ok(OpenFile {
                file,
                size: told.len(),
                modified: Some(told.modified()?),
            });
        }
        if self.is_found {
            return Err(Failure::new(Exit::InputOutput, "is no file any more"));
        }
        Ok(spool(&mut Input(file, stop))?)
    }
}

/// A file that is read from anywhere.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    size: u64,
    /// When it was changed last; `None` for a copy that is nobody else's.
    modified: Option<SystemTime>,
}

impl Source for OpenFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, piece: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(piece, offset)
    }

    fn check(&mut self) -> io::Result<()> {
        let Some(modified) = self.modified else {
            return Ok(());
        };
        let now = self.file.metadata()?;
        let how = match now.len() {
            size if size < self.size => "became shorter",
            size if size > self.size => "became longer",
            _ if now.modified()? != modified => "was changed",
            _ => return Ok(()),
        };
        Err(io::Error::other(format!(
            "the file {how} while it was sent"
        )))
    }
}

/// What can only be read once, and not longer than until a stop.
struct Input<'a, R>(R, &'a Stop);

impl<R: Read + AsFd> Read for Input<'_, R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let soon = Timespec::try_from(std::time::Duration::from_millis(100)).ok();
        loop {
            if self.1.is_asked() {
                return Err(io::Error::other("interrupted"));
            }
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, soon.as_ref()) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // A descriptor that can't be asked is taken for one that doesn't wait.
                Ok(_) | Err(_) => return self.0.read(piece),
            }
        }
    }
}

/// Copies `reader` to a temporary file that has no name and goes with its handle.
fn spool(reader: &mut dyn Read) -> io::Result<OpenFile> {
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
    let size = copy(reader, &mut file)?;
    file.rewind()?;
    Ok(OpenFile {
        file,
        size,
        modified: None,
    })
}

fn copy(reader: &mut dyn Read, file: &mut File) -> io::Result<u64> {
    let mut piece = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(size),
            Ok(bytes) => {
                file.write_all(&piece[..bytes])?;
                size += bytes as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
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
        let mut opened = spool(&mut &b"from a pipe"[..]).unwrap();
        assert_eq!(opened.size(), 11);
        let mut read = [0; 20];
        assert_eq!(opened.read_at(&mut read, 5).unwrap(), 6);
        assert_eq!(&read[..6], b"a pipe");
        opened.check().unwrap();
        assert_eq!(
            Parcel::new(Path::new("/"), Some("x"))
                .unwrap()
                .open()
                .unwrap_err()
                .exit,
            Exit::InputOutput
        );
    }

    #[test]
    fn a_wait_for_input_ends_with_a_stop() {
        let (reader, _writer) = io::pipe().unwrap();
        let stop = Stop::new();
        stop.ask();
        assert!(spool(&mut Input(reader, &stop)).is_err());
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"abc").unwrap();
        drop(writer);
        let opened = spool(&mut Input(reader, &Stop::new())).unwrap();
        assert_eq!(opened.size(), 3);
    }

    #[test]
    fn a_change_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x");
        let open = || {
            std::fs::write(&path, "first").unwrap();
            let parcel = Parcel::new(&path, None).unwrap();
            parcel.open_until(&Stop::new()).unwrap()
        };
        let told = |opened: &mut OpenFile| opened.check().unwrap_err().to_string();
        let mut opened = open();
        opened.check().unwrap();
        std::fs::write(&path, "four").unwrap();
        assert!(told(&mut opened).contains("became shorter"));
        let mut opened = open();
        std::fs::write(&path, "longer").unwrap();
        assert!(told(&mut opened).contains("became longer"));
        let mut opened = open();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(told(&mut opened).contains("was changed"));
    }

    #[test]
    fn what_took_a_found_files_place_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x");
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        let found = Parcel::inside(path, FileName::new("x").unwrap());
        assert!(found.open().is_err());
    }
}

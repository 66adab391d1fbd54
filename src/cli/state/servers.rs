//! The servers that a person believes by their fingerprints, one a line: `HOST:PORT FINGERPRINT`. When
//! one is added is left to [`crate::cli::trust`].

use super::{folder, make, replace};
use crate::tls::Fingerprint;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The servers that are known.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Servers {
    file: PathBuf,
}

impl Servers {
    /// Those of the person at the shell; `None` without a home.
    pub(in crate::cli) fn here() -> Option<Self> {
        folder().map(|state| Self::beneath(&state))
    }

    pub(in crate::cli) fn beneath(state: &Path) -> Self {
        Self {
            file: state.join("known_servers"),
        }
    }

    /// Where they are kept.
    pub(in crate::cli) fn file(&self) -> &Path {
        &self.file
    }

    /// The fingerprint of `server`, if it is known. Of several lines the last one counts.
    ///
    /// # Errors
    ///
    /// The system's; that there is no file yet is none.
    pub(in crate::cli) fn find(&self, server: &str) -> io::Result<Option<Fingerprint>> {
        let text = self.read()?;
        let known = |line: &str| {
            let (name, fingerprint) = line.split_once(' ')?;
            (name == server).then(|| fingerprint.parse().ok()).flatten()
        };
        Ok(text.lines().rev().find_map(known))
    }

    /// Keeps `fingerprint` as that of `server`.
    ///
    /// # Errors
    ///
    /// The system's; what was known stays.
    pub(in crate::cli) fn keep(&self, server: &str, fingerprint: Fingerprint) -> io::Result<()> {
        let mut text = self.read()?;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("{server} {fingerprint}\n"));
        make(self.file.parent().unwrap_or(Path::new("/")))?;
        replace(&self.file, text.as_bytes())
    }

    fn read(&self) -> io::Result<String> {
        match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_kept_is_found_and_nobody_else_reads_it() {
        let state = tempfile::tempdir().unwrap();
        let servers = Servers::beneath(&state.path().join("gatepost"));
        let (one, other) = (Fingerprint::of(b"1"), Fingerprint::of(b"2"));
        assert_eq!(servers.find("a:1").unwrap(), None);
        servers.keep("a:1", one).unwrap();
        servers.keep("[::1]:1", other).unwrap();
        assert_eq!(servers.find("a:1").unwrap(), Some(one));
        assert_eq!(servers.find("[::1]:1").unwrap(), Some(other));
        assert_eq!(servers.find("a:11").unwrap(), None);
        servers.keep("a:1", other).unwrap();
        assert_eq!(
            servers.find("a:1").unwrap(),
            Some(other),
            "the last one counts"
        );
        let mode = servers.file().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_a_person_wrote_there_does_no_harm() {
        let state = tempfile::tempdir().unwrap();
        let servers = Servers::beneath(state.path());
        let known = Fingerprint::of(b"1");
        fs::write(
            servers.file(),
            format!("# mine\n\na:1 nonsense\na:1 {known}\nb:1"),
        )
        .unwrap();
        assert_eq!(servers.find("a:1").unwrap(), Some(known));
        assert_eq!(servers.find("b:1").unwrap(), None);
        servers.keep("b:1", known).unwrap();
        assert_eq!(servers.find("b:1").unwrap(), Some(known));
        fs::write(servers.file(), [255, 254]).unwrap();
        assert!(servers.find("a:1").is_err());
        assert!(servers.keep("c:1", known).is_err(), "it is not overwritten");
    }
}

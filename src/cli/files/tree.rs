//! From what was typed to the files that are sent: folders are walked, and each file gets the name
//! that it asks for, before anything is sent.

use super::naming::flatten;
use crate::cli::exit::{Exit, Failure};
use crate::cli::parcel::Parcel;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is to be sent.
#[derive(Debug, Default)]
pub(in crate::cli) struct Tree {
    /// The files, in the order in which they were typed, and by name within a folder.
    pub(in crate::cli) parcels: Vec<Parcel>,
    /// For each of them, which of the typed paths it comes from.
    pub(in crate::cli) origins: Vec<usize>,
    /// What is in a folder and is left out, being no file.
    pub(in crate::cli) left_out: Vec<PathBuf>,
}

impl Tree {
    /// All files of `typed`, of which the only one may ask for another `name`.
    pub(in crate::cli) fn grow(typed: &[PathBuf], name: Option<&str>) -> Result<Self, Failure> {
        let mut tree = Self::default();
        for (origin, path) in typed.iter().enumerate() {
            let is_folder = path != Path::new("-") && path.is_dir();
            if is_folder && name.is_some() {
                let failure = Failure::usage("--name goes with one file, and this is a folder");
                return Err(failure.about(path.display()));
            }
            match is_folder {
                true => tree.walk(path)?,
                false => tree.parcels.push(Parcel::new(path, name)?),
            }
            tree.origins.resize(tree.parcels.len(), origin);
        }
        tree.check_names()?;
        Ok(tree)
    }

    /// Adds what is in the folder `top`.
    fn walk(&mut self, top: &Path) -> Result<(), Failure> {
        // `.`, `..` and `/` have no name of their own to begin with.
        let begin = top.file_name().map(PathBuf::from).unwrap_or_default();
        let mut waiting = vec![(top.to_owned(), begin)];
        let mut found = Vec::new();
        while let Some((folder, inside)) = waiting.pop() {
            let about = |error: io::Error| Failure::from(error).about(folder.display());
            for entry in fs::read_dir(&folder).map_err(about)? {
                let entry = entry.map_err(about)?;
                let (path, inside) = (entry.path(), inside.join(entry.file_name()));
                // Of the entry itself: a link is not followed, it might lead anywhere.
                let kind = entry.file_type().map_err(about)?;
                match (kind.is_dir(), kind.is_file()) {
                    (true, _) => waiting.push((path, inside)),
                    (_, true) => found.push((inside, path)),
                    _ => self.left_out.push(path),
                }
            }
        }
        found.sort();
        for (inside, path) in found {
            let name = flatten(&inside).map_err(|error| {
                Failure::new(Exit::InputOutput, error.to_string()).about(path.display())
            })?;
            self.parcels.push(Parcel::inside(path, name));
        }
        Ok(())
    }

    /// Two files of one name would both be kept, and nobody could tell which is which.
    fn check_names(&self) -> Result<(), Failure> {
        let mut seen = BTreeMap::new();
        for parcel in &self.parcels {
            if let Some(other) = seen.insert(&parcel.name, parcel) {
                let (one, other) = (other.path.display(), parcel.path.display());
                let name = &parcel.name;
                return Err(Failure::usage(format!(
                    "{one} and {other} would both be called {name:?}; nothing was sent"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(typed: &[PathBuf]) -> Vec<String> {
        let tree = Tree::grow(typed, None).unwrap();
        tree.parcels.into_iter().map(|parcel| parcel.name).collect()
    }

    #[test]
    fn a_folder_is_its_files_by_relative_name() {
        let home = tempfile::tempdir().unwrap();
        let top = home.path().join("photos");
        fs::create_dir_all(top.join("b/.c")).unwrap();
        for file in ["z", "a.jpg", "b/.c/50%", "b/a"] {
            fs::write(top.join(file), file).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", top.join("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            top.join("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let expected = [
            "photos%2Fa.jpg",
            "photos%2Fb%2F.c%2F50%25",
            "photos%2Fb%2Fa",
            "photos%2Fz",
        ];
        assert_eq!(names(std::slice::from_ref(&top)), expected);
        assert_eq!(names(&[top.join("b/.")]), ["b%2F.c%2F50%25", "b%2Fa"]);
        assert_eq!(names(&[top.join("b/..")]).len(), 4);
        let tree = Tree::grow(std::slice::from_ref(&top), None).unwrap();
        assert_eq!(tree.left_out.len(), 2);
        assert!(tree.parcels[0].open().is_ok());
        let named = Tree::grow(&[top], Some("x")).unwrap_err();
        assert_eq!(named.exit, Exit::Usage);
    }

    #[test]
    fn names_that_collide_are_refused_before_anything_is_sent() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("a")).unwrap();
        fs::write(home.path().join("a/x"), "").unwrap();
        let same = [home.path().join("a"), home.path().join("a%2Fx")];
        let failure = Tree::grow(&same, None).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.sentence.contains("both be called \"a%2Fx\""));
        assert!(Tree::grow(&["b/x".into(), "c/x".into()], None).is_err());
        assert_eq!(names(&["b/x".into(), "c/y".into()]), ["x", "y"]);
    }
}

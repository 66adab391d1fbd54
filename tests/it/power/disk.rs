//! A disk as a list of changes: what a folder held at every moment of a run, and what it may hold
//! if power had been lost at that moment.
//!
//! What is promised: a file's bytes and length after a sync of the file, a folder's entries after a
//! sync of the folder, and that a renaming is not half done. Nothing else: not even that a new
//! file's sync keeps its entry. Which of the rest survives is chosen in `states`.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// A file or a folder, whatever its name; [`ROOT`] is the folder that everything else is in.
pub(super) type Node = usize;

/// The folder that was recorded.
pub(super) const ROOT: Node = 0;

/// What a file is read as that is a sector's length of a disk that writes them whole.
pub(super) const SECTOR: usize = 512;

/// One change of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// These bytes, from there on.
    Write { offset: usize, bytes: Vec<u8> },
    /// The file is cut or lengthened to so many bytes.
    Resize(usize),
    /// The folder has an entry; one that was there goes.
    Link { name: Vec<u8>, node: Node },
    /// The folder has one entry less. It may be the other half of a renaming into another folder:
    /// then that is the change that comes first.
    Unlink {
        name: Vec<u8>,
        moved_by: Option<usize>,
    },
    /// An entry gets another name in the same folder.
    Move { from: Vec<u8>, to: Vec<u8> },
}

/// What was done to the disk, in the order of the ends.
#[derive(Debug, Clone)]
pub(super) struct Done {
    pub(super) node: Node,
    pub(super) what: What,
    /// What a person calls it: the call and what it was made on.
    pub(super) kind: String,
    /// The moment before which it can't have had an effect.
    pub(super) begun: usize,
    /// The moment from which on it has had all of it.
    pub(super) ended: usize,
}

/// A change, or the promise that those before it are kept.
#[derive(Debug, Clone)]
pub(super) enum What {
    Change(Change),
    Sync,
}

/// What a file or a folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    File(Vec<u8>),
    Folder(BTreeMap<Vec<u8>, Node>),
}

/// All nodes as they are after some changes.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) nodes: Vec<Content>,
}

/// What is found by its path from the root: folders have no bytes.
pub(super) type Tree = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

impl Content {
    /// Makes one change, of which all that matters is here.
    pub(super) fn change(&mut self, change: &Change) {
        match (self, change) {
            (Self::File(content), Change::Write { offset, bytes }) => {
                let end = offset + bytes.len();
                if content.len() < end && !bytes.is_empty() {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(bytes);
            }
            (Self::File(content), Change::Resize(length)) => content.resize(*length, 0),
            (Self::Folder(entries), Change::Link { name, node }) => {
                entries.insert(name.clone(), *node);
            }
            (Self::Folder(entries), Change::Unlink { name, .. }) => {
                entries.remove(name);
            }
            (Self::Folder(entries), Change::Move { from, to }) => {
                // Where its link did not survive there is nothing to rename.
                if let Some(node) = entries.remove(from) {
                    entries.insert(to.clone(), node);
                }
            }
            (content, change) => panic!("{change:?} of {content:?}"),
        }
    }
}

impl Disk {
    /// A disk on which there is an empty folder.
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Content::Folder(BTreeMap::new())],
        }
    }

    /// A node that no folder has an entry for yet.
    pub(super) fn add(&mut self, content: Content) -> Node {
        self.nodes.push(content);
        self.nodes.len() - 1
    }

    /// The node at `path`, if it is there.
    pub(super) fn find(&self, from: Node, path: &[u8]) -> Option<Node> {
        let mut node = from;
        for name in path.split(|byte| *byte == b'/') {
            if name.is_empty() || name == b"." {
                continue;
            }
            let Content::Folder(entries) = &self.nodes[node] else {
                return None;
            };
            node = *entries.get(name)?;
        }
        Some(node)
    }

    /// The path of `node`, if it has one.
    pub(super) fn path(&self, node: Node) -> Option<Vec<u8>> {
        if node == ROOT {
            return Some(Vec::new());
        }
        let found = self.paths().into_iter().find(|(_, found)| *found == node);
        found.map(|(path, _)| path)
    }

    /// All that can be reached, by its path.
    pub(super) fn paths(&self) -> BTreeMap<Vec<u8>, Node> {
        let mut paths = BTreeMap::new();
        let mut folders = vec![(ROOT, Vec::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let Content::Folder(entries) = &self.nodes[folder] else {
                continue;
            };
            for (name, node) in entries {
                let path = [prefix.as_slice(), name].concat();
                folders.push((*node, [path.as_slice(), b"/"].concat()));
                paths.insert(path, *node);
            }
        }
        paths
    }

    /// What there is at each path.
    pub(super) fn tree(&self) -> Tree {
        let content = |node: Node| match &self.nodes[node] {
            Content::File(content) => Some(content.clone()),
            Content::Folder(_) => None,
        };
        let paths = self.paths().into_iter();
        paths.map(|(path, node)| (path, content(node))).collect()
    }
}

/// Reads what is really there beneath `root`. What goes away meanwhile is left out.
#[track_caller]
pub(super) fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    read_folder(root, "", &mut tree).expect("the folder can be read");
    tree
}

fn read_folder(folder: &Path, path: &str, tree: &mut Tree) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{path}{}", entry.file_name().to_str().unwrap());
        let content = match entry.file_type()?.is_dir() {
            true => None,
            false => match fs::read(entry.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                content => Some(content?),
            },
        };
        let is_folder = content.is_none();
        tree.insert(path.clone().into_bytes(), content);
        if is_folder {
            read_folder(&entry.path(), &format!("{path}/"), tree)?;
        }
    }
    Ok(())
}

/// Puts `tree` into the empty folder `root`.
#[track_caller]
pub(super) fn write_tree(tree: &Tree, root: &Path) {
    for (path, content) in tree {
        let path = root.join(std::str::from_utf8(path).unwrap());
        match content {
            Some(content) => fs::write(path, content).unwrap(),
            // In the order of their bytes a folder comes before what is in it.
            None => fs::create_dir(path).unwrap(),
        }
    }
}

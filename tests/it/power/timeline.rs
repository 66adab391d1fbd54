//! What the calls of the daemon mean: changes of the disk, syncs, and what was sent to whom, all
//! on one timeline. A call that may change the disk and is not understood is a failure, so that
//! nothing is overlooked.

mod arguments;
mod changes;
mod killed;
mod kinds;

use super::disk::{Change, Content, Disk, Done, Node, ROOT, Tree, What, read_tree};
use super::line::{Call, Outcome, Value, number};
use super::stamps::Stamp;
use arguments::{bytes, field, integer, payload, size, word};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The calls that are recorded. A question mark stands before those that not every processor has.
pub(super) const CALLS: &str = "?open,openat,?openat2,?creat,close,?close_range,dup,?dup2,dup3,\
    fcntl,read,readv,lseek,write,pwrite64,writev,pwritev,?pwritev2,sendfile,splice,\
    copy_file_range,ftruncate,truncate,fallocate,?rename,?renameat,renameat2,?link,linkat,?unlink,\
    unlinkat,?rmdir,?symlink,symlinkat,?mkdir,mkdirat,?mknod,mknodat,fsync,fdatasync,sync,syncfs,\
    sync_file_range,msync,mmap,?accept,accept4,listen,sendto,sendmsg,?sendmmsg,?fork,?vfork,clone,\
    ?clone3,?io_uring_setup,chdir,fchdir";

/// What was sent on one connection, and when.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// Which connection, counted over all runs.
    pub(super) connection: usize,
    /// The moment from which on the peer may have it.
    pub(super) moment: usize,
    pub(super) bytes: Vec<u8>,
}

/// An open file, perhaps with several descriptors.
#[derive(Debug)]
struct Open {
    node: Node,
    offset: usize,
    append: bool,
}

/// What a descriptor is.
#[derive(Debug, Clone)]
enum Handle {
    Node(Arc<Mutex<Open>>),
    Connection(usize),
}

/// All that happened so far, over any number of runs in one folder.
#[derive(Debug)]
pub(super) struct Timeline {
    root: Vec<u8>,
    pub(super) disk: Disk,
    pub(super) done: Vec<Done>,
    pub(super) said: Vec<Said>,
    /// What was removed before the call that made it was seen to end.
    gone: HashSet<(Node, Vec<u8>)>,
    /// What the real files were, by which the daemon knows them again.
    pub(super) stamps: HashMap<Node, Stamp>,
    handles: HashMap<i64, Handle>,
    connections: usize,
    /// Whether the daemon of this run serves already.
    serving: bool,
    /// The first moment of this run.
    start: usize,
    /// The first moment after it.
    pub(super) end: usize,
}

impl Timeline {
    /// Nothing, in the empty folder `root`.
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_str().unwrap().as_bytes().to_vec(),
            disk: Disk::new(),
            done: Vec::new(),
            said: Vec::new(),
            gone: HashSet::new(),
            stamps: HashMap::new(),
            handles: HashMap::new(),
            connections: 0,
            serving: false,
            start: 0,
            end: 0,
        }
    }

    /// Adds a run of the daemon, which has just ended.
    #[track_caller]
    pub(super) fn add(&mut self, calls: &[Call], root: &Path) {
        let found = &read_tree(root);
        self.start = self.end;
        self.handles.clear();
        self.serving = false;
        // What a call says matters at its end, except for what others may see of it at once.
        let mut steps: Vec<(usize, bool, &Call)> = Vec::new();
        for call in calls {
            steps.push((call.begun, false, call));
            if call.outcome != Outcome::Unknown {
                steps.push((call.ended, true, call));
            }
        }
        steps.sort_by_key(|(moment, is_end, _)| (*moment, *is_end));
        for (_, is_end, call) in steps {
            if is_end {
                self.ended(call);
            } else {
                self.begun(call);
            }
            self.end = self.end.max(self.start + call.ended + 1);
        }
        for call in calls.iter().filter(|call| call.outcome == Outcome::Unknown) {
            self.settle(call, found);
        }
        assert_eq!(
            different(&self.disk.tree(), found),
            None,
            "the record is not all that happened: calls that it does not have changed this, or \
             one of these that a kill cut off: {:#?}",
            calls
                .iter()
                .filter(|call| call.outcome == Outcome::Unknown)
                .collect::<Vec<_>>()
        );
        for (path, node) in self.disk.paths() {
            let path = root.join(std::str::from_utf8(&path).unwrap());
            self.stamps.insert(node, Stamp::of(&path));
        }
    }

    fn begun(&mut self, call: &Call) {
        match call.name.as_str() {
            // From here on another thread may be given the same number.
            "close" => {
                self.handles.remove(&integer(call, 0));
            }
            "sendto" | "sendmsg" | "write" | "writev" => {
                if let Some(Handle::Connection(connection)) = self.handles.get(&integer(call, 0)) {
                    let (connection, mut bytes) = (*connection, payload(call));
                    match call.outcome {
                        Outcome::Done(length) => bytes.truncate(usize::try_from(length).unwrap()),
                        Outcome::Failed(_) => return,
                        // The peer may have had it all before the daemon was killed.
                        Outcome::Unknown => {}
                    }
                    let moment = self.start + call.begun;
                    self.said.push(Said {
                        connection,
                        moment,
                        bytes,
                    });
                }
            }
            _ => {}
        }
    }

    fn ended(&mut self, call: &Call) {
        let Outcome::Done(result) = call.outcome else {
            return;
        };
        match call.name.as_str() {
            "open" | "creat" | "openat" | "openat2" => self.open(call, result),
            "accept" | "accept4" => {
                self.handles
                    .insert(result, Handle::Connection(self.connections));
                self.connections += 1;
                self.serving = true;
            }
            "listen" => {}
            "dup" | "dup2" | "dup3" => self.duplicate(call, result),
            "fcntl" if word(call, 1).starts_with("F_DUPFD") => self.duplicate(call, result),
            "read" | "readv" | "lseek" => self.seek(call, result),
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => self.write(call, result),
            "sendfile" | "copy_file_range" | "splice" => self.copy(call, result),
            "ftruncate" => {
                if let Some(node) = self.node(integer(call, 0)) {
                    self.change(call, node, Change::Resize(size(call, 1)));
                }
            }
            "fallocate" => self.allocate(call),
            "rename" | "renameat" | "renameat2" => self.rename(call),
            "link" | "linkat" => self.link(call),
            "unlink" | "unlinkat" | "rmdir" => {
                let at = usize::from(call.name == "unlinkat");
                if let Some((folder, name)) = self.place(call, at) {
                    self.unlink(call, folder, name);
                }
            }
            "mkdir" | "mkdirat" => {
                let at = usize::from(call.name == "mkdirat");
                if let Some((folder, name)) = self.place(call, at) {
                    let node = self.disk.add(Content::Folder(Default::default()));
                    self.change(call, folder, Change::Link { name, node });
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(node) = self.node(integer(call, 0)) {
                    self.sync(call, node);
                }
            }
            "mmap" => self.map(call),
            _ => Self::suspect(call),
        }
    }

    /// A call that changes nothing here, or one that this recorder does not know.
    fn suspect(call: &Call) {
        let harmless = match call.name.as_str() {
            // What is only begun has no promise in it.
            "sync_file_range" | "msync" => true,
            "close" | "fcntl" | "sendto" | "sendmsg" | "sendmmsg" => true,
            "clone" | "clone3" => format!("{call:?}").contains("CLONE_THREAD"),
            _ => false,
        };
        assert!(harmless, "the recorder does not understand {call:?}");
    }

    /// The node behind a descriptor, if it is one of the folder's.
    fn node(&self, descriptor: i64) -> Option<Node> {
        match self.handles.get(&descriptor)? {
            Handle::Node(open) => Some(open.lock().unwrap().node),
            Handle::Connection(_) => None,
        }
    }

    fn file(&self, descriptor: i64) -> Option<Arc<Mutex<Open>>> {
        match self.handles.get(&descriptor)? {
            Handle::Node(open) => Some(Arc::clone(open)),
            Handle::Connection(_) => None,
        }
    }

    /// Where the path in the argument `at` begins, and the rest of it, if that is in the folder.
    fn resolve(&self, call: &Call, at: usize) -> Option<(Node, Vec<u8>)> {
        let path = bytes(call, at);
        if path.starts_with(b"/") {
            let rest = path.strip_prefix(self.root.as_slice())?;
            return Some((ROOT, rest.to_vec()));
        }
        // A relative path of a call without a folder begins where the test runs: elsewhere.
        let folder = call.arguments.get(at.checked_sub(1)?)?;
        let Value::Word(folder) = folder else {
            return None;
        };
        Some((self.node(number(folder)?)?, path))
    }

    /// The folder and the name that the path in the argument `at` ends with.
    fn place(&self, call: &Call, at: usize) -> Option<(Node, Vec<u8>)> {
        let (from, path) = self.resolve(call, at)?;
        let path = path.strip_suffix(b"/").unwrap_or(&path);
        let cut = path.iter().rposition(|byte| *byte == b'/');
        let (folder, name) = cut.map_or((&b""[..], path), |cut| (&path[..cut], &path[cut + 1..]));
        let folder = self.disk.find(from, folder);
        let folder = folder.unwrap_or_else(|| panic!("a folder that nobody made: {call:?}"));
        Some((folder, name.to_vec()))
    }

    fn open(&mut self, call: &Call, descriptor: i64) {
        let at = usize::from(call.name.starts_with("openat"));
        let flags = match call.name.as_str() {
            "creat" => "O_WRONLY|O_CREAT|O_TRUNC".to_owned(),
            "openat2" => match field(call, 2, "flags") {
                Value::Word(flags) => flags.clone(),
                _ => panic!("{call:?}"),
            },
            _ => word(call, at + 1).to_owned(),
        };
        let has = |flag: &str| flags.split('|').any(|word| word == flag);
        let Some((from, path)) = self.resolve(call, at) else {
            // Elsewhere; what had this number is gone.
            self.handles.remove(&descriptor);
            return;
        };
        for odd in ["O_SYNC", "O_DSYNC", "O_DIRECT", "O_TMPFILE"] {
            assert!(!has(odd), "the recorder does not understand {call:?}");
        }
        let node = match self.disk.find(from, &path) {
            Some(node) => {
                if has("O_TRUNC") {
                    self.change(call, node, Change::Resize(0));
                }
                node
            }
            None => {
                assert!(has("O_CREAT"), "nobody made what is opened: {call:?}");
                let (folder, name) = self.place(call, at).expect("it was resolved");
                let node = self.disk.add(Content::File(Vec::new()));
                let link = Change::Link {
                    name: name.clone(),
                    node,
                };
                self.change(call, folder, link);
                if self.gone.remove(&(folder, name.clone())) {
                    self.unlink(call, folder, name);
                }
                node
            }
        };
        let open = Open {
            node,
            offset: 0,
            append: has("O_APPEND"),
        };
        let handle = Handle::Node(Arc::new(Mutex::new(open)));
        self.handles.insert(descriptor, handle);
    }

    fn change(&mut self, call: &Call, node: Node, change: Change) {
        let kind = self.kind(call, node, Some(&change));
        self.disk.nodes[node].change(&change);
        self.push(call, node, kind, What::Change(change));
    }

    fn sync(&mut self, call: &Call, node: Node) {
        let kind = self.kind(call, node, None);
        self.push(call, node, kind, What::Sync);
    }

    fn push(&mut self, call: &Call, node: Node, kind: String, what: What) {
        let (begun, ended) = (self.start + call.begun, self.start + call.ended);
        self.done.push(Done {
            node,
            what,
            kind,
            begun,
            ended,
        });
    }
}

/// The first thing that is not the same in both. SQLite's index of its log is not looked at: it is
/// written through memory, and made anew at every start.
fn different(recorded: &Tree, found: &Tree) -> Option<String> {
    let paths = recorded.keys().chain(found.keys());
    let path = paths
        .filter(|path| !path.ends_with(b"-shm"))
        .find(|path| recorded.get(*path) != found.get(*path))?;
    let describe = |tree: &Tree| match tree.get(path) {
        None => "nothing".to_owned(),
        Some(None) => "a folder".to_owned(),
        Some(Some(content)) => format!("{} bytes", content.len()),
    };
    let (recorded, found) = (describe(recorded), describe(found));
    let path = String::from_utf8_lossy(path);
    Some(format!("{path}: recorded {recorded}, found {found}"))
}

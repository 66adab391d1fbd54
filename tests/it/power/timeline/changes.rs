//! What the single calls change. Each that may change the folder in a way that is not written down
//! here is a failure.

use super::super::disk::{Change, Content, Node};
use super::super::line::{Call, Value, number};
use super::arguments::{integer, payload, size, word};
use super::{Open, Timeline};
use std::sync::Mutex;

impl Timeline {
    pub(super) fn duplicate(&mut self, call: &Call, descriptor: i64) {
        match self.handles.get(&integer(call, 0)).cloned() {
            Some(handle) => self.handles.insert(descriptor, handle),
            None => self.handles.remove(&descriptor),
        };
    }

    pub(super) fn seek(&self, call: &Call, result: i64) {
        if let Some(file) = self.file(integer(call, 0)) {
            let result = usize::try_from(result).unwrap();
            let mut file = file.lock().unwrap();
            file.offset = if call.name == "lseek" {
                result
            } else {
                file.offset + result
            };
        }
    }

    pub(super) fn write(&mut self, call: &Call, result: i64) {
        let Some(file) = self.file(integer(call, 0)) else {
            return;
        };
        let mut bytes = payload(call);
        bytes.truncate(usize::try_from(result).unwrap());
        let offset = match call.name.as_str() {
            "write" | "writev" => None,
            "pwritev2" => panic!("the recorder does not understand {call:?}"),
            _ => Some(size(call, 3)),
        };
        self.put(call, &file, offset, bytes);
    }

    /// Writes at `offset`, or where the file stands.
    pub(super) fn put(
        &mut self,
        call: &Call,
        file: &Mutex<Open>,
        offset: Option<usize>,
        bytes: Vec<u8>,
    ) {
        let mut file = file.lock().unwrap();
        let end = match &self.disk.nodes[file.node] {
            Content::File(content) => content.len(),
            Content::Folder(_) => panic!("a folder is written to: {call:?}"),
        };
        let at = match offset {
            Some(offset) => offset,
            None if file.append => end,
            None => file.offset,
        };
        if offset.is_none() {
            file.offset = at + bytes.len();
        }
        let change = Change::Write { offset: at, bytes };
        self.change(call, file.node, change);
    }

    /// What the kernel copies from one of the folder's files to another.
    pub(super) fn copy(&mut self, call: &Call, result: i64) {
        // The one call has the target first.
        let ends = match call.name.as_str() {
            "sendfile" => [(1, 2), (0, usize::MAX)],
            _ => [(0, 1), (2, 3)],
        };
        let [source, target] = ends.map(|(at, offset)| (self.file(integer(call, at)), offset));
        let Some(target_file) = target.0 else { return };
        let source_file = source
            .0
            .unwrap_or_else(|| panic!("the recorder does not see what is copied: {call:?}"));
        let offset = |at: usize| match call.arguments.get(at) {
            Some(Value::List(values)) => match values.first() {
                Some(Value::Word(word)) => number(word).and_then(|at| usize::try_from(at).ok()),
                _ => None,
            },
            _ => None,
        };
        let length = usize::try_from(result).unwrap();
        // What strace shows is where it ended.
        let from = offset(source.1).map(|end| end - length);
        let bytes = {
            let mut file = source_file.lock().unwrap();
            let Content::File(content) = &self.disk.nodes[file.node] else {
                panic!("a folder is copied: {call:?}");
            };
            let at = from.unwrap_or(file.offset);
            let bytes = content[at..at + length].to_vec();
            if from.is_none() {
                file.offset += length;
            }
            bytes
        };
        let to = offset(target.1).map(|end| end - length);
        self.put(call, &target_file, to, bytes);
    }

    pub(super) fn allocate(&mut self, call: &Call) {
        let Some(node) = self.node(integer(call, 0)) else {
            return;
        };
        match word(call, 1) {
            // Space is no content.
            "FALLOC_FL_KEEP_SIZE" => {}
            "0" => {
                let end = size(call, 2) + size(call, 3);
                let Content::File(content) = &self.disk.nodes[node] else {
                    panic!("{call:?}");
                };
                if content.len() < end {
                    self.change(call, node, Change::Resize(end));
                }
            }
            _ => panic!("the recorder does not understand {call:?}"),
        }
    }

    pub(super) fn rename(&mut self, call: &Call) {
        let (old, new) = match call.name.as_str() {
            "rename" => (0, 1),
            _ => (1, 3),
        };
        assert!(
            !format!("{call:?}").contains("RENAME_EXCHANGE"),
            "the recorder does not understand {call:?}"
        );
        let (from, to) = match (self.place(call, old), self.place(call, new)) {
            (Some(from), Some(to)) => (from, to),
            (None, None) => return,
            _ => panic!("a renaming into or out of the folder: {call:?}"),
        };
        if from.0 == to.0 {
            let (from, to) = ((from.0, from.1), to.1);
            let change = Change::Move { from: from.1, to };
            return self.change(call, from.0, change);
        }
        let node = self.disk.find(from.0, &from.1);
        let node = node.unwrap_or_else(|| panic!("nobody made what is renamed: {call:?}"));
        let moved_by = Some(self.done.len());
        let change = Change::Link { name: to.1, node };
        self.change(call, to.0, change);
        let change = Change::Unlink {
            name: from.1,
            moved_by,
        };
        self.change(call, from.0, change);
    }

    pub(super) fn unlink(&mut self, call: &Call, folder: Node, name: Vec<u8>) {
        let is_here = matches!(&self.disk.nodes[folder],
            Content::Folder(entries) if entries.contains_key(&name));
        if !is_here {
            // Another thread is still on its way back from making it.
            self.gone.insert((folder, name));
            return;
        }
        let change = Change::Unlink {
            name,
            moved_by: None,
        };
        self.change(call, folder, change);
    }

    pub(super) fn link(&mut self, call: &Call) {
        let (old, new) = match call.name.as_str() {
            "link" => (0, 1),
            _ => (1, 3),
        };
        let Some((folder, name)) = self.place(call, new) else {
            return;
        };
        let node = self
            .resolve(call, old)
            .and_then(|(from, path)| self.disk.find(from, &path));
        let node = node.unwrap_or_else(|| panic!("nobody made what is linked: {call:?}"));
        self.change(call, folder, Change::Link { name, node });
    }

    /// Writing through memory is seen by nobody. Only SQLite's index of its log may do so, which
    /// is made anew from the log at every start.
    pub(super) fn map(&self, call: &Call) {
        let (protection, flags) = (word(call, 2), word(call, 3));
        let writes = protection.contains("PROT_WRITE") && flags.contains("MAP_SHARED");
        let Some(node) = self.node(integer(call, 4)).filter(|_| writes) else {
            return;
        };
        let path = self.disk.path(node).unwrap_or_default();
        assert!(
            path.ends_with(b"-shm"),
            "{} is written through memory: {call:?}",
            String::from_utf8_lossy(&path)
        );
    }
}

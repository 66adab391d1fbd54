//! Calls that a kill cut off: whether they had an effect is told by what was found afterwards.

use super::super::disk::Tree;
use super::super::line::{Call, Outcome};
use super::Timeline;
use super::arguments::{integer, payload, size, word};

impl Timeline {
    /// Takes in what a call without an end has done, if it has.
    pub(super) fn settle(&mut self, call: &Call, found: &Tree) {
        let Some(result) = self.effect(call, found) else {
            return;
        };
        // It was over when the daemon was.
        let call = Call {
            outcome: Outcome::Done(result),
            ended: self.end - self.start - 1,
            ..call.clone()
        };
        self.ended(&call);
    }

    /// The result that it would have had, if it changed anything.
    fn effect(&self, call: &Call, found: &Tree) -> Option<i64> {
        let appeared = |at: usize| {
            let path = self.named(call, at)?;
            let is_new = found.contains_key(&path) && !self.disk.tree().contains_key(&path);
            is_new.then_some(0)
        };
        match call.name.as_str() {
            "write" | "writev" | "pwrite64" | "pwritev" => self.written(call, found),
            "openat" | "mkdirat" | "linkat" => {
                let at = if call.name == "linkat" { 3 } else { 1 };
                let made = appeared(at);
                // No descriptor of a later run is this one.
                made.map(|_| i64::MAX)
            }
            "open" | "mkdir" => appeared(0).map(|_| i64::MAX),
            "rename" => appeared(1),
            "renameat" | "renameat2" => {
                let old = self.named(call, 1)?;
                // It may have replaced what was there.
                (!found.contains_key(&old) && self.disk.tree().contains_key(&old)).then_some(0)
            }
            "unlink" | "unlinkat" => {
                let at = usize::from(call.name == "unlinkat");
                let path = self.named(call, at)?;
                let gone = !found.contains_key(&path) && self.disk.tree().contains_key(&path);
                gone.then_some(0)
            }
            "ftruncate" => {
                let content = self.content(call, found)?;
                (content.len() == size(call, 1)).then_some(0)
            }
            // Nothing was promised yet; nothing else matters once the process is gone.
            _ => None,
        }
    }

    /// How many bytes of a write are there.
    fn written(&self, call: &Call, found: &Tree) -> Option<i64> {
        let content = self.content(call, found)?;
        let file = self.file(integer(call, 0))?;
        let offset = match call.name.as_str() {
            "write" | "writev" => file.lock().unwrap().offset,
            _ => size(call, 3),
        };
        let there = content.get(offset..)?;
        let wanted = payload(call);
        let pairs = wanted.iter().zip(there);
        let written = pairs.take_while(|(wanted, there)| wanted == there).count();
        (written > 0).then(|| i64::try_from(written).unwrap())
    }

    /// What was found in the file that a call was made on.
    fn content<'a>(&self, call: &Call, found: &'a Tree) -> Option<&'a Vec<u8>> {
        let node = self.node(integer(call, 0))?;
        found.get(&self.disk.path(node)?)?.as_ref()
    }

    /// The path in the argument `at`, from the root on.
    fn named(&self, call: &Call, at: usize) -> Option<Vec<u8>> {
        if call.arguments.len() <= at || word(call, at.saturating_sub(1)).is_empty() {
            return None;
        }
        let (folder, name) = self.place(call, at)?;
        let mut path = self.disk.path(folder)?;
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(&name);
        Some(path)
    }
}

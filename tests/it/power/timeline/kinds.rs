//! What a call is called by people: the same in all runs.

use super::super::disk::{Change, Node};
use super::super::line::Call;
use super::Timeline;

impl Timeline {
    /// What is alike in all runs: when, which call, and on what.
    pub(super) fn kind(&self, call: &Call, node: Node, change: Option<&Change>) -> String {
        if let Some(Change::Unlink {
            moved_by: Some(arrival),
            ..
        }) = change
        {
            // One call, two changes.
            return self.done[*arrival].kind.clone();
        }
        let when = if self.serving { "serving" } else { "start" };
        let mut path = self.disk.path(node).unwrap_or_default();
        if let Some(
            Change::Link { name, .. } | Change::Unlink { name, .. } | Change::Move { to: name, .. },
        ) = change
        {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        let path = String::from_utf8_lossy(&path);
        let name = match call.name.as_str() {
            // Which of them SQLite calls is up to how it was built; they promise the same here.
            "fsync" | "fdatasync" => "sync",
            name => name,
        };
        format!("{when}: {name} {}", alike(&path))
    }
}

/// A path without what is another in every run.
fn alike(path: &str) -> String {
    let mut place = "";
    let names = path.split('/').map(|name| {
        let foreign = place == "uploads" && !name.starts_with('.');
        let random = name.len() > 16 && name.bytes().take(16).all(|byte| byte.is_ascii_hexdigit());
        place = name;
        if foreign || random { "*" } else { name }
    });
    let path = names.collect::<Vec<_>>().join("/");
    format!("/{}", path.trim_start_matches('/'))
}

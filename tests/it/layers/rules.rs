//! Who may name what: the table of layers, the names that only some layers may use, and the
//! judgement over paths. That each rule can be broken is proven in `snippets`.

use super::paths::Named;
use std::path::Path;

/// Each top-level module with those it may name, bottom to top: a row names rows above it only.
#[rustfmt::skip]
pub(super) const LAYERS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("time", &[]),
    ("rate", &[]),
    ("kernel", &[]),
    ("tls", &[]),
    ("config", &["wire", "tls"]),
    ("budget", &[]),
    ("ticket", &["wire"]),
    ("session", &["wire", "config"]),
    ("store", &["wire", "time", "rate", "budget", "ticket", "session"]),
    ("rooms", &["wire", "time", "budget", "store"]),
    ("gate", &["wire", "time", "config", "session", "store"]),
    ("bot", &["wire", "time"]),
    ("conversation", &["wire"]),
    ("handler", &["wire", "time", "rate", "config", "budget", "ticket", "session", "store", "rooms", "gate", "bot"]),
    ("dispatch", &["wire", "conversation", "handler"]),
    ("server", &[
        "wire", "time", "rate", "kernel", "tls", "config", "budget", "ticket", "session", "store", "rooms", "gate", "conversation",
        "handler", "dispatch",
    ]),
    ("client", &["wire", "time", "tls", "config", "conversation"]),
    ("cli", &[
        "wire", "time", "rate", "tls", "config", "session", "store", "gate", "handler", "server", "client",
    ]),
    ("main", &["cli"]),
];

/// Names that only some layers may use.
struct Reserved {
    names: &'static [&'static str],
    /// What is not meant by them.
    but: &'static [&'static str],
    /// The layers that they are reserved for, or kept out of.
    whom: Whom,
    /// Whether tests beside the code are held to it too.
    in_tests: bool,
    why: &'static str,
}

enum Whom {
    Only(&'static [&'static str]),
    Never(&'static [&'static str]),
}

const RESERVED: &[Reserved] = &[
    Reserved {
        names: &[
            "print!",
            "println!",
            "eprint!",
            "eprintln!",
            "dbg!",
            "std::io::stdout",
            "std::io::stderr",
        ],
        but: &[],
        whom: Whom::Only(&["cli"]),
        in_tests: false,
        why: "only cli prints",
    },
    Reserved {
        names: &["std::process::exit", "std::process::abort"],
        but: &[],
        whom: Whom::Only(&["cli"]),
        in_tests: true,
        why: "only cli ends the process",
    },
    Reserved {
        names: &["std::fs", "rustix::fs", "std::os::unix::fs"],
        // Sends what a store has opened.
        but: &["rustix::fs::sendfile"],
        // cli reads its settings and locks the home folder, kernel reads what is on no disk.
        whom: Whom::Only(&["store", "cli", "kernel"]),
        in_tests: false,
        why: "only the stores touch the disk",
    },
    Reserved {
        names: &[
            "std::net",
            "std::thread",
            "std::os::fd",
            "socket2",
            "rustix",
        ],
        // A value, as a proxy tells it.
        but: &["std::net::SocketAddr"],
        whom: Whom::Never(&["wire", "conversation"]),
        in_tests: false,
        why: "a conversation has no socket and no thread of its own",
    },
    Reserved {
        names: &[
            "std::time::Instant::now",
            "std::time::SystemTime::now",
            ".elapsed()",
            "getrandom",
        ],
        but: &[],
        whom: Whom::Never(&[
            "wire",
            "conversation",
            "handler",
            "dispatch",
            "gate",
            "session",
        ]),
        in_tests: false,
        why: "time and randomness are handed in",
    },
    Reserved {
        names: &["md5"],
        but: &[],
        whom: Whom::Only(&["wire", "gate"]),
        in_tests: false,
        why: "MD5 stays behind the proof",
    },
];

/// What is wrong with the paths `named` in `file`, which belongs to `layer`: a line for each.
pub(super) fn judge(file: &Path, layer: &str, named: &[Named]) -> Vec<String> {
    let mut wrong = Vec::new();
    for named in named {
        let mut report = |what: String| {
            let path = named.path.join("::");
            wrong.push(format!(
                "{}:{}: `{path}`: {what}",
                file.display(),
                named.line
            ));
        };
        if let Some(what) = looks_up(layer, &named.path) {
            report(what);
        }
        for reserved in RESERVED {
            if named.test && !reserved.in_tests {
                continue;
            }
            let broken = match reserved.whom {
                Whom::Only(layers) => !layers.contains(&layer),
                Whom::Never(layers) => layers.contains(&layer),
            };
            let meant = |names: &[&str]| names.iter().any(|name| covers(name, &named.path));
            let is_all = named.path.last().is_some_and(|last| last == "*");
            if broken && meant(reserved.names) && (is_all || !meant(reserved.but)) {
                report(reserved.why.to_owned());
            }
        }
    }
    wrong
}

/// Why a path into this crate may not be named in `layer`, if so.
fn looks_up(layer: &str, path: &[String]) -> Option<String> {
    if path.first()? != "crate" || layer == "lib" {
        return None;
    }
    let target = match path.get(1).map(String::as_str) {
        None | Some("*") => return Some("name the module that is meant".to_owned()),
        Some(target) => target,
    };
    if target == layer {
        return None;
    }
    let Some((_, uses)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        return Some(format!("{layer} has no row in the table of layers"));
    };
    if uses.contains(&target) {
        None
    } else {
        Some(format!("{layer} may not name {target}"))
    }
}

/// Whether `path` is `name`, lies beneath it, or takes all of what `name` lies in.
fn covers(name: &str, path: &[String]) -> bool {
    let wanted: Vec<_> = name.split("::").collect();
    let (last, globbed) = match path.split_last() {
        Some((last, before)) if last == "*" => (before, true),
        _ => (path, false),
    };
    if let [only] = path
        && wanted.len() > 1
    {
        return wanted.last() == Some(&only.as_str()) && only.ends_with('!');
    }
    let meets = last.iter().zip(&wanted).all(|(a, b)| a == b);
    meets && (last.len() >= wanted.len() || globbed && last.len() + 1 == wanted.len())
}

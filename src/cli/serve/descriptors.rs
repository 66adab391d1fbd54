//! The limit on open files: raised as far as this process may, and weighed against what the
//! settings ask for.

use crate::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a daemon opens besides connections: workers with a file each, the stores, the listeners,
/// the poller, the standard streams.
fn besides(config: &Config) -> u64 {
    config.limits.workers as u64 + config.listen.len() as u64 + 64
}

/// Raises the soft limit to the hard one; what it is then. `u64::MAX` stands for no limit.
fn raise() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    // A system may refuse even that (a hard limit above its own ceiling): then it stays as it is.
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current.unwrap_or(u64::MAX),
        Err(_) => now.current.unwrap_or(u64::MAX),
    }
}

/// Raises the limit, and says in the log what it allows.
pub(super) fn prepare(config: &Config) {
    let open_files = raise();
    let wanted = config.limits.max_connections as u64 + besides(config);
    if open_files < wanted {
        let connections = open_files.saturating_sub(besides(config));
        tracing::warn!(
            open_files,
            "the limit on open files allows about {connections} connections, fewer than \
             max_connections ({}); raise it (ulimit -n, LimitNOFILE) to at least {wanted}",
            config.limits.max_connections,
        );
    } else {
        tracing::debug!(
            open_files,
            "the limit on open files allows all {} connections",
            config.limits.max_connections,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_what_is_allowed() {
        let allowed = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        assert_eq!(raise(), allowed);
        assert_eq!(
            getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            allowed
        );
    }
}

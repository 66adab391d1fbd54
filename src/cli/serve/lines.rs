//! The first and the last line of a daemon.

use crate::cli::wording::counted;
use crate::config::{DEFAULT_PORT, Listen, LoginPolicy, Scheme};
use crate::server::Summary;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// Where it listens, what home it uses, and how to send a first message. Scripts may rely on
/// `gatepost VERSION listens on URL, URL, home PATH; ` at its beginning.
pub(super) fn first(addresses: &[Listen], home: &Path) -> String {
    let urls: Vec<_> = addresses.iter().map(Listen::to_string).collect();
    let home = home.display();
    let line = format!(
        "gatepost {} listens on {}, home {home}",
        env!("CARGO_PKG_VERSION"),
        urls.join(", "),
    );
    let framed = addresses.iter().find(|it| it.scheme == Scheme::Framed);
    match framed {
        Some(listen) => format!("{line}; {}", hint(listen, &quoted(&home.to_string()))),
        None => line,
    }
}

/// `home` is as a shell takes it.
fn hint(listen: &Listen, home: &str) -> String {
    let address = reachable(listen.address);
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
    let server = match listen.tls {
        true => format!(" --server framed+tls://{address}"),
        false if address == default => String::new(),
        false => format!(" --server {address}"),
    };
    match listen.login {
        LoginPolicy::Required => {
            format!(
                "a login is required: make an account: gatepost user --home {home} add NAME; \
                 try it: gatepost login NAME{server}"
            )
        }
        LoginPolicy::Off | LoginPolicy::Optional => {
            format!("say hello with: gatepost say{server} hello")
        }
    }
}

/// A path that a shell takes for one word.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    match path.chars().all(is_plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

/// The address by which this machine reaches a listener that takes any.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// What was done, and what was stuck when `drain_timeout` was over.
pub(super) fn last(summary: &Summary, drain_timeout: Duration) -> String {
    let Summary {
        served,
        refused,
        cut_off,
        connections,
        messages,
        files,
        lost,
        stuck,
    } = summary;
    let line = format!(
        "gatepost ended: {served} served, {refused} refused, {cut_off} cut off; \
         {}, {}, {}",
        counted(*connections, "connection"),
        counted(*messages, "message"),
        counted(*files, "file"),
    );
    let line = match lost {
        0 => line,
        _ => format!("{line}; {lost} datagrams lost"),
    };
    match stuck {
        0 => line,
        _ => format!(
            "{line}; {stuck} stuck after {}",
            humantime::format_duration(drain_timeout)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(urls: &[&str], line: &str) {
        let addresses: Vec<Listen> = urls.iter().map(|url| url.parse().unwrap()).collect();
        let version = env!("CARGO_PKG_VERSION");
        let said = first(&addresses, Path::new("/x/y"));
        assert_eq!(said, format!("gatepost {version} {line}"));
    }

    #[test]
    fn the_first_line_says_where_and_how() {
        says(
            &["framed://127.0.0.1:8001"],
            "listens on framed://127.0.0.1:8001, home /x/y; say hello with: gatepost say hello",
        );
        says(
            &["framed://0.0.0.0:9?login=off", "framed://[::1]:7"],
            "listens on framed://0.0.0.0:9?login=off, framed://[::1]:7, home /x/y; \
             say hello with: gatepost say --server 127.0.0.1:9 hello",
        );
        says(
            &["framed://[::]:8001"],
            "listens on framed://[::]:8001, home /x/y; a login is required: \
             make an account: gatepost user --home /x/y add NAME; \
             try it: gatepost login NAME --server [::1]:8001",
        );
        says(
            &["sink://127.0.0.1:5", "framed://127.0.0.1:9"],
            "listens on sink://127.0.0.1:5, framed://127.0.0.1:9, home /x/y; \
             say hello with: gatepost say --server 127.0.0.1:9 hello",
        );
        says(
            &["framed+tls://127.0.0.1:8001"],
            "listens on framed+tls://127.0.0.1:8001, home /x/y; \
             say hello with: gatepost say --server framed+tls://127.0.0.1:8001 hello",
        );
        says(
            &["udp://127.0.0.1:5"],
            "listens on udp://127.0.0.1:5, home /x/y",
        );
    }

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        assert_eq!(quoted("/home/李四/a.b"), "/home/李四/a.b");
        assert_eq!(quoted("/my home"), "'/my home'");
        assert_eq!(quoted("/it's"), "'/it'\\''s'");
    }

    #[test]
    fn the_last_line_counts() {
        let summary = Summary {
            served: 5,
            refused: 4,
            cut_off: 3,
            connections: 2,
            messages: 1,
            ..Summary::default()
        };
        let counted = "gatepost ended: 5 served, 4 refused, 3 cut off; \
                       2 connections, 1 message, 0 files";
        let last = |summary| last(&summary, Duration::from_secs(8));
        assert_eq!(last(summary), counted);
        assert_eq!(
            last(Summary {
                stuck: 2,
                ..summary
            }),
            format!("{counted}; 2 stuck after 8s")
        );
        assert_eq!(
            last(Summary { lost: 7, ..summary }),
            format!("{counted}; 7 datagrams lost")
        );
    }
}

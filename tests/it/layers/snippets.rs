//! Proof on small snippets that each rule can be broken, and that what is right passes.

use super::paths::scan;
use super::rules::judge;
use std::path::Path;

/// What is wrong with a snippet that stands in `module`.
fn wrong_with(module: &str, text: &str) -> Vec<String> {
    let path: Vec<_> = module.split("::").map(str::to_owned).collect();
    let found = scan(text, &path, false, &[]);
    judge(Path::new("x.rs"), &path[0], &found.named)
}

#[track_caller]
fn caught(module: &str, text: &str, expected: &str) {
    let wrong = wrong_with(module, text);
    let told = wrong.iter().any(|line| line.contains(expected));
    assert!(
        told,
        "{text:?} in {module} is not told as {expected:?}: {wrong:?}"
    );
}

#[track_caller]
fn passes(module: &str, text: &str) {
    assert_eq!(wrong_with(module, text), Vec::<String>::new(), "{text:?}");
}

#[test]
fn a_look_up_is_caught_however_it_is_written() {
    for text in [
        "use crate::server::Server;",
        "use crate::{wire, server};",
        "use super::super::server;",
        "fn f() { crate::server::start(); }",
        "fn f(x: &crate::server::Server) {}",
        "impl crate::server::Trait for X {}",
        "fn f<T: crate::server::Trait>() {}",
        "fn f() { assert!(super::super::server::up()); }",
        "macro_rules! m { () => { $crate::server::up() } }",
        "#[derive(Debug)] #[thing(with = crate::server::up)] struct X;",
        "mod tests { use super::super::super::server; }",
        "fn f() { use crate::server as s; s::start(); }",
    ] {
        caught("store::journal", text, "store may not name server");
    }
    caught(
        "store",
        "\n\nuse crate::cli;",
        "x.rs:3: `crate::cli`: store may not",
    );
    caught(
        "wire",
        "use crate::config::Limits;",
        "wire may not name config",
    );
    caught(
        "client",
        "use crate::dispatch;",
        "client may not name dispatch",
    );
    caught("store", "use crate::*;", "name the module that is meant");
    caught(
        "store",
        "use crate as gatepost;",
        "name the module that is meant",
    );
    caught("store", "use crate::Thing;", "store may not name Thing");
}

#[test]
fn what_points_down_or_is_only_said_passes() {
    passes(
        "handler::text",
        "use crate::{store, wire}; use super::Call;",
    );
    passes(
        "store",
        "use self::folder::X; use super::wire; fn f() { server::up() }",
    );
    passes(
        "config",
        "//! See [`crate::cli`].\n/// And [`crate::server`].\npub(crate) struct X;",
    );
    passes("wire", "mod tests { use super::*; }");
}

#[test]
fn reserved_names_are_caught_however_they_come() {
    caught("server", "fn f() { println!(\"x\"); }", "only cli prints");
    caught(
        "server",
        "fn f() { g!(a, eprintln!(\"x\")); }",
        "only cli prints",
    );
    caught(
        "server",
        "use std::io::{self, Write}; fn f() { io::stdout(); }",
        "only cli prints",
    );
    caught(
        "server",
        "use std::process; fn f() { process::exit(1) }",
        "only cli ends",
    );
    caught("handler", "use std::fs::File;", "only the stores");
    caught("handler", "use std::{fs, io};", "only the stores");
    caught("handler", "use std::*;", "only the stores");
    caught(
        "handler",
        "use rustix as r; fn f() { r::fs::open(); }",
        "only the stores",
    );
    caught("wire", "use std::net::TcpStream;", "no socket");
    caught(
        "conversation::framed",
        "use std::thread;",
        "no socket and no thread",
    );
    caught(
        "wire",
        "use std::time::Instant; fn f() { Instant::now(); }",
        "handed in",
    );
    caught(
        "wire",
        "use std::time; fn f() { vec![time::SystemTime::now()]; }",
        "handed in",
    );
    caught("wire", "fn f(x: X) { x.elapsed(); }", "handed in");
    caught(
        "handler",
        "fn f() { getrandom::fill(&mut []); }",
        "handed in",
    );
    caught("handler", "use md5::Md5;", "behind the proof");
}

#[test]
fn reserved_names_pass_where_they_belong() {
    passes(
        "cli::serve",
        "fn f() { println!(\"x\"); std::process::exit(1) }",
    );
    passes("store::folder", "use std::fs; fn f() { fs::read(\"x\"); }");
    passes("server", "fn f() { rustix::fs::sendfile(a, b); }");
    caught(
        "server",
        "fn f() { rustix::fs::open(); }",
        "only the stores",
    );
    caught("server", "use rustix::fs::*;", "only the stores");
    passes("wire", "use std::time::{Duration, SystemTime};");
    passes("gate", "#[cfg(test)] mod tests { use std::fs; }");
    caught(
        "gate",
        "#[cfg(test)] mod tests { use crate::cli; }",
        "gate may not name cli",
    );
    caught(
        "gate",
        "#[cfg(not(test))] mod x { use std::fs; }",
        "only the stores",
    );
}

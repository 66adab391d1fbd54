//! The real program: its own certificate, a new one while it runs, and what our client believes.

use super::{Sealed, VERSIONS, config, made};
use crate::support::{Daemon, PROGRAM, write_accounts};
use crate::trial::process::{self as trial, Ended, run};
use gatepost::tls::{Fingerprint, SelfSigned};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A home with a certificate, and where a client keeps what it knows.
struct Place {
    home: tempfile::TempDir,
    state: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let (home, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = Self { home, state };
        place.write(&made());
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, made: &SelfSigned) {
        fs::write(self.file("c.pem"), &made.certificate).unwrap();
        fs::write(self.file("k.pem"), &made.key).unwrap();
    }

    #[track_caller]
    fn serve(&self, urls: &[&str]) -> Daemon {
        let (certificate, key) = (self.file("c.pem"), self.file("k.pem"));
        let mut arguments = vec!["--tls-cert", certificate.to_str().unwrap()];
        arguments.extend(["--tls-key", key.to_str().unwrap()]);
        arguments.extend(urls.iter().flat_map(|url| ["--listen", url]));
        Daemon::start(self.home.path(), &arguments)
    }

    /// Our client with nobody at a terminal.
    fn client(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GATEPOST_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("XDG_STATE_HOME", self.state.path())
            .env("GATEPOST_PASSWORD", "123")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> (String, String) {
        let output = self.client(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{}: {told}", output.status);
        (String::from_utf8(output.stdout).unwrap(), told)
    }

    #[track_caller]
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.client(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{told}");
        told
    }

    fn known(&self) -> String {
        fs::read_to_string(self.state.path().join("gatepost/known_servers")).unwrap_or_default()
    }
}

/// The fingerprint that stands in `text`, as the program shows it.
#[track_caller]
fn shown(text: &str) -> Fingerprint {
    let mut words = text.split([' ', ',', '\n']);
    let word = words.find(|word| word.len() == 95);
    word.unwrap_or_else(|| panic!("no fingerprint: {text}"))
        .parse()
        .unwrap()
}

#[test]
fn a_server_is_known_from_its_first_visit_on() {
    let place = Place::new();
    let daemon = place.serve(&["framed+tls://127.0.0.1:0"]);
    let address = daemon.address_of("framed+tls://");
    let server = format!("framed+tls://{address}");
    // With nobody to ask, nothing is believed and nothing is said.
    let told = place.fails(74, &["say", "--server", &server, "hello"]);
    assert!(
        told.contains("not known") && told.contains("--tls-fingerprint"),
        "{told}"
    );
    let fingerprint = shown(&told);
    assert_eq!(place.known(), "");
    let pinned = format!("--tls-fingerprint={fingerprint}");
    let (said, _) = place.succeeds(&["say", "--server", &server, &pinned, "hello"]);
    assert_eq!(said, "lobby 1\n");
    assert_eq!(place.known(), "", "it was told so this time only");
    let (_, told) = place.succeeds(&["ping", "--server", &server, "--tls-accept-new"]);
    assert!(told.contains("from now on"), "{told}");
    assert_eq!(place.known(), format!("{address} {fingerprint}\n"));
    let (said, told) = place.succeeds(&["say", "--server", &server, "again"]);
    assert_eq!((said.as_str(), told.as_str()), ("lobby 2\n", ""));
    let ca = place.file("c.pem");
    let ca = format!("--tls-ca={}", ca.to_str().unwrap());
    place.succeeds(&["ping", "--server", &server, &ca]);
}

#[test]
fn a_server_that_has_changed_is_refused_aloud() {
    let place = Place::new();
    let mut daemon = place.serve(&["framed+tls://127.0.0.1:0"]);
    let server = format!("framed+tls://{}", daemon.address_of("framed+tls://"));
    place.succeeds(&["ping", "--server", &server, "--tls-accept-new"]);
    let known = place.known();
    place.write(&made());
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| line.contains("read again"));
    for flag in [None, Some("--tls-accept-new")] {
        let mut arguments = vec!["say", "--server", &server, "secret"];
        arguments.extend(flag);
        let told = place.fails(74, &arguments);
        assert!(
            told.contains("another server") && told.contains("known_servers"),
            "{told}"
        );
    }
    assert_eq!(place.known(), known, "what is known stays");
    let told = place.fails(
        74,
        &[
            "ping",
            "--server",
            &server,
            "--tls-fingerprint",
            &"0".repeat(64),
        ],
    );
    assert!(told.contains("another server"), "{told}");
}

#[test]
fn a_new_certificate_is_shown_and_a_broken_one_is_not() {
    let place = Place::new();
    let (old, new) = (made(), made());
    place.write(&old);
    let mut daemon = place.serve(&["framed+tls://127.0.0.1:0"]);
    let address = daemon.address_of("framed+tls://");
    let mut early = Sealed::connect(address, &config(&old, VERSIONS[1]));
    early.assert_in_step();
    // The key of another, a file that is none, and no file.
    fs::write(place.file("k.pem"), &new.key).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| line.contains("the old certificate and key stay"));
    fs::write(place.file("k.pem"), "").unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| line.contains("the old certificate and key stay"));
    fs::remove_file(place.file("c.pem")).unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| line.contains("c.pem"));
    Sealed::connect(address, &config(&old, VERSIONS[0])).assert_in_step();
    place.write(&new);
    daemon.signal(Signal::HUP);
    let line = daemon.wait_for_line(|line| line.contains("read again"));
    assert!(line.contains(&new.fingerprint.to_string()), "{line}");
    for version in VERSIONS {
        Sealed::connect(address, &config(&new, version)).assert_in_step();
    }
    early.assert_in_step();
    daemon.signal(Signal::TERM);
    assert_eq!(early.answer()["msg_type"], "going_away");
    drop(early);
    assert_eq!(daemon.wait().0.code(), Some(0));
}

#[test]
fn files_and_logins_go_over_tls() {
    let place = Place::new();
    write_accounts(
        place.home.path(),
        &[("zhangsan".to_owned(), "123".to_owned())],
    );
    let urls = [
        "framed+tls://127.0.0.1:0?login=required",
        "login+tls://127.0.0.1:0",
    ];
    let daemon = place.serve(&urls);
    let server = format!("framed+tls://{}", daemon.address_of("framed+tls://"));
    let at = [
        "--server",
        &server,
        "--tls-accept-new",
        "--user",
        "zhangsan",
    ];
    let content: Vec<u8> = (0..3_000_000u32).map(|at| (at % 249) as u8).collect();
    let file = place.file("parcel.bin");
    fs::write(&file, &content).unwrap();
    let with = |words: &[&str]| place.succeeds(&[words, &at[..]].concat());
    with(&["send", file.to_str().unwrap()]);
    assert!(fs::read(place.file("uploads/parcel.bin")).unwrap() == content);
    let back = place.file("back.bin");
    with(&["get", "parcel.bin", "-o", back.to_str().unwrap()]);
    assert!(fs::read(&back).unwrap() == content);
    let login = format!("login+tls://{}", daemon.address_of("login+tls://"));
    let (said, _) = place.succeeds(&["talk", &login, "--user", "zhangsan", "--tls-accept-new"]);
    assert!(said.contains("登陆成功"), "{said}");
    with(&[
        "bench",
        "--duration",
        "200ms",
        "--connections",
        "2",
        "--depth",
        "4",
    ]);
}

#[test]
fn a_token_got_inside_tls_is_not_for_the_same_port_in_the_clear() {
    let place = Place::new();
    let account = ("zhangsan".to_owned(), "123".to_owned());
    write_accounts(place.home.path(), &[account]);
    let daemon = place.serve(&["framed+tls://127.0.0.1:0?login=required"]);
    let address = daemon.address_of("framed+tls://").to_string();
    let server = format!("framed+tls://{address}");
    let inside = ["--server", &server, "--tls-accept-new"];
    place.succeeds(&[&["login", "zhangsan"], &inside[..]].concat());
    // The scheme was forgotten: there is nothing to send.
    let (said, _) = place.succeeds(&["logout", "--server", &address]);
    assert_eq!(said, format!("no token is kept for {address}\n"));
    let (said, _) = place.succeeds(&[&["logout"], &inside[..]].concat());
    assert_eq!(said, "zhangsan is logged out\n");
}

#[test]
fn every_conversation_can_be_talked_inside_tls() {
    let place = Place::new();
    let names = ["hello", "bot", "upload", "delay", "sink", "frames"];
    let urls = names.map(|name| format!("{name}+tls://127.0.0.1:0"));
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let mut daemon = place.serve(&urls);
    let file = place.file("parcel.bin");
    fs::write(&file, vec![7; 100_000]).unwrap();
    for name in names {
        let url = format!(
            "{name}+tls://{}",
            daemon.address_of(&format!("{name}+tls://"))
        );
        let text = match name {
            "upload" => file.to_str().unwrap(),
            _ => "some words",
        };
        let (said, _) = place.succeeds(&["talk", &url, text, "--tls-accept-new"]);
        match name {
            "hello" => assert_eq!(said, "Hello World\n"),
            "delay" => assert!(said.contains("已收到普通信息:some words"), "{said}"),
            "upload" => assert!(
                daemon
                    .wait_for_line(|line| line.contains("parcel.bin"))
                    .len()
                    > 1
            ),
            "sink" | "frames" => drop(daemon.wait_for_line(|line| line.contains("some words"))),
            _ => assert!(said.contains("你找谁呀"), "{said}"),
        }
    }
    assert_eq!(
        fs::read(place.file("uploads/parcel.bin")).unwrap(),
        vec![7; 100_000]
    );
    // Many at once shake hands without waiting for each other.
    let url = format!("hello+tls://{}", daemon.address_of("hello+tls://"));
    let (said, _) = place.succeeds(&["talk", &url, "a", "b", "--jobs", "30"]);
    assert_eq!(
        said.lines().filter(|line| *line == "Hello World").count(),
        30,
        "{said}"
    );
}

#[test]
fn a_pair_is_made_to_serve_with() {
    let place = Place::new();
    let folder = place.home.path().to_str().unwrap();
    let (said, _) = place.succeeds(&["cert", "--out", folder]);
    for (name, file) in [("c.pem", "gatepost.crt"), ("k.pem", "gatepost.key")] {
        fs::rename(place.file(file), place.file(name)).unwrap();
    }
    let daemon = place.serve(&["framed+tls://127.0.0.1:0"]);
    let server = format!("framed+tls://{}", daemon.address_of("framed+tls://"));
    let pinned = format!("--tls-fingerprint={}", shown(&said));
    place.succeeds(&["ping", "--server", &server, &pinned]);
}

/// What `serve` says in `home` where it can't begin.
#[track_caller]
fn refused(home: &Path, arguments: &[&str]) -> String {
    let Ended { code, err, .. } = run(trial::serve(home).args(arguments));
    assert_eq!(code, Some(78), "{err}");
    // What went before is the log.
    let last = err.lines().next_back().unwrap_or_default();
    assert!(last.starts_with("gatepost: "), "{err}");
    last.to_owned()
}

#[test]
fn what_cannot_be_shown_or_should_not_be_reached_is_refused_in_words() {
    let place = Place::new();
    let home = place.home.path();
    let (certificate, key) = (place.file("c.pem"), place.file("k.pem"));
    let pair = [
        "--tls-cert",
        certificate.to_str().unwrap(),
        "--tls-key",
        key.to_str().unwrap(),
    ];
    let encrypted = ["--listen", "framed+tls://127.0.0.1:0"];
    let line = refused(home, &encrypted);
    assert!(
        line.contains("--tls-cert FILE and --tls-key FILE"),
        "{line}"
    );
    let swapped = ["--tls-cert", pair[3], "--tls-key", pair[1]];
    let line = refused(home, &[&encrypted[..], &swapped].concat());
    assert!(line.contains("the certificate can't be used"), "{line}");
    let missing = ["--tls-cert", "/no/such/file", "--tls-key", pair[3]];
    let line = refused(home, &[&encrypted[..], &missing].concat());
    assert!(line.contains("/no/such/file: can't be read"), "{line}");
    // Beyond loopback there has to be somebody who can log in.
    let exposed = [&["--listen", "framed+tls://0.0.0.0:0"][..], &pair].concat();
    let line = refused(home, &exposed);
    assert!(
        line.contains("there is no account") && line.contains("gatepost user add"),
        "{line}"
    );
    let open = [&["--listen", "framed+tls://0.0.0.0:0?login=off"][..], &pair].concat();
    let line = refused(home, &open);
    assert!(line.contains("requires no login"), "{line}");
    let plain = refused(home, &["--listen", "framed://0.0.0.0:0"]);
    assert!(plain.contains("framed+tls://"), "{plain}");
    write_accounts(home, &[("lisi".to_owned(), "123".to_owned())]);
    let daemon = place.serve(&["framed+tls://0.0.0.0:0"]);
    let port = daemon.address_of("framed+tls://").port();
    let server = format!("framed+tls://127.0.0.1:{port}");
    let at = ["--server", &server, "--tls-accept-new", "--user", "lisi"];
    place.succeeds(&[&["say", "hello"][..], &at].concat());
}

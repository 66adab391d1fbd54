//! How flags, environment and file lie on top of each other, and what is said of wrong ones.

mod exposure;

use super::*;
use clap::{Args as _, FromArgMatches as _};
use proptest::prelude::*;

/// A folder for a settings file, its text, an environment and a command line.
struct Case {
    folder: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        let environment = vec![("GATEPOST_HOME", home)];
        Self {
            folder,
            environment,
        }
    }

    fn file(self, text: &str) -> Self {
        std::fs::write(self.folder.path().join(FILE), text).unwrap();
        self
    }

    fn set(mut self, variable: &'static str, value: &str) -> Self {
        self.environment.push((variable, value.to_owned()));
        self
    }

    fn load(&self, arguments: &[&str]) -> Result<Resolved, SettingsError> {
        let command = Flags::augment_args(clap::Command::new("serve"));
        let arguments = [&["serve"], arguments].concat();
        let matches = command.try_get_matches_from(arguments).unwrap();
        let flags = Flags::from_arg_matches(&matches).unwrap();
        Resolved::load(&flags, &|name| {
            let found = self
                .environment
                .iter()
                .find(|(variable, _)| *variable == name);
            found.map(|(_, value)| value.into())
        })
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], line: &str) {
        let said = self.load(arguments).unwrap_err().to_string();
        let folder = self.folder.path().to_str().unwrap();
        assert_eq!(said.replace(folder, "~"), line);
    }
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let case = Case::new()
        .file("[limits]\nmax_text = \"1KiB\"\nworkers = 1_0\nlinger = \"1s\"\n")
        .set("GATEPOST_MAX_TEXT", "2KiB")
        .set("GATEPOST_LINGER", "2s");
    let resolved = case.load(&["--linger", "3s"]).unwrap();
    let limits = &resolved.settings.config.limits;
    assert_eq!(limits.workers, 10);
    assert_eq!(limits.max_text, 2 << 10);
    assert_eq!(limits.linger.as_secs(), 3);
    assert_eq!(limits.queue, Limits::default().queue);
    let source = |key| resolved.source(key).to_string();
    assert!(source("workers").ends_with("gatepost.toml:3: limits.workers"));
    assert_eq!(source("max_text"), "GATEPOST_MAX_TEXT");
    assert_eq!(source("linger"), "--linger");
    assert_eq!(source("queue"), "default");
}

#[test]
fn every_row_is_set_in_each_place() {
    for row in rows() {
        let value = match row.key {
            "listen" => "framed://127.0.0.1:7",
            "home" => continue, // Its own test below: it decides where the file is.
            "insecure" => "true",
            "print" => "false",
            "log" => "json",
            "log_level" => "trace",
            "salt" => "pepper",
            _ => match row.value {
                "SIZE" => "1MiB",
                "TIME" => "59s",
                _ => "77",
            },
        };
        let table = row
            .table
            .map(|table| format!("[{table}]\n"))
            .unwrap_or_default();
        let quote = if row.form == Form::Switch { "" } else { "\"" };
        let text = format!("{table}{} = {quote}{value}{quote}", row.key);
        let mut by_variable = Case::new();
        let name: &'static str = row.variable().leak();
        by_variable.environment.push((name, value.to_owned()));
        for resolved in [
            Case::new()
                .load(&[&format!("--{}={value}", row.flag())])
                .unwrap(),
            by_variable.load(&[]).unwrap(),
            Case::new().file(&text).load(&[]).unwrap(),
        ] {
            // A path is absolute from here on, wherever it started.
            let got = row.get(&resolved.settings).concat();
            let is_file = row.value == "FILE" && got.ends_with("/77");
            assert!(got == value || is_file, "{}: {got}", row.key);
            assert_ne!(resolved.source(row.key), &Source::Default);
        }
    }
}

#[test]
fn a_wrong_value_is_one_line_with_its_place_and_its_range() {
    let case = Case::new()
        .file("# a comment\n\n[limits]\nmax_text = 65\nlinger = 10\n")
        .set("GATEPOST_WORKERS", "3");
    case.refused(
        &[],
        "GATEPOST_WORKERS: \"3\" is out of range; must be 4 to 4096",
    );
    case.refused(
        &["--workers=many"],
        "--workers: \"many\" is not a whole number such as 64 or 1_000_000; must be 4 to 4096",
    );
    case.refused(
        &["--workers=64"],
        "~/gatepost.toml:5: limits.linger: \"10\" is not a time such as 500ms, 10s, 2m or 24h; \
         must be 0s to 1m",
    );
    case.refused(
        &["--workers=64", "--linger=1s", "--log=\u{1b}[31m"],
        "--log: \"\\u{1b}[31m\" is not taken; must be one of auto, human, json",
    );
    case.refused(
        &["--workers=64", "--linger=1s", "--insecure=perhaps"],
        "--insecure: \"perhaps\" is neither true nor false",
    );
}

#[test]
fn one_step_past_each_limit_is_refused() {
    for limit in crate::config::LIMITS {
        let row = rows().find(|row| row.key == limit.key).unwrap();
        let unit = if row.value == "TIME" { "ms" } else { "" };
        let load = |value: u64| Case::new().load(&[&format!("--{}={value}{unit}", row.flag())]);
        assert!(
            load(limit.least).is_ok() && load(limit.most).is_ok(),
            "{}",
            limit.key
        );
        assert!(load(limit.most + 1).is_err(), "{}", limit.key);
        if limit.least > 0 {
            assert!(load(limit.least - 1).is_err(), "{}", limit.key);
        }
    }
}

#[test]
fn a_wrong_file_is_told_with_its_line() {
    let refused = |text: &str, line: &str| Case::new().file(text).refused(&[], line);
    refused(
        "[limits]\nmax-text = 1",
        "~/gatepost.toml:2: limits.max-text: there is no such setting; did you mean \
         limits.max_text?",
    );
    refused(
        "\nworkers = 8",
        "~/gatepost.toml:2: workers: there is no such setting; did you mean limits.workers?",
    );
    refused(
        "[colors]\nred = 1",
        "~/gatepost.toml:1: colors: there is no such setting; gatepost serve --print-config \
         shows all",
    );
    refused(
        "salt = 7",
        "~/gatepost.toml:1: salt: \"7\" is not a text but a TOML integer",
    );
    refused(
        "print = \"true\"",
        "~/gatepost.toml:1: print: \"\\\"true\\\"\" is neither true nor false",
    );
    refused(
        "limits = 3",
        "~/gatepost.toml:1: limits: there is no such setting; gatepost serve --print-config shows all",
    );
    let said = Case::new()
        .file("salt = \"a\"\nsalt = ")
        .load(&[])
        .unwrap_err();
    assert!(said.to_string().contains("gatepost.toml:2: "), "{said}");
}

#[test]
fn listeners_are_lists_everywhere() {
    let listen = |case: Case, arguments: &[&str]| {
        let resolved = case.load(arguments).unwrap();
        let listen = &resolved.settings.config.listen;
        listen
            .iter()
            .map(|listen| listen.address.port())
            .collect::<Vec<_>>()
    };
    let case = || Case::new().file("listen = [\"framed://127.0.0.1:1\", \"framed://127.0.0.1:2\"]");
    assert_eq!(listen(case(), &[]), [1, 2]);
    let variable = "framed://127.0.0.1:3, framed://127.0.0.1:4";
    assert_eq!(listen(case().set("GATEPOST_LISTEN", variable), &[]), [3, 4]);
    let flags = [
        "--listen",
        "framed://[::1]:5",
        "--listen",
        "framed://localhost:6",
    ];
    assert_eq!(
        listen(case().set("GATEPOST_LISTEN", variable), &flags),
        [5, 6]
    );
    assert_eq!(
        listen(case().set("GATEPOST_LISTEN", ""), &[]),
        [1, 2],
        "empty is not set"
    );
    assert_eq!(
        split("a://h?proxy=1,2, b://h"),
        ["a://h?proxy=1,2", "b://h"]
    );
    Case::new().refused(
        &[
            "--listen",
            "framed://127.0.0.1:5",
            "--listen",
            "http://127.0.0.1",
        ],
        "--listen: \"http://127.0.0.1\" is not a listener: there is no conversation \"http\"; \
         known are framed, hello, bot, upload, login, delay, sink, frames, udp",
    );
}

#[test]
fn misspelt_variables_are_found() {
    let names = [
        "GATEPOST_MAX_TXT",
        "GATEPOST_MAX_TEXT",
        "GATEPOST_CONFIG",
        "GATEPOST_SERVER",
        "GATEPOST_PASSWORD",
        "GATEPOST_HOME",
        "GATEPOST_SERVICE_HOST",
        "GATEPOST_PORT",
        "GATEPOST_PORT_8001_TCP_ADDR",
        "PATH",
        "GATEPOST_LISTENS",
    ];
    let unknown = unknown_variables(names.iter().map(OsString::from));
    assert_eq!(unknown, ["GATEPOST_LISTENS", "GATEPOST_MAX_TXT"]);
}

#[test]
fn home_is_absolute_and_decides_where_the_file_is() {
    let case = Case::new();
    let home = case.load(&["--home", "x/y"]).unwrap().settings.config.home;
    assert!(home.is_absolute() && home.ends_with("x/y"), "{home:?}");
    let case = case.file("home = \"elsewhere\"");
    assert!(
        case.load(&[])
            .unwrap_err()
            .to_string()
            .contains("--home, GATEPOST_HOME")
    );
    let file = case.folder.path().join(FILE);
    let named = Case {
        environment: vec![("GATEPOST_CONFIG", file.to_str().unwrap().to_owned())],
        ..case
    };
    let home = named.load(&[]).unwrap().settings.config.home;
    assert_eq!(home, named.folder.path().join("elsewhere"));
    let missing = Case::new();
    missing.refused(
        &[
            "--config",
            missing.folder.path().join("no.toml").to_str().unwrap(),
        ],
        "~/no.toml: can't be read: No such file or directory (os error 2)",
    );
}

#[test]
fn levels_have_a_shorthand() {
    let level = |arguments: &[&str]| {
        let case = Case::new().set("GATEPOST_LOG_LEVEL", "warn");
        case.load(arguments).unwrap().settings.log_level
    };
    assert_eq!(level(&[]), tracing::Level::WARN);
    assert_eq!(level(&["-v"]), tracing::Level::DEBUG);
    assert_eq!(level(&["-vvv"]), tracing::Level::TRACE);
    assert_eq!(level(&["-qq"]), tracing::Level::ERROR);
    let command = || Flags::augment_args(clap::Command::new("serve"));
    for wrong in [["-v", "-q"], ["-v", "--log-level=info"]] {
        assert!(
            command()
                .try_get_matches_from([&["serve"][..], &wrong].concat())
                .is_err()
        );
    }
}

#[test]
fn the_limits_are_advertised_only_where_they_are_left_out() {
    let command = || Flags::augment_args(clap::Command::new("serve"));
    let (short, long) = (command().render_help(), command().render_long_help());
    let (short, long) = (short.to_string(), long.to_string());
    assert!(short.contains("--help also shows the limits") && !short.contains("--max-text"));
    assert!(!long.contains("--help also shows") && long.contains("--max-text"));
    assert!(!short.contains(". [default"), "{short}");
}

#[test]
fn the_table_makes_well_formed_flags() {
    Flags::augment_args(clap::Command::new("serve")).debug_assert();
    let mut keys: Vec<_> = rows().map(|row| row.key).collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
    assert!(rows().all(|row| row.about.ends_with('.')));
}

#[test]
fn what_is_shown_says_the_same_when_read_again() {
    let arguments = [
        "--max-text=3KiB",
        "--workers=7",
        "--listen=framed://127.0.0.1:9",
        "--salt=\"\n#",
    ];
    let first = Case::new()
        .set("GATEPOST_PRINT", "false")
        .load(&arguments)
        .unwrap();
    let shown = show(&first);
    assert!(shown.contains("max_text = \"3KiB\""), "{shown}");
    assert!(shown.contains("# --max-text\n") && shown.contains("# GATEPOST_PRINT\n"));
    let case = Case::new();
    let path = case.folder.path().join("again.toml");
    std::fs::write(&path, &shown).unwrap();
    let again = Case {
        environment: Vec::new(),
        ..case
    };
    let again = again.load(&["--config", path.to_str().unwrap()]).unwrap();
    for row in rows() {
        assert_eq!(
            row.get(&again.settings),
            row.get(&first.settings),
            "{}",
            row.key
        );
    }
}

proptest! {
    #[test]
    fn any_file_is_taken_or_refused_with_a_line(text in "([a-z_\\[\\]=\"\n 0-9é]|limits|max_text|listen){0,60}") {
        let rows: Vec<Row> = rows().collect();
        if let Err(error) = file::parse(Path::new("x"), &text, &rows) {
            let error = error.to_string();
            prop_assert!(error.starts_with("x:") && !error.contains('\n'), "{}", error);
        }
    }
}

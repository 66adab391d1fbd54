//! The flags of `gatepost serve`, made from the rows of the settings. Values stay as they were
//! typed: whether they are taken is decided once for flags, environment and file, so that a wrong
//! one gets the same sentence and the same exit code wherever it stands.

use super::Settings;
use super::rows::{Form, Row, rows};
use super::source::{Given, Source};
use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line said.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The file of `--config`.
    pub config: Option<PathBuf>,
    /// Whether to show the settings instead of serving.
    pub print_config: bool,
    pub(super) given: Vec<(&'static str, Given)>,
}

/// `-v` and `-q`, with the levels that they mean when said once and twice.
const SHORTHANDS: &[(&str, char, &str, [&str; 2])] = &[
    (
        "verbose",
        'v',
        "Log more: -v debug, -vv trace",
        ["debug", "trace"],
    ),
    (
        "quiet",
        'q',
        "Log less: -q warn, -qq error",
        ["warn", "error"],
    ),
];

/// Where else a setting may be said.
const PLACES: &str = "Every setting has a variable GATEPOST_… and a key in the file as well; a flag \
                      beats a variable, which beats the file.";

impl Flags {
    /// What a subcommand can say that only needs to know where home is and what is set there.
    #[must_use]
    pub fn of_home(home: Option<OsString>, config: Option<PathBuf>) -> Self {
        let said = |home| {
            let source = Source::Flag("--home".to_owned());
            let values = vec![home];
            ("home", Given { values, source })
        };
        Self {
            config,
            print_config: false,
            given: home.map(said).into_iter().collect(),
        }
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let defaults = Settings::default();
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(ValueParser::path_buf())
            .help("Read settings from FILE, not from gatepost.toml in the home folder");
        let print_config = Arg::new("print_config")
            .long("print-config")
            .action(ArgAction::SetTrue)
            .help("Print the settings in force and where each comes from, as a file, and end");
        let shorthands = SHORTHANDS.iter().map(|(name, short, about, _)| {
            Arg::new(*name)
                .short(*short)
                .action(ArgAction::Count)
                .help(*about)
                .conflicts_with("log_level")
        });
        let [verbose, quiet] = ["verbose", "quiet"];
        command
            .args(rows().map(|row| flag(&row, &defaults)))
            .args(shorthands)
            .mut_arg(verbose, |arg| arg.conflicts_with(quiet))
            .arg(config)
            .arg(print_config)
            .after_help(format!("{PLACES} --help also shows the limits."))
            .after_long_help(PLACES)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given: Vec<_> = rows()
            .filter(|row| matches.value_source(row.key) == Some(ValueSource::CommandLine))
            .map(|row| {
                let values = matches.get_many::<OsString>(row.key).into_iter().flatten();
                let values = values.cloned().collect();
                let source = Source::Flag(format!("--{}", row.flag()));
                (row.key, Given { values, source })
            })
            .collect();
        for (name, short, _, levels) in SHORTHANDS {
            let times = usize::from(matches.get_count(name));
            if times > 0 {
                let source = Source::Flag(format!("-{}", short.to_string().repeat(times)));
                let values = vec![OsString::from(levels[times.min(2) - 1])];
                given.push(("log_level", Given { values, source }));
            }
        }
        Ok(Self {
            config: matches.get_one("config").cloned(),
            print_config: matches.get_flag("print_config"),
            given,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn flag(row: &Row, defaults: &Settings) -> Arg {
    let default = row.get(defaults).join(", ");
    // As in the other commands' help, the last sentence ends without a full stop.
    let about = row.about.trim_end_matches('.');
    let mut help = format!("{about} [default: {default}");
    if let Some((least, most)) = row.range() {
        help.push_str(&format!("; {least} to {most}"));
    }
    help.push(']');
    let arg = Arg::new(row.key)
        .long(row.flag())
        .value_name(row.value)
        .value_parser(ValueParser::os_string())
        .help(help);
    let arg = match row.table {
        // Two dozen limits would bury the rest: -h leaves them to --help.
        Some(_) => arg.help_heading("Limits").hide_short_help(true),
        None => arg,
    };
    match row.form {
        Form::One => arg.action(ArgAction::Set),
        Form::Many => arg.action(ArgAction::Append),
        Form::Switch => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
    }
}

//! The settings of `gatepost serve`: one table of rows, and three places where each may be set.
//! A flag beats the environment (`GATEPOST_…`), which beats the file, which beats the default.
//!
//! The file is the one that `--config` or `GATEPOST_CONFIG` names, or else `gatepost.toml` in the
//! home folder if there is one. The latter can't say where home is; in the former a relative
//! `home` starts at the file's own folder. An environment variable that is empty counts as not
//! set. What a setting means to the server is left to [`crate::config`].

mod exposure;
mod file;
mod flags;
mod general;
mod rows;
mod show;
mod source;
pub mod units;

pub use flags::Flags;
pub use rows::{Form, Row, rows};
pub use show::show;
pub use source::{SettingsError, Source};

use super::log::LogFormat;
use crate::config::{COURSE_SALT, Config, DEFAULT_PORT, Limits, Listen, Scheme};
use source::Given;
use std::collections::HashMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The name of the file in the home folder.
const FILE: &str = "gatepost.toml";

/// The variable that names another file.
const CONFIG_VARIABLE: &str = "GATEPOST_CONFIG";

/// Everything that an operator can set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the server needs to know.
    pub config: Config,
    /// The file with the certificate of listeners that speak TLS.
    pub tls_cert: Option<PathBuf>,
    /// The file with its key.
    pub tls_key: Option<PathBuf>,
    /// Whether messages and files are shown on standard output.
    pub print: bool,
    /// How the log is written.
    pub log: LogFormat,
    /// How much of it.
    pub log_level: tracing::Level,
}

/// The settings in force, and where each comes from.
#[derive(Debug)]
pub struct Resolved {
    /// The settings.
    pub settings: Settings,
    /// By key; what is missing is the default.
    sources: HashMap<&'static str, Source>,
}

impl Default for Settings {
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
        let listen = Listen::new(Scheme::Framed, address);
        let config = Config {
            home: PathBuf::from("."),
            listen: vec![listen],
            salt: COURSE_SALT.to_owned(),
            insecure: false,
            identity: None,
            limits: Limits::default(),
        };
        Self {
            config,
            tls_cert: None,
            tls_key: None,
            print: true,
            log: LogFormat::Auto,
            log_level: tracing::Level::INFO,
        }
    }
}

/// Looks a variable of the environment up; a test has its own.
pub type Environment<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

impl Resolved {
    /// Puts the settings together. Reads the file, and nothing else.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the place, the value and what is taken there.
    pub fn load(flags: &Flags, environment: &Environment<'_>) -> Result<Self, SettingsError> {
        let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
        let rows: Vec<Row> = rows().collect();
        let mut given = HashMap::new();
        for row in &rows {
            if let Some(value) = environment(&row.variable()) {
                given.insert(row.key, from_environment(row, &value));
            }
        }
        given.extend(flags.given.iter().map(|(key, said)| (*key, said.clone())));

        let named = flags.config.clone();
        let named = named.or_else(|| environment(CONFIG_VARIABLE).map(PathBuf::from));
        let in_file = match named {
            Some(path) => file::read(&path, &rows)?,
            None => {
                let home = given.get("home").and_then(|said| said.values.first());
                read_in_home(home.map_or(Path::new("."), Path::new), &rows)?
            }
        };
        for (key, said) in in_file {
            given.entry(key).or_insert(said);
        }

        let mut settings = Settings::default();
        let home = [settings.config.home.clone().into_os_string()];
        let mut sources = HashMap::new();
        for row in &rows {
            if let Some(said) = given.remove(row.key) {
                apply(row, &mut settings, &said)?;
                sources.insert(row.key, said.source);
            } else if row.key == "home" {
                // The default goes the same way: home is absolute from here on.
                let source = Source::Default;
                let values = home.to_vec();
                apply(row, &mut settings, &Given { values, source })?;
            }
        }
        let resolved = Self { settings, sources };
        resolved.refuse_exposure()?;
        Ok(resolved)
    }

    /// Where the setting `key` comes from.
    #[must_use]
    pub fn source(&self, key: &str) -> &Source {
        self.sources.get(key).unwrap_or(&Source::Default)
    }
}

/// Variables that the clients look at.
const CLIENT_VARIABLES: [&str; 2] = ["GATEPOST_SERVER", "GATEPOST_PASSWORD"];

/// Those of `names` that look like settings and are none, sorted: misspelt ones, most likely. What a
/// container platform says of a service that is called gatepost (`GATEPOST_SERVICE_HOST`,
/// `GATEPOST_PORT_8001_TCP`) is left out.
pub fn unknown_variables(names: impl Iterator<Item = OsString>) -> Vec<String> {
    let known: Vec<String> = rows().map(|row| row.variable()).collect();
    let is_known = |name: &str| {
        name == CONFIG_VARIABLE
            || CLIENT_VARIABLES.contains(&name)
            || known.iter().any(|known| known == name)
    };
    let is_of_a_platform = |rest: &str| {
        let mut words = rest.split('_');
        words.any(|word| matches!(word, "SERVICE" | "PORT"))
    };
    let mut unknown: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| {
            let rest = name.strip_prefix("GATEPOST_");
            rest.is_some_and(|rest| !is_known(name) && !is_of_a_platform(rest))
        })
        .collect();
    unknown.sort_unstable();
    unknown
}

fn apply(row: &Row, settings: &mut Settings, said: &Given) -> Result<(), SettingsError> {
    let Err(reason) = row.set(settings, &said.values) else {
        return Ok(());
    };
    // Of a list, the one entry that is wrong by itself is named.
    let wrong = |value: &&OsString| row.set(&mut settings.clone(), &[(*value).clone()]).is_err();
    let culprit = said.values.iter().find(wrong);
    Err(SettingsError::Value {
        source: said.source.clone(),
        value: culprit.map_or_else(String::new, |value| value.to_string_lossy().into_owned()),
        reason,
    })
}

fn from_environment(row: &Row, value: &OsString) -> Given {
    let values = match (row.form, value.to_str()) {
        (Form::Many, Some(list)) => split(list),
        _ => vec![value.clone()],
    };
    Given {
        values,
        source: Source::Environment(row.variable()),
    }
}

/// Splits URLs at commas. A piece without a scheme belongs to the URL before it, whose parameters
/// may hold commas themselves.
fn split(list: &str) -> Vec<OsString> {
    let mut urls: Vec<String> = Vec::new();
    for piece in list.split(',') {
        match urls.last_mut() {
            Some(last) if !piece.contains("://") => {
                last.push(',');
                last.push_str(piece);
            }
            _ => urls.push(piece.trim().to_owned()),
        }
    }
    urls.into_iter().map(OsString::from).collect()
}

fn read_in_home(home: &Path, rows: &[Row]) -> Result<Vec<(&'static str, Given)>, SettingsError> {
    let given = match file::read(&home.join(FILE), rows) {
        Err(SettingsError::Unreadable { error, .. })
            // A home that is no folder has no settings either; what opens it will say so.
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        other => other?,
    };
    match given.iter().find(|(key, _)| *key == "home") {
        Some((_, said)) => Err(SettingsError::Value {
            source: said.source.clone(),
            value: said.values[0].to_string_lossy().into_owned(),
            reason: "is not taken here: this file is only read because it lies in the home \
                     folder; use --home, GATEPOST_HOME, or a file named by --config"
                .to_owned(),
        }),
        None => Ok(given),
    }
}

#[cfg(test)]
mod tests;

//! The settings that are no limits: what each takes, and how it is shown.

use super::super::log;
use super::Settings;
use super::rows::{Form, Meaning, Row};
use crate::config::Listen;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Their rows.
pub(super) const GENERAL: &[Row] = &[
    Row {
        key: "listen",
        table: None,
        form: Form::Many,
        value: "URL",
        about: "Where to listen and what is spoken there: framed://HOST:PORT, with ?login=required, \
                optional (the default on loopback; required elsewhere) or off, or a conversation \
                of the course, as in hello://127.0.0.1:8002; with TLS framed+tls://HOST:PORT; \
                may be given again.",
        meaning: Meaning::General {
            set: set_listen,
            get: |settings| {
                settings
                    .config
                    .listen
                    .iter()
                    .map(Listen::to_string)
                    .collect()
            },
        },
    },
    Row {
        key: "home",
        table: None,
        form: Form::One,
        value: "DIR",
        about: "The folder that holds users.txt, uploads/ and the messages.",
        meaning: Meaning::General {
            set: set_home,
            get: |settings| vec![settings.config.home.to_string_lossy().into_owned()],
        },
    },
    Row {
        key: "salt",
        table: None,
        form: Form::One,
        value: "TEXT",
        about: "What goes before a password before it is hashed; hello tells it. Another one \
                makes every password in users.txt a wrong one.",
        meaning: Meaning::General {
            set: |settings, values| {
                text(only(values)?)?.clone_into(&mut settings.config.salt);
                Ok(())
            },
            get: |settings| vec![settings.config.salt.clone()],
        },
    },
    Row {
        key: "tls_cert",
        table: None,
        form: Form::One,
        value: "FILE",
        about: "The certificate of listeners with +tls, in PEM, the chain behind it; gatepost cert \
                makes one. It and its key are read again on SIGHUP.",
        meaning: Meaning::General {
            set: |settings, values| path(&mut settings.tls_cert, values),
            get: |settings| shown(settings.tls_cert.as_ref()),
        },
    },
    Row {
        key: "tls_key",
        table: None,
        form: Form::One,
        value: "FILE",
        about: "The key of that certificate, in PEM.",
        meaning: Meaning::General {
            set: |settings, values| path(&mut settings.tls_key, values),
            get: |settings| shown(settings.tls_key.as_ref()),
        },
    },
    Row {
        key: "insecure",
        table: None,
        form: Form::Switch,
        value: "BOOL",
        about: "Listen beyond loopback although nothing is encrypted, passwords included, or nobody has an \
                account.",
        meaning: Meaning::General {
            set: |settings, values| switch(&mut settings.config.insecure, values),
            get: |settings| vec![settings.config.insecure.to_string()],
        },
    },
    Row {
        key: "print",
        table: None,
        form: Form::Switch,
        value: "BOOL",
        about: "Show messages and files on standard output as they come.",
        meaning: Meaning::General {
            set: |settings, values| switch(&mut settings.print, values),
            get: |settings| vec![settings.print.to_string()],
        },
    },
    Row {
        key: "log",
        table: None,
        form: Form::One,
        value: "FORMAT",
        about: "How the log is written: human, json, or auto: human on a terminal, else json.",
        meaning: Meaning::General {
            set: |settings, values| word(&mut settings.log, log::FORMATS, values),
            get: |settings| vec![spelled(settings.log, log::FORMATS)],
        },
    },
    Row {
        key: "log_level",
        table: None,
        form: Form::One,
        value: "LEVEL",
        about: "How much is logged: error, warn, info, debug or trace.",
        meaning: Meaning::General {
            set: |settings, values| word(&mut settings.log_level, log::LEVELS, values),
            get: |settings| vec![spelled(settings.log_level, log::LEVELS)],
        },
    },
];

fn set_listen(settings: &mut Settings, values: &[OsString]) -> Result<(), String> {
    let parse = |url: &OsString| {
        let url = text(url)?;
        url.parse::<Listen>()
            .map_err(|error| format!("is not a listener: {}", error.reason))
    };
    let listen = values.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if listen.is_empty() {
        return Err("names no listener; must be URLs such as framed://127.0.0.1:8001".to_owned());
    }
    settings.config.listen = listen;
    Ok(())
}

fn set_home(settings: &mut Settings, values: &[OsString]) -> Result<(), String> {
    let home = PathBuf::from(only(values)?);
    // Absolute, so that a line about it means something to whoever reads it elsewhere.
    settings.config.home =
        std::path::absolute(home).map_err(|error| format!("is no folder: {error}"))?;
    Ok(())
}

fn path(field: &mut Option<PathBuf>, values: &[OsString]) -> Result<(), String> {
    let path = only(values)?;
    *field = match path.is_empty() {
        true => None,
        false => {
            let path = std::path::absolute(path);
            Some(path.map_err(|error| format!("is no file: {error}"))?)
        }
    };
    Ok(())
}

/// What is not set is an empty text, which says the same again.
fn shown(path: Option<&PathBuf>) -> Vec<String> {
    let path = path.map(|path| path.to_string_lossy().into_owned());
    vec![path.unwrap_or_default()]
}

fn switch(field: &mut bool, values: &[OsString]) -> Result<(), String> {
    *field = match text(only(values)?)? {
        "true" => true,
        "false" => false,
        _ => return Err("is neither true nor false".to_owned()),
    };
    Ok(())
}

fn word<T: Copy>(
    field: &mut T,
    words: &[(&'static str, T)],
    values: &[OsString],
) -> Result<(), String> {
    let given = text(only(values)?)?;
    let known = words.iter().find(|(word, _)| *word == given);
    *field = known.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("is not taken; must be one of {}", words.join(", "))
    })?;
    Ok(())
}

fn spelled<T: Copy + PartialEq>(value: T, words: &[(&'static str, T)]) -> String {
    words
        .iter()
        .find(|(_, known)| *known == value)
        .map_or_else(String::new, |(word, _)| (*word).to_owned())
}

/// The one value of a setting that is no list.
pub(super) fn only(values: &[OsString]) -> Result<&OsStr, String> {
    match values {
        [value] => Ok(value),
        _ => Err("is not one value".to_owned()),
    }
}

/// A value as text.
pub(super) fn text(value: &OsStr) -> Result<&str, String> {
    value.to_str().ok_or_else(|| "is not UTF-8".to_owned())
}

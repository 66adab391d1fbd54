//! The table of settings: flags, environment variables, keys of the file, `--print-config` and
//! the documents are made from it. The limits are its last rows, taken from their own table.

use super::general::{GENERAL, only, text};
use super::{Settings, units};
use crate::config::{LIMITS, Limit, Unit};
use std::ffi::OsString;

/// How often a setting is said, and what a flag of it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One value.
    One,
    /// A list: the flag is repeated, commas separate in the environment, the file has an array.
    Many,
    /// True or false; a bare flag means true.
    Switch,
}

/// One setting.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its key in the file; `--` and dashes make the flag, `GATEPOST_` and capitals the variable.
    pub key: &'static str,
    /// The table of the file that it stands in, if any.
    pub table: Option<&'static str>,
    /// How often it is said.
    pub form: Form,
    /// What its value is called in the help.
    pub value: &'static str,
    /// A sentence for the help and the documents.
    pub about: &'static str,
    pub(super) meaning: Meaning,
}

/// How a row reads and writes the settings.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    /// Its own way.
    General {
        /// Sets it; the error says why not.
        set: fn(&mut Settings, &[OsString]) -> Result<(), String>,
        /// Shows it.
        get: fn(&Settings) -> Vec<String>,
    },
    /// One of the limits.
    Limit(&'static Limit),
}

/// Every setting, in the order in which they are shown.
pub fn rows() -> impl Iterator<Item = Row> {
    GENERAL
        .iter()
        .copied()
        .chain(LIMITS.iter().map(|limit| Row {
            key: limit.key,
            table: Some("limits"),
            form: Form::One,
            value: match limit.unit {
                Unit::Bytes => "SIZE",
                Unit::Count => "NUMBER",
                Unit::Time => "TIME",
            },
            about: limit.about,
            meaning: Meaning::Limit(limit),
        }))
}

impl Row {
    /// Its flag, without the dashes before it.
    #[must_use]
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// Its environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("GATEPOST_{}", self.key.to_uppercase())
    }

    /// Its key in the file with its table, as in `limits.max_text`.
    #[must_use]
    pub fn path(&self) -> String {
        match self.table {
            Some(table) => format!("{table}.{}", self.key),
            None => self.key.to_owned(),
        }
    }

    /// The smallest and the largest value, if it has a range.
    #[must_use]
    pub fn range(&self) -> Option<(String, String)> {
        match &self.meaning {
            Meaning::General { .. } => None,
            Meaning::Limit(limit) => Some((
                units::format(limit.unit, limit.least),
                units::format(limit.unit, limit.most),
            )),
        }
    }

    /// Its value as it can be given again; several for a list.
    #[must_use]
    pub fn get(&self, settings: &Settings) -> Vec<String> {
        match &self.meaning {
            Meaning::General { get, .. } => get(settings),
            Meaning::Limit(limit) => {
                vec![units::format(
                    limit.unit,
                    (limit.get)(&settings.config.limits),
                )]
            }
        }
    }

    /// Whether its value is a path, which in a file starts at that file's own folder.
    pub(super) fn is_path(&self) -> bool {
        matches!(self.value, "DIR" | "FILE")
    }

    /// Whether its values are texts in the file, not bare words.
    pub(super) fn is_text(&self) -> bool {
        self.form != Form::Switch && self.value != "NUMBER"
    }

    /// Sets it. The error says why not, and what is taken.
    pub(super) fn set(&self, settings: &mut Settings, values: &[OsString]) -> Result<(), String> {
        match &self.meaning {
            Meaning::General { set, .. } => set(settings, values),
            Meaning::Limit(limit) => set_limit(limit, settings, text(only(values)?)?),
        }
    }
}

fn set_limit(limit: &Limit, settings: &mut Settings, text: &str) -> Result<(), String> {
    let value = units::within(limit.unit, text, limit.least..=limit.most)?;
    (limit.set)(&mut settings.config.limits, value);
    Ok(())
}

//! The settings file: TOML to what was said about each row, with lines. Whether the values are
//! taken is left to the rows.

use super::rows::{Form, Row};
use super::source::{Given, SettingsError, Source};
use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads a file.
///
/// # Errors
///
/// [`SettingsError`], with the line, for what can't be read, is no TOML, is not known, or has the
/// wrong type.
pub(super) fn read(path: &Path, rows: &[Row]) -> Result<Vec<(&'static str, Given)>, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|error| SettingsError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    parse(path, &text, rows)
}

/// Reads a file's text.
///
/// # Errors
///
/// As [`read`].
pub(super) fn parse(
    path: &Path,
    text: &str,
    rows: &[Row],
) -> Result<Vec<(&'static str, Given)>, SettingsError> {
    let reader = Reader { path, text, rows };
    let root = DeTable::parse(text).map_err(|error| SettingsError::Syntax {
        path: path.to_owned(),
        line: reader.line(&error.span().unwrap_or_default()),
        reason: error.message().to_owned(),
    })?;
    let mut given = Vec::new();
    for (key, value) in root.get_ref() {
        let name: &str = key.get_ref();
        match value.get_ref() {
            DeValue::Table(table) if rows.iter().any(|row| row.table == Some(name)) => {
                for (key, value) in table {
                    given.push(reader.entry(Some(name), key, value)?);
                }
            }
            _ => given.push(reader.entry(None, key, value)?),
        }
    }
    Ok(given)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    rows: &'a [Row],
}

impl Reader<'_> {
    fn entry(
        &self,
        table: Option<&str>,
        key: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(&'static str, Given), SettingsError> {
        let name = key.get_ref().as_ref();
        let source = Source::File {
            path: self.path.to_owned(),
            line: self.line(&key.span()),
            key: table.map_or_else(|| name.to_owned(), |table| format!("{table}.{name}")),
        };
        let is_it = |row: &&Row| row.table == table && row.key == name;
        let Some(row) = self.rows.iter().find(is_it) else {
            // The usual slips: a dash for the underscore, the wrong table.
            let meant = name.replace('-', "_");
            let meant = self.rows.iter().find(|row| row.key == meant);
            let meant = meant.map(Row::path);
            return Err(SettingsError::UnknownKey { source, meant });
        };
        match self.values(row, value.get_ref()) {
            Ok(values) => Ok((row.key, Given { values, source })),
            Err(reason) => Err(SettingsError::Value {
                source,
                value: self.text[value.span()].to_owned(),
                reason,
            }),
        }
    }

    fn values(&self, row: &Row, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
        match (row.form, value) {
            (Form::Many, DeValue::Array(values)) => values
                .iter()
                .map(|value| self.value(row, value.get_ref()))
                .collect(),
            _ => Ok(vec![self.value(row, value)?]),
        }
    }

    fn value(&self, row: &Row, value: &DeValue<'_>) -> Result<OsString, String> {
        match (row.form, value) {
            (Form::Switch, DeValue::Boolean(word)) => Ok(word.to_string().into()),
            (Form::Switch, _) => Err("is neither true nor false".to_owned()),
            (_, DeValue::String(path)) if row.is_path() && !path.is_empty() => {
                let folder = self.path.parent().unwrap_or(Path::new("."));
                Ok(folder.join(&**path).into_os_string())
            }
            (_, DeValue::String(text)) => Ok(OsString::from(&**text)),
            (_, DeValue::Integer(number)) if row.range().is_some() => {
                i64::from_str_radix(number.as_str(), number.radix())
                    .map(|number| number.to_string().into())
                    .map_err(|_| "is out of range".to_owned())
            }
            (Form::Many, _) => Err("is neither a text nor an array of texts".to_owned()),
            _ => Err(format!("is not a text but a TOML {}", value.type_str())),
        }
    }

    /// The line of a place in the text, from 1.
    fn line(&self, place: &Range<usize>) -> usize {
        let before = &self.text.as_bytes()[..place.start.min(self.text.len())];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

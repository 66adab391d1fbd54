//! `--print-config`: the settings in force as a file that says the same again, each with a
//! comment that tells where it came from.

use super::super::terminal::escape;
use super::rows::{Form, Row, rows};
use super::{Resolved, Source};
use std::fmt::Write;

/// The settings as TOML.
#[must_use]
pub fn show(resolved: &Resolved) -> String {
    let mut out = String::from("# The settings in force, and where each comes from.\n");
    let mut table = None;
    for row in rows() {
        if row.table != table {
            table = row.table;
            // Writing to a string can't fail, here and below.
            let _ = writeln!(out, "\n[{}]", row.table.unwrap_or_default());
        }
        let value = value(&row, &row.get(&resolved.settings));
        let source = match resolved.source(row.key) {
            Source::File { path, line, .. } => {
                format!("{}:{line}", escape(&path.to_string_lossy()))
            }
            other => other.to_string(),
        };
        let _ = writeln!(out, "{:<44} # {source}", format!("{} = {value}", row.key));
    }
    out
}

fn value(row: &Row, values: &[String]) -> String {
    let written = |value: &String| {
        if row.is_text() {
            toml::Value::from(value.as_str()).to_string()
        } else {
            value.clone()
        }
    };
    let values: Vec<String> = values.iter().map(written).collect();
    match row.form {
        Form::Many => format!("[{}]", values.join(", ")),
        Form::One | Form::Switch => values.concat(),
    }
}

//! How fields and lines are written so that nothing foreign reaches a terminal raw. The rule for
//! callers is still to log foreign text with `{:?}` or `?field`, which also shows where it begins
//! and ends; this is the net below it.

use super::super::terminal::escape;
use std::borrow::Cow;
use std::fmt::{self, Debug, Write};
use tracing::field::Field;
use tracing_subscriber::fmt::format::Writer;

/// The longest part of one field that is written, in bytes: room for a backtrace.
const MAX_FIELD: usize = 8 << 10;

/// Writes one field for people: the message bare, any other as `name=value`.
pub(super) fn write_field(
    writer: &mut Writer<'_>,
    field: &Field,
    value: &dyn Debug,
) -> fmt::Result {
    let value = format!("{value:?}");
    let shown = &value[..value.floor_char_boundary(MAX_FIELD)];
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(writer, "{}", escape(shown))?;
    if shown.len() < value.len() {
        write!(writer, "… ({} bytes in all)", value.len())?;
    }
    Ok(())
}

/// A line of JSON with its line feed, with everything written as `\uXXXX` that JSON would let
/// through and a terminal would act on. It can only stand inside strings there.
pub(super) fn escape_json(line: &str) -> String {
    let body = line.strip_suffix('\n').unwrap_or(line);
    if is_shown(body) {
        return line.to_owned();
    }
    let mut out = String::with_capacity(line.len());
    for c in body.chars() {
        if is_shown(c.encode_utf8(&mut [0; 4])) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a string can't fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out.push('\n');
    out
}

fn is_shown(text: &str) -> bool {
    matches!(escape(text), Cow::Borrowed(_))
}

//! The fields of a header besides `msg_type` and `id`, and the typed questions a handler asks them.

use super::{Code, Refusal};
use serde_json::Value;
use std::fmt;

/// The fields of one header, in the order in which they came. A field that is `null` counts as
/// absent; of two with one name the last counts, as in JSON parsers everywhere.
#[derive(Clone, Default, PartialEq)]
pub struct Fields(Vec<(String, Value)>);

/// Fields that nothing but their reader may see.
const SECRETS: &[&str] = &["password", "token"];

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = Value::from("…");
        let shown = self.0.iter().map(|(name, value)| {
            let is_secret = SECRETS.contains(&name.as_str());
            (name, if is_secret { &hidden } else { value })
        });
        f.debug_map().entries(shown).finish()
    }
}

/// A field that is missing or has the wrong type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name.
    pub name: &'static str,
    /// What was expected of it, as in "must be …".
    pub expected: &'static str,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` must be {}", self.name, self.expected)
    }
}

impl std::error::Error for FieldError {}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Self::new(Code::BadHeader, error.to_string())
    }
}

impl Fields {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// These fields and one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.push(name.to_owned(), value.into());
        self
    }

    /// Adds a field.
    pub fn push(&mut self, name: String, value: Value) {
        self.0.push((name, value));
    }

    /// The field called `name`, unless it is absent or `null`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let (_, value) = self.0.iter().rev().find(|(field, _)| field == name)?;
        (!value.is_null()).then_some(value)
    }

    /// The text in `name`, if it is there.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it is there and no string.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, FieldError> {
        let wrong = FieldError {
            name,
            expected: "a string",
        };
        self.get(name)
            .map(|value| value.as_str().ok_or(wrong))
            .transpose()
    }

    /// The text in `name`.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it is absent or no string.
    pub fn required_text(&self, name: &'static str) -> Result<&str, FieldError> {
        self.text(name)?.ok_or(FieldError {
            name,
            expected: "a string, and is missing",
        })
    }

    /// The whole number from 0 to 2⁶⁴ − 1 in `name`, if it is there.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it is there and no such number.
    pub fn number(&self, name: &'static str) -> Result<Option<u64>, FieldError> {
        let wrong = FieldError {
            name,
            expected: "a whole number",
        };
        self.get(name)
            .map(|value| value.as_u64().ok_or(wrong))
            .transpose()
    }

    /// The truth value in `name`, if it is there.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it is there and neither `true` nor `false`.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, FieldError> {
        let wrong = FieldError {
            name,
            expected: "true or false",
        };
        self.get(name)
            .map(|value| value.as_bool().ok_or(wrong))
            .transpose()
    }

    /// Every field with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_two_counts_and_null_is_absent() {
        let fields = Fields::new()
            .with("room", "a")
            .with("room", "b")
            .with("key", Value::Null);
        assert_eq!(fields.text("room"), Ok(Some("b")));
        assert_eq!(fields.text("key"), Ok(None));
    }

    #[test]
    fn secrets_are_not_shown() {
        let fields = Fields::new().with("token", "gp_1").with("user", "lisi");
        assert_eq!(
            format!("{fields:?}"),
            r#"{"token": String("…"), "user": String("lisi")}"#
        );
    }

    #[test]
    fn a_wrong_type_names_the_field() {
        let fields = Fields::new().with("size", -1).with("room", 5);
        assert_eq!(
            fields.number("size").unwrap_err().to_string(),
            "`size` must be a whole number"
        );
        let refusal = Refusal::from(fields.required_text("room").unwrap_err());
        assert_eq!(refusal.code, Code::BadHeader);
    }
}

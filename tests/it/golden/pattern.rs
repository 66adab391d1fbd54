//! What a golden conversation expects of a reply: JSON in which `*` stands for any value and `...`
//! for any further fields.

use serde_json::Value;
use std::str::FromStr;

/// Stands for `*` and `...` once the pattern is JSON; no reply says it.
const ANY: &str = "\u{0}any";
const MORE: &str = "\u{0}more";

/// A pattern for one JSON value.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    value: Value,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = serde_json::from_str(&to_json(text))
            .map_err(|error| format!("{text:?} is no pattern: {error}"))?;
        Ok(Self {
            text: text.to_owned(),
            value,
        })
    }
}

/// The pattern as JSON, its marks replaced outside of strings.
fn to_json(text: &str) -> String {
    let mut json = String::new();
    let mut rest = text;
    let mut quoted = false;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '\\' if quoted => {
                length += rest[1..].chars().next().map_or(0, char::len_utf8);
                json.push_str(&rest[..length]);
            }
            '"' => {
                quoted = !quoted;
                json.push(c);
            }
            '*' if !quoted => json.push_str("\"\\u0000any\""),
            '.' if !quoted && rest.starts_with("...") => {
                length = 3;
                json.push_str("\"\\u0000more\":0");
            }
            _ => json.push(c),
        }
        rest = &rest[length..];
    }
    json
}

impl Pattern {
    /// The field `name` of the pattern, unless it is a wildcard.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.value.get(name).filter(|value| *value != ANY)
    }

    /// Whether `value` is like this.
    ///
    /// # Errors
    ///
    /// A sentence that says where it is not.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        differ(&self.value, value, "").map_or(Ok(()), |place| {
            Err(format!("expected {}\n     got {value}\n{place}", self.text))
        })
    }
}

/// Where `value` differs from `pattern`, if it does.
fn differ(pattern: &Value, value: &Value, place: &str) -> Option<String> {
    match (pattern, value) {
        (Value::String(any), _) if any == ANY => None,
        (Value::Object(pattern), Value::Object(value)) => {
            for (name, expected) in pattern.iter().filter(|(name, _)| *name != MORE) {
                let place = format!("{place}.{name}");
                let Some(value) = value.get(name) else {
                    return Some(format!("{place} is missing"));
                };
                if let Some(place) = differ(expected, value, &place) {
                    return Some(place);
                }
            }
            let further = value.keys().find(|name| !pattern.contains_key(*name))?;
            (!pattern.contains_key(MORE)).then(|| format!("{place}.{further} was not expected"))
        }
        (Value::Array(patterns), Value::Array(values)) if patterns.len() == values.len() => {
            let mut pairs = patterns.iter().zip(values);
            pairs.find_map(|(pattern, value)| differ(pattern, value, &format!("{place}[]")))
        }
        _ if pattern == value => None,
        _ => Some(format!("{place} differs")),
    }
}

#[test]
fn a_pattern_tells_what_differs() {
    let check = |pattern: &str, value: &str| {
        let pattern: Pattern = pattern.parse().unwrap();
        pattern.check(&serde_json::from_str(value).unwrap())
    };
    assert_eq!(check(r#"{"a":1,"b":*}"#, r#"{"b":[],"a":1}"#), Ok(()));
    assert_eq!(
        check(r#"{"a":"*...\"*",...}"#, r#"{"a":"*...\"*","z":0}"#),
        Ok(())
    );
    assert_eq!(check(r#"{"a":[1,*]}"#, r#"{"a":[1,{}]}"#), Ok(()));
    let differs = |pattern: &str, value: &str, why: &str| {
        let told = check(pattern, value).unwrap_err();
        assert!(told.ends_with(why), "{told}");
    };
    differs(r#"{"a":1}"#, r#"{"a":2}"#, ".a differs");
    differs(r#"{"a":*}"#, "{}", ".a is missing");
    differs(r#"{"a":1}"#, r#"{"a":1,"b":2}"#, ".b was not expected");
    differs(r#"{"a":[*]}"#, r#"{"a":[]}"#, ".a differs");
    differs(
        r#"{"a":{"b":"x"},...}"#,
        r#"{"a":{"b":"y"}}"#,
        ".a.b differs",
    );
    assert!("{".parse::<Pattern>().is_err());
}

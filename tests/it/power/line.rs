//! Reads what strace writes: lines of several threads, interleaved, become calls, each with the
//! lines on which it began and ended. What the calls mean is left to `timeline`.

mod tests;

use std::collections::HashMap;

/// One argument of a call, as strace writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A string, and whether it is there to its end.
    Bytes(Vec<u8>, bool),
    /// A number, flags, a null pointer or whatever else has no form of its own.
    Word(String),
    /// What stands in brackets.
    List(Vec<Self>),
    /// What stands in braces; what has no name there has an empty one.
    Fields(Vec<(String, Self)>),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With this result.
    Done(i64),
    /// With this error.
    Failed(String),
    /// Nobody knows: its thread was killed in it.
    Unknown,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) thread: u32,
    pub(super) name: String,
    pub(super) arguments: Vec<Value>,
    pub(super) outcome: Outcome,
    /// The line on which it began. Nothing that it does happened before.
    pub(super) begun: usize,
    /// The line on which its result was there, or the last line if that was never seen.
    pub(super) ended: usize,
}

/// What marks a call that is to be continued.
const UNFINISHED: &str = "<unfinished ...>";

/// Reads all lines, in their order. The calls are in the order of their ends, those without an end
/// last.
///
/// # Errors
///
/// The line that can't be read, and why.
pub(super) fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Vec<Call>, String> {
    let mut calls = Vec::new();
    let mut begun: HashMap<u32, (usize, String)> = HashMap::new();
    let mut last = 0;
    for (number, line) in lines.into_iter().enumerate() {
        last = number;
        let failed = |why: &str| format!("line {number}: {why}: {}", clip(line));
        let (thread, rest) = line.split_once(' ').ok_or_else(|| failed("no thread"))?;
        let thread: u32 = thread.parse().map_err(|_| failed("no thread"))?;
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        let (start, text) = match rest.strip_prefix("<... ") {
            None => (number, rest.to_owned()),
            Some(resumed) => {
                let resumed = resumed.split_once("resumed>");
                let (_, rest) = resumed.ok_or_else(|| failed("resumed?"))?;
                let (start, text) = begun.remove(&thread).ok_or_else(|| failed("never begun"))?;
                (start, text + rest)
            }
        };
        let text = text.trim_end();
        if let Some(text) = text.strip_suffix(UNFINISHED) {
            begun.insert(thread, (start, text.to_owned()));
        } else {
            calls.push(call(thread, text, start, number).map_err(|why| failed(&why))?);
        }
    }
    let mut rest: Vec<_> = begun.into_iter().collect();
    rest.sort_by_key(|(_, (start, _))| *start);
    for (thread, (start, text)) in rest {
        calls.push(call(thread, &text, start, last)?);
    }
    Ok(calls)
}

/// The beginning of a line, for a message.
fn clip(line: &str) -> String {
    line.chars().take(200).collect()
}

/// Reads one whole call, or the beginning of one that has no end.
fn call(thread: u32, text: &str, begun: usize, ended: usize) -> Result<Call, String> {
    let (name, rest) = text.split_once('(').ok_or("no call")?;
    let mut reader = Reader { rest };
    let arguments = reader.list(')')?.into_iter().map(|(_, value)| value);
    let arguments: Vec<_> = arguments.collect();
    let result = reader.rest.trim_start().strip_prefix('=');
    Ok(Call {
        thread,
        name: name.to_owned(),
        arguments,
        outcome: result.map_or(Ok(Outcome::Unknown), |result| outcome(result.trim_start()))?,
        begun,
        ended,
    })
}

fn outcome(text: &str) -> Result<Outcome, String> {
    let mut words = text.split_whitespace();
    let first = words.next().ok_or("no result")?;
    if first == "?" {
        return Ok(Outcome::Unknown);
    }
    if first == "-1" {
        return Ok(match words.next() {
            Some(name) if name.starts_with('E') => Outcome::Failed(name.to_owned()),
            // What strace says of a thread that was killed under it.
            _ => Outcome::Unknown,
        });
    }
    let number = number(first).ok_or_else(|| format!("the result {first:?}"))?;
    Ok(Outcome::Done(number))
}

/// A number in any of strace's forms.
pub(super) fn number(word: &str) -> Option<i64> {
    if let Some(hex) = word.strip_prefix("0x") {
        // Pointers fill all 64 bits.
        return u64::from_str_radix(hex, 16).ok().map(u64::cast_signed);
    }
    if word.len() > 1 && word.starts_with('0') {
        return i64::from_str_radix(word, 8).ok();
    }
    word.parse().ok()
}

/// What is not yet read of a call.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Values up to `end`, or to the end of a text that breaks off.
    fn list(&mut self, end: char) -> Result<Vec<(String, Value)>, String> {
        let mut values = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() {
                return Ok(values);
            }
            if let Some(rest) = self.rest.strip_prefix(end) {
                self.rest = rest;
                return Ok(values);
            }
            // Some lists have commas between their values, and sets have none.
            if self.skip(",") {
                continue;
            }
            let name = self.name();
            let mut value = self.value()?;
            if self.skip("=>") {
                // What the call made of it; of a structure only what it filled in is repeated.
                value = match (value, self.value()?) {
                    (Value::Fields(before), Value::Fields(after)) => {
                        Value::Fields([before, after].concat())
                    }
                    (_, after) => after,
                };
            }
            values.push((name, value));
        }
    }

    /// The name of a field, if one stands here.
    fn name(&mut self) -> String {
        let length = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(0);
        let (name, rest) = self.rest.split_at(length);
        match rest.strip_prefix('=') {
            Some(rest) if !rest.starts_with('>') && !name.is_empty() => {
                self.rest = rest;
                name.to_owned()
            }
            _ => String::new(),
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        self.rest = self.rest.trim_start();
        if self.skip("\"") {
            return self.string();
        }
        if self.skip("[") {
            let values = self.list(']')?;
            return Ok(Value::List(
                values.into_iter().map(|(_, value)| value).collect(),
            ));
        }
        if self.skip("{") {
            return Ok(Value::Fields(self.list('}')?));
        }
        self.word()
    }

    /// A word up to what divides values; brackets inside it belong to it.
    fn word(&mut self) -> Result<Value, String> {
        let mut depth = 0usize;
        let mut quoted = false;
        let end = self.rest.char_indices().find(|&(at, c)| {
            match c {
                '"' => quoted = !quoted,
                _ if quoted => {}
                '(' => depth += 1,
                ')' if depth > 0 => depth -= 1,
                ',' | ']' | '}' | ')' if depth == 0 => return true,
                ' ' if depth == 0 && self.rest[at..].starts_with(" => ") => return true,
                _ => {}
            }
            false
        });
        let (word, rest) = self
            .rest
            .split_at(end.map_or(self.rest.len(), |(at, _)| at));
        if word.is_empty() {
            return Err(format!("a value is missing before {:?}", clip(rest)));
        }
        self.rest = rest;
        Ok(Value::Word(word.trim_end().to_owned()))
    }

    /// A string behind its opening quote: every byte as `\x` and two digits.
    fn string(&mut self) -> Result<Value, String> {
        let (text, rest) = self.rest.split_once('"').ok_or("a string has no end")?;
        let bytes = text.as_bytes().chunks(4).map(|byte| match byte {
            [b'\\', b'x', high, low] => {
                let digit = |digit: u8| char::from(digit).to_digit(16);
                u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
            }
            _ => None,
        });
        let bytes: Option<Vec<u8>> = bytes.collect();
        let bytes = bytes.ok_or_else(|| format!("no string: {:?}", clip(text)))?;
        self.rest = rest;
        let whole = !self.skip("...");
        Ok(Value::Bytes(bytes, whole))
    }
}

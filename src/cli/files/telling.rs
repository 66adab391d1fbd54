//! What `send` and `get` say while files are under way: bars and remarks on standard error for a
//! person, or lines of JSON on standard output for a script. What they say of a file that is done is
//! left to them.

use super::bars::Bars;
use super::crew::Told;
use super::{human, tell};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::terminal::complain;
use serde_json::{Value, json};
use std::fmt;
use std::time::{Duration, Instant};

/// How often progress is told to a script, for each file.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// What is said, and what failed.
pub(in crate::cli) struct Telling {
    is_json: bool,
    output: Output,
    bars: Bars,
    files: Vec<File>,
    failures: Vec<(usize, Failure)>,
}

/// A file that is told of.
struct File {
    /// What it is called here.
    label: String,
    size: Option<u64>,
    is_done: bool,
    told: Option<Instant>,
}

impl Telling {
    /// What is said of the files called so, which are believed to have so many bytes.
    pub(in crate::cli) fn new(
        is_json: bool,
        files: impl IntoIterator<Item = (String, u64)>,
    ) -> Self {
        let mut believed = Vec::new();
        let file = |(label, size)| {
            believed.push(size);
            File {
                label,
                size: None,
                is_done: false,
                told: None,
            }
        };
        let files: Vec<_> = files.into_iter().map(file).collect();
        Self {
            is_json,
            output: Output::stdout(),
            bars: Bars::new(believed),
            files,
            failures: Vec::new(),
        }
    }

    /// Something happened to file number `file`.
    pub(in crate::cli) fn told(&mut self, file: usize, told: &Told) -> Result<(), Failure> {
        let label = self.files[file].label.clone();
        self.bars.show(file, &label, told);
        if let Told::Begun(size) = told {
            self.files[file].size = *size;
        }
        if self.is_json {
            return match self.event(file, told) {
                Some(event) => self.json(file, event),
                None => Ok(()),
            };
        }
        match told {
            // Where all of it is there the receipt says so.
            Told::Resumed(offset) if self.files[file].size != Some(*offset) => {
                self.remark(format_args!("{label}: goes on at {}", human(*offset)));
            }
            Told::Broken(why, wait) => {
                let wait = Duration::from_millis(wait.as_millis() as u64);
                let wait = humantime::format_duration(wait);
                self.remark(format_args!("{label}: {why}; trying again in {wait}"));
            }
            Told::StartedOver => self.remark(format_args!(
                "{label}: starts over, since what was there is not the same file"
            )),
            _ => {}
        }
        Ok(())
    }

    fn event(&mut self, file: usize, told: &Told) -> Option<Value> {
        Some(match told {
            Told::Begun(size) => json!({"event": "begin", "size": size}),
            Told::Resumed(offset) => json!({"event": "resume", "offset": offset}),
            Told::Moved(bytes, size) => {
                let last = &mut self.files[file].told;
                if last.is_some_and(|last| last.elapsed() < PROGRESS_EVERY) {
                    return None;
                }
                *last = Some(Instant::now());
                json!({"event": "progress", "bytes": bytes, "size": size})
            }
            Told::Broken(why, wait) => {
                json!({"event": "retry", "error": why, "wait_ms": wait.as_millis() as u64})
            }
            Told::StartedOver => json!({"event": "restart"}),
            Told::Hashed(_) | Told::Waiting => return None,
        })
    }

    /// Says an event of a file, as JSON.
    fn json(&mut self, file: usize, mut event: Value) -> Result<(), Failure> {
        event["file"] = self.files[file].label.clone().into();
        let output = &mut self.output;
        self.bars.aside(|| output.json(&event))
    }

    /// Says that a file is done: an event, or the line that is kept and what else there is to
    /// remark.
    pub(in crate::cli) fn done(
        &mut self,
        file: usize,
        event: Value,
        line: Option<String>,
        remarks: impl IntoIterator<Item = String>,
    ) -> Result<(), Failure> {
        self.files[file].is_done = true;
        self.bars.end(file);
        if self.is_json {
            return self.json(file, event);
        }
        if let Some(line) = line {
            let output = &mut self.output;
            self.bars.aside(|| output.record(line))?;
        }
        remarks.into_iter().for_each(|remark| self.remark(remark));
        Ok(())
    }

    /// Says that a file failed; a person is told at the end.
    pub(in crate::cli) fn failed(&mut self, file: usize, failure: Failure) -> Result<(), Failure> {
        self.bars.end(file);
        let event = json!({
            "event": "error",
            "error": failure.sentence,
            "exit": failure.exit.number(),
        });
        let label = &self.files[file].label;
        self.failures.push((file, failure.about(label)));
        match self.is_json {
            true => self.json(file, event),
            false => Ok(()),
        }
    }

    /// Says something to a person.
    pub(in crate::cli) fn remark(&self, remark: impl fmt::Display) {
        self.bars.aside(|| complain(remark));
    }

    /// Whether file number `file` is done.
    pub(in crate::cli) fn is_done(&self, file: usize) -> bool {
        self.files[file].is_done
    }

    /// Takes the bars away and says what failed, in the order of the files; `done` is what was not
    /// done.
    pub(in crate::cli) fn finish(&mut self, done: &str) -> Result<(), Failure> {
        self.bars.finish();
        let mut failures = std::mem::take(&mut self.failures);
        failures.sort_by_key(|(file, _)| *file);
        let failures = failures.into_iter().map(|(_, failure)| failure);
        let (each, all) = tell(failures.collect(), self.files.len(), done);
        each.iter().for_each(complain);
        all.map_or(Ok(()), Err)
    }
}

//! `gatepost talk --jobs N`: many conversations at once.

use super::lines::Lines;
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::client::talk::{Url, converse};
use std::time::Duration;

/// Has `jobs` conversations and prints answers as they come. Failures are counted and told last.
pub(super) fn run(
    url: &Url,
    mut lines: Lines,
    jobs: usize,
    timeout: Duration,
) -> Result<(), Failure> {
    let mut texts = Vec::new();
    while let Some(text) = lines.next()? {
        texts.push(text);
    }
    if texts.is_empty() {
        return Err(Failure::usage("there is nothing to say"));
    }
    let mut output = Output::stdout();
    let mut failed = 0_usize;
    let mut first = None;
    let mut unsaid = Ok(());
    converse(url, &texts, jobs, timeout, |told| match told {
        Ok(text) if unsaid.is_ok() => unsaid = output.line(text),
        Ok(_) => {}
        Err(error) => {
            failed += 1;
            first.get_or_insert(error);
        }
    });
    unsaid?;
    let Some(first) = first else {
        return Ok(());
    };
    Err(match jobs {
        1 => first.into(),
        _ => Failure::from(first).about(format_args!(
            "{failed} of {jobs} conversations failed, the first"
        )),
    })
}

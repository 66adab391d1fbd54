//! What a load measured.

use super::{KINDS, Kind};
use hdrhistogram::Histogram;
use std::time::Duration;

/// What one thread, and in the end all of them, saw.
#[derive(Debug)]
pub(super) struct Tally {
    latencies: Vec<Histogram<u64>>,
    errors: Vec<u64>,
    first_error: Option<String>,
}

/// The longest latency told apart, in nanoseconds: an hour. What is longer counts as that.
const LONGEST: u64 = 3_600_000_000_000;

impl Tally {
    pub(super) fn new() -> Self {
        let histogram = || {
            Histogram::new_with_bounds(1, LONGEST, 3).expect("bounds and precision are in range")
        };
        Self {
            latencies: KINDS.iter().map(|_| histogram()).collect(),
            errors: vec![0; KINDS.len()],
            first_error: None,
        }
    }

    pub(super) fn answered(&mut self, kind: Kind, latency: Duration) {
        let latency = u64::try_from(latency.as_nanos()).unwrap_or(LONGEST);
        self.latencies[kind as usize].saturating_record(latency);
    }

    pub(super) fn failed(&mut self, kind: Kind, why: &dyn std::fmt::Display) {
        self.errors[kind as usize] += 1;
        if self.first_error.is_none() {
            self.first_error = Some(format!("{}: {why}", kind.word()));
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        for (mine, its) in self.latencies.iter_mut().zip(other.latencies) {
            mine.add(its).expect("all histograms have the same bounds");
        }
        for (mine, its) in self.errors.iter_mut().zip(other.errors) {
            *mine += its;
        }
        if self.first_error.is_none() {
            self.first_error = other.first_error;
        }
    }
}

/// What a load measured.
#[derive(Debug)]
pub struct Report {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// One row a kind that was asked, in the order of [`KINDS`].
    pub rows: Vec<Row>,
    /// All kinds together.
    pub total: Row,
    /// What the first error was. Holds foreign text: escape it before it reaches a terminal.
    pub first_error: Option<String>,
}

/// The figures of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The kind's word, or `all`.
    pub kind: &'static str,
    /// Requests that were answered as they should be.
    pub answered: u64,
    /// Requests that were not.
    pub errors: u64,
    /// Answered requests a second.
    pub rate: f64,
    /// Half of the answers took at most this long.
    pub p50: Duration,
    /// 99 % of the answers took at most this long.
    pub p99: Duration,
    /// 99.9 % of the answers took at most this long.
    pub p999: Duration,
    /// The slowest answer.
    pub max: Duration,
}

impl Report {
    pub(super) fn new(tally: Tally, elapsed: Duration) -> Self {
        let mut all = tally.latencies[0].clone();
        let mut rows = Vec::new();
        for (index, kind) in KINDS.iter().enumerate() {
            let (latencies, errors) = (&tally.latencies[index], tally.errors[index]);
            if index > 0 {
                all.add(latencies)
                    .expect("all histograms have the same bounds");
            }
            if !latencies.is_empty() || errors > 0 {
                rows.push(Row::new(kind.word(), latencies, errors, elapsed));
            }
        }
        Self {
            elapsed,
            rows,
            total: Row::new("all", &all, tally.errors.iter().sum(), elapsed),
            first_error: tally.first_error,
        }
    }
}

impl Row {
    fn new(kind: &'static str, latencies: &Histogram<u64>, errors: u64, elapsed: Duration) -> Self {
        let at = |quantile| Duration::from_nanos(latencies.value_at_quantile(quantile));
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        let rate = latencies.len() as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        Self {
            kind,
            answered: latencies.len(),
            errors,
            rate,
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: Duration::from_nanos(latencies.max()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiles_are_those_of_what_was_recorded() {
        let (mut tally, mut other) = (Tally::new(), Tally::new());
        for micros in 1..=1000 {
            let half = if micros % 2 == 0 {
                &mut tally
            } else {
                &mut other
            };
            half.answered(Kind::Msg, Duration::from_micros(micros));
        }
        other.failed(Kind::Bot, &"no bot");
        tally.add(other);
        let report = Report::new(tally, Duration::from_secs(2));
        let words: Vec<_> = report.rows.iter().map(|row| row.kind).collect();
        assert_eq!(words, ["msg", "bot"]);
        assert_eq!((report.total.answered, report.total.errors), (1000, 1));
        assert!((report.total.rate - 500.0).abs() < 0.1);
        let near = |is: Duration, micros: u64| {
            is.as_micros().abs_diff(u128::from(micros)) <= u128::from(micros / 500)
        };
        assert!(near(report.rows[0].p50, 500));
        assert!(near(report.rows[0].p99, 990));
        assert!(near(report.rows[0].max, 1000));
        assert_eq!(report.first_error.as_deref(), Some("bot: no bot"));
    }
}

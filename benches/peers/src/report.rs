//! The tables: figures as text, text in Markdown. What the figures are is left
//! to `sample`.

use std::fmt;

use crate::sample::Summary;
use crate::targets::GATEPOST;

/// A Markdown table whose source reads as a table too.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Of measurements of `unit` per second, told apart by `settings`.
    pub(crate) fn new(settings: &[&str], unit: &str) -> Self {
        let rate = format!("{unit}/s");
        let figures = [
            "server",
            &rate,
            "slowest–fastest round",
            "p50 µs",
            "p99 µs",
            "p99.9 µs",
            "client CPUs",
            "gatepost / it",
        ];
        let heads = settings.iter().chain(&figures);
        Self {
            rows: vec![heads.map(|&head| head.to_owned()).collect()],
        }
    }

    /// Adds a row for each server measured at the same `settings`.
    pub(crate) fn add(&mut self, settings: &[u32], servers: &[(&str, Summary)]) {
        let gatepost = servers.iter().find(|(name, _)| *name == GATEPOST);
        for (name, summary) in servers {
            let ratio = gatepost
                .filter(|_| *name != GATEPOST)
                .map(|(_, ours)| ours.median.rate / summary.median.rate);
            let mut row: Vec<_> = settings.iter().map(u32::to_string).collect();
            row.push((*name).to_owned());
            row.extend(figures(summary));
            row.push(ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}")));
            self.rows.push(row);
        }
    }

    /// The widest cell of each column, and Markdown's least for a rule.
    fn widths(&self) -> Vec<usize> {
        let columns = self.rows[0].len();
        let width = |column: usize| self.rows.iter().map(move |row| row[column].chars().count());
        (0..columns)
            .map(|column| width(column).max().unwrap_or(0).max(3))
            .collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for (index, row) in self.rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(out, "| {cell:>width$} ")?;
            }
            writeln!(out, "|")?;
            if index == 0 {
                for width in &widths {
                    write!(out, "|{}:", "-".repeat(width + 1))?;
                }
                writeln!(out, "|")?;
            }
        }
        Ok(())
    }
}

fn figures(summary: &Summary) -> [String; 6] {
    let median = &summary.median;
    [
        thousands(median.rate),
        format!(
            "{}–{}",
            thousands(summary.slowest),
            thousands(summary.fastest)
        ),
        microseconds(median.p50),
        microseconds(median.p99),
        microseconds(median.p999),
        format!("{:.2}", median.client_cpus),
    ]
}

/// A whole number with a comma after each three digits.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits are all that the histogram knows.
fn microseconds(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.1}")
    } else {
        thousands(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn summary(rate: f64) -> Summary {
        let sample = Sample {
            rate,
            p50: 12.34,
            p99: 123.4,
            p999: 1234.5,
            client_cpus: 0.987,
        };
        Summary::of(&[sample]).unwrap()
    }

    #[test]
    fn numbers_are_written_for_reading() {
        assert_eq!(thousands(0.4), "0");
        assert_eq!(thousands(999.0), "999");
        assert_eq!(thousands(1_000.0), "1,000");
        assert_eq!(thousands(1_234_567.8), "1,234,568");
        assert_eq!(microseconds(99.94), "99.9");
        assert_eq!(microseconds(1234.4), "1,234");
    }

    #[test]
    fn a_table_is_markdown_in_even_columns() {
        let mut table = Table::new(&["connections"], "requests");
        table.add(&[16], &[("tokio echo", summary(40_000.0))]);
        let text = table.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("| connections |     server | requests/s |"));
        assert!(lines[1].starts_with("|------------:|-----------:|-----------:|"));
        assert!(lines[2].starts_with("|          16 | tokio echo |     40,000 |"));
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
    }

    #[test]
    fn gatepost_is_set_against_every_other() {
        let mut table = Table::new(&[], "requests");
        let servers = [("echo", summary(200.0)), (GATEPOST, summary(150.0))];
        table.add(&[], &servers);
        assert_eq!(table.rows[1].last().unwrap(), "0.75");
        assert_eq!(table.rows[2].last().unwrap(), "–");
    }

    #[test]
    fn without_gatepost_there_is_no_ratio() {
        let mut table = Table::new(&[], "requests");
        table.add(&[], &[("echo", summary(200.0))]);
        assert_eq!(table.rows[1].last().unwrap(), "–");
    }
}

//! What moving files cost, and the medians of several rounds as a table.

use std::fmt;
use std::time::Duration;

use crate::report::thousands;
use crate::targets::GATEPOST;

/// One round of one server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Haul {
    pub(super) wall: Duration,
    /// Processor time of the server.
    pub(super) cpu: Duration,
    pub(super) files: u32,
    pub(super) bytes: u64,
}

/// All rounds of all servers.
#[derive(Debug)]
pub(super) struct Hauls(Vec<(&'static str, Vec<Haul>)>);

impl Hauls {
    pub(super) fn new(names: impl Iterator<Item = &'static str>) -> Self {
        Self(names.map(|name| (name, Vec::new())).collect())
    }

    pub(super) fn add(&mut self, server: usize, haul: Haul) {
        self.0[server].1.push(haul);
    }
}

impl fmt::Display for Hauls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let medians: Vec<_> = self
            .0
            .iter()
            .map(|(name, hauls)| (*name, median(hauls)))
            .collect();
        let ours: Vec<_> = medians
            .iter()
            .filter(|(name, _)| name.starts_with(GATEPOST))
            .collect();
        write!(
            out,
            "| server | MB/s | files/s | slowest–fastest s | server CPU s/GiB |"
        )?;
        for (name, _) in &ours {
            write!(out, " {name} / it |")?;
        }
        writeln!(out)?;
        writeln!(out, "|---|--:|--:|--:|--:|{}", "--:|".repeat(ours.len()))?;
        for ((name, median), (_, hauls)) in medians.iter().zip(&self.0) {
            let seconds = median.wall.as_secs_f64();
            let walls = || hauls.iter().map(|haul| haul.wall.as_secs_f64());
            write!(
                out,
                "| {name} | {} | {} | {:.2}–{:.2} | {:.2} |",
                thousands(median.bytes as f64 / 1e6 / seconds),
                thousands(f64::from(median.files) / seconds),
                walls().fold(0.0, f64::max),
                walls().fold(f64::INFINITY, f64::min),
                median.cpu.as_secs_f64() / (median.bytes as f64 / f64::from(1 << 30)),
            )?;
            for (ours, haul) in &ours {
                if ours == name {
                    write!(out, " – |")?;
                } else {
                    write!(out, " {:.2} |", seconds / haul.wall.as_secs_f64())?;
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// The round in the middle by its time.
fn median(hauls: &[Haul]) -> Haul {
    let mut hauls = hauls.to_vec();
    hauls.sort_by_key(|haul| haul.wall);
    hauls[hauls.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_set_against_gatepost() {
        let haul = |millis| Haul {
            wall: Duration::from_millis(millis),
            cpu: Duration::from_millis(500),
            files: 1,
            bytes: 1 << 30,
        };
        let mut hauls = Hauls::new(["gatepost", "nginx"].into_iter());
        for millis in [100, 500, 900] {
            hauls.add(0, haul(millis));
            hauls.add(1, haul(2 * millis));
        }
        let text = hauls.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[2], "| gatepost | 2,147 | 2 | 0.90–0.10 | 0.50 | – |");
        assert_eq!(lines[3], "| nginx | 1,074 | 1 | 1.80–0.20 | 0.50 | 2.00 |");
    }
}

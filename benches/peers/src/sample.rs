//! One measurement, and the median of several. Turning them into text is left
//! to `report`.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies in nanoseconds, three digits of them significant.
pub(crate) type Latencies = Histogram<u64>;

/// An empty histogram that grows with what it is given.
pub(crate) fn latencies() -> Latencies {
    Histogram::new(3).expect("three significant digits are within the crate's 0 to 5")
}

/// Nanoseconds of `length`, as the histogram counts.
pub(crate) fn nanoseconds(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// What one turn of one server showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// Requests (or connections) per second.
    pub(crate) rate: f64,
    /// Latencies in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Processors the load generator kept busy. Near one for a single thread
    /// it says that the client, not the server, is the limit.
    pub(crate) client_cpus: f64,
}

impl Sample {
    pub(crate) fn new(latencies: &Latencies, count: u64, wall: Duration, cpu: Duration) -> Self {
        let microseconds = |quantile| latencies.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            rate: count as f64 / wall.as_secs_f64(),
            p50: microseconds(0.50),
            p99: microseconds(0.99),
            p999: microseconds(0.999),
            client_cpus: cpu.as_secs_f64() / wall.as_secs_f64(),
        }
    }
}

/// The medians over all turns of one server, each figure by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: Sample,
    pub(crate) slowest: f64,
    pub(crate) fastest: f64,
}

impl Summary {
    /// `None` of no samples at all.
    pub(crate) fn of(samples: &[Sample]) -> Option<Self> {
        let middle = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
        let rates = || samples.iter().map(|sample| sample.rate);
        Some(Self {
            median: Sample {
                rate: middle(|sample| sample.rate)?,
                p50: middle(|sample| sample.p50)?,
                p99: middle(|sample| sample.p99)?,
                p999: middle(|sample| sample.p999)?,
                client_cpus: middle(|sample| sample.client_cpus)?,
            },
            slowest: rates().fold(f64::INFINITY, f64::min),
            fastest: rates().fold(0.0, f64::max),
        })
    }
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((values[values.len() / 2 - 1] + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![7.0]), Some(7.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn a_sample_counts_per_second_and_in_microseconds() {
        let mut all = latencies();
        for latency in [10_000, 20_000, 30_000] {
            all.record(latency).unwrap();
        }
        let sample = Sample::new(&all, 300, Duration::from_secs(2), Duration::from_secs(1));
        assert_eq!(sample.rate, 150.0);
        assert_eq!(sample.client_cpus, 0.5);
        assert!((sample.p50 - 20.0).abs() < 0.1);
        assert!((sample.p999 - 30.0).abs() < 0.1);
    }

    #[test]
    fn a_summary_takes_each_figure_by_itself() {
        let sample = |rate, p99| Sample {
            rate,
            p50: 1.0,
            p99,
            p999: 3.0,
            client_cpus: 1.0,
        };
        let summary = Summary::of(&[sample(10.0, 5.0), sample(30.0, 9.0), sample(20.0, 7.0)]);
        let summary = summary.unwrap();
        assert_eq!(summary.median, sample(20.0, 7.0));
        assert_eq!((summary.slowest, summary.fastest), (10.0, 30.0));
        assert_eq!(Summary::of(&[]), None);
    }
}

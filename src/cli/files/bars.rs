//! Bars on standard error, one for each file under way and one for all. They show what has arrived
//! where it is going, and draw nothing where standard error is no terminal.

use super::crew::Told;
use crate::cli::terminal::escape;
use crate::client::{Phase, Progress};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;

const ONE: &str = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}";

fn new_bar(name: &str, size: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(ONE);
    let bar = ProgressBar::new(size);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(escape(name).into_owned());
    bar
}

/// The bar of one file: bytes confirmed, rate, time left.
pub(in crate::cli) struct Bar(ProgressBar);

impl Bar {
    pub(in crate::cli) fn new(name: &str, size: u64) -> Self {
        Self(new_bar(name, size))
    }

    pub(in crate::cli) fn show(&self, progress: Progress) {
        self.0.set_position(progress.confirmed);
        if progress.phase == Phase::Waiting {
            self.0.set_message("waiting for the server");
        }
    }

    /// Takes the bar away.
    pub(in crate::cli) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// The bars of several files.
pub(in crate::cli) struct Bars {
    all: MultiProgress,
    /// Where there is more than one file.
    total: Option<ProgressBar>,
    bars: HashMap<usize, ProgressBar>,
    /// What is believed of the sizes of all files before they begin, in bytes.
    believed: Vec<u64>,
    done: usize,
}

impl Bars {
    /// Bars for files that are not begun and are believed to have these sizes; 0 where nothing is
    /// known.
    pub(in crate::cli) fn new(believed: Vec<u64>) -> Self {
        let all = MultiProgress::new();
        let size = believed.iter().sum();
        let total = (believed.len() > 1).then(|| all.add(new_bar("total", size)));
        Self {
            all,
            total,
            bars: HashMap::new(),
            believed,
            done: 0,
        }
    }

    /// Shows what happens to file number `file`, called `name`.
    pub(in crate::cli) fn show(&mut self, file: usize, name: &str, told: &Told) {
        if let Told::Begun(size) = told {
            let bar = new_bar(name, self.believed[file]);
            let bar = match &self.total {
                Some(total) => self.all.insert_before(total, bar),
                None => self.all.add(bar),
            };
            self.resize(&bar, size.unwrap_or(self.believed[file]));
            self.bars.insert(file, bar);
        }
        let Some(bar) = self.bars.get(&file) else {
            return;
        };
        match told {
            Told::Begun(_) => {}
            Told::Hashed(bytes) => {
                let whole = bar.length().unwrap_or_default().max(1);
                bar.set_message(format!("hashing {}%", percent(*bytes, whole)));
            }
            Told::Resumed(offset) => {
                self.move_to(bar, *offset);
                // What was there before is no sign of how fast it goes.
                bar.reset_eta();
                bar.set_message("");
            }
            Told::Moved(bytes, size) => {
                self.resize(bar, *size);
                self.move_to(bar, *bytes);
                bar.set_message("");
            }
            Told::Waiting => bar.set_message("waiting for the server"),
            Told::Broken(..) => bar.set_message("waiting to try again"),
            Told::StartedOver => self.move_to(bar, 0),
        }
    }

    fn resize(&self, bar: &ProgressBar, size: u64) {
        if let Some(total) = &self.total {
            let grown = total.length().unwrap_or_default() + size;
            total.set_length(grown.saturating_sub(bar.length().unwrap_or_default()));
        }
        bar.set_length(size);
    }

    fn move_to(&self, bar: &ProgressBar, bytes: u64) {
        if let Some(total) = &self.total {
            let moved = total.position() + bytes;
            total.set_position(moved.saturating_sub(bar.position()));
        }
        bar.set_position(bytes);
    }

    /// Takes the bar of a file away; all of it has arrived, or none of it will be waited for.
    pub(in crate::cli) fn end(&mut self, file: usize) {
        if let Some(bar) = self.bars.remove(&file) {
            self.move_to(&bar, bar.length().unwrap_or_default());
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
        self.done += 1;
        if let Some(total) = &self.total {
            total.set_message(format!("{} of {} files", self.done, self.believed.len()));
        }
    }

    /// Says something while the bars are away.
    pub(in crate::cli) fn aside<T>(&self, say: impl FnOnce() -> T) -> T {
        self.all.suspend(say)
    }

    /// Takes all bars away.
    pub(in crate::cli) fn finish(&mut self) {
        for (_, bar) in self.bars.drain() {
            bar.finish_and_clear();
        }
        if let Some(total) = &self.total {
            total.finish_and_clear();
        }
    }
}

fn percent(bytes: u64, whole: u64) -> u64 {
    (u128::from(bytes) * 100 / u128::from(whole)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_sum_of_what_arrived() {
        let mut bars = Bars::new(vec![90, 0]);
        let total = bars.total.clone().unwrap();
        let at = || (total.position(), total.length().unwrap());
        assert_eq!(at(), (0, 90));
        bars.show(0, "a", &Told::Begun(Some(100)));
        bars.show(1, "b", &Told::Begun(None));
        bars.show(0, "a", &Told::Resumed(40));
        bars.show(0, "a", &Told::Moved(60, 100));
        // How large a file is that is fetched shows only when it comes.
        bars.show(1, "b", &Told::Moved(5, 10));
        assert_eq!(at(), (65, 110));
        bars.show(1, "b", &Told::StartedOver);
        assert_eq!(at(), (60, 110));
        bars.end(0);
        bars.end(1);
        assert_eq!(at(), (110, 110));
        assert_eq!(percent(1 << 40, 1 << 41), 50);
    }
}

//! The run: all servers of a row up at once, measured by turns (A B C A B C …)
//! so that whatever else the machine does falls on each alike, the medians in
//! a table. How one turn is measured is left to `load` and `connect`.

use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::cli::{Row, RunOptions};
use crate::connect;
use crate::fanout::{self, Fanout};
use crate::files;
use crate::load::{self, Load};
use crate::report::{Table, thousands};
use crate::rooms::Room;
use crate::sample::{Sample, Summary};
use crate::servers::course::TAKEN;
use crate::targets::{self, Named, Target};

/// Between two turns, for a server to clear up after a thousand connections
/// before the next one is on the clock.
const REST: Duration = Duration::from_millis(100);

/// Measures what `options` ask for and prints it.
pub(crate) fn run(options: &RunOptions) -> anyhow::Result<()> {
    println!(
        "{} processors; medians of {} rounds of {:?} each, by turns\n",
        thread::available_parallelism()?,
        options.rounds,
        options.seconds
    );
    if options.wants(Row::Ping) {
        println!("## ping\n");
        press(options, "requests", targets::for_ping(options)?)?;
    }
    if options.wants(Row::Durable) {
        println!("## durable\n");
        press(options, "messages", targets::for_durable(options)?)?;
    }
    if options.wants(Row::Connect) {
        println!("## connect\n");
        connect(options)?;
    }
    if options.wants(Row::Fanout) {
        println!("## fanout\n");
        fanout(options)?;
    }
    if options.wants(Row::Upload) {
        println!("## upload\n");
        files::upload(options)?;
    }
    if options.wants(Row::Download) {
        println!("## download\n");
        files::download(options)?;
    }
    Ok(())
}

fn fanout(options: &RunOptions) -> anyhow::Result<()> {
    let targets = targets::for_fanout(options)?;
    let mut table = Table::new(&["readers", "stalled", "messages/s"], "deliveries");
    for &pace in &options.pace {
        for &stalled in &options.stalled {
            eprintln!(
                "fanout: {} readers, {stalled} stalled, pace {pace}",
                options.readers
            );
            let fanout = Fanout {
                readers: options.readers,
                stalled,
                pace: (pace > 0).then_some(pace),
                length: options.seconds,
            };
            let turn = |_, target: &(Room, Target)| {
                fanout::measure(target.1.server.address(), target.0, fanout)
            };
            let summaries = by_turns(options, &targets, turn)?;
            table.add(&[options.readers, stalled, pace], &summaries);
        }
    }
    println!("{table}");
    for (_, target) in targets {
        target.server.stop().context(target.name)?;
    }
    Ok(())
}

/// Presses all `targets` at every number of connections and depth asked for.
fn press(options: &RunOptions, unit: &str, targets: Vec<Target>) -> anyhow::Result<()> {
    let mut table = Table::new(&["connections", "depth"], unit);
    let outcome = press_all(options, &targets, &mut table);
    // What was measured before a failure is worth reading all the same.
    println!("{table}");
    outcome?;
    for target in targets {
        target.server.stop().context(target.name)?;
    }
    Ok(())
}

fn press_all(options: &RunOptions, targets: &[Target], table: &mut Table) -> anyhow::Result<()> {
    for &connections in &options.connections {
        for &depth in &options.depth {
            let load = Load {
                connections,
                depth,
                length: options.seconds,
            };
            eprintln!("{connections} connections, depth {depth}");
            let turn =
                |_, target: &Target| load::measure(target.server.address(), target.dialect, load);
            table.add(&[connections, depth], &by_turns(options, targets, turn)?);
        }
    }
    Ok(())
}

fn connect(options: &RunOptions) -> anyhow::Result<()> {
    let targets = targets::for_connect(options)?;
    let mut table = Table::new(&["client threads"], "connections");
    let mut sent = vec![0; targets.len()];
    eprintln!("connect: {} client threads", options.connect_threads);
    let summaries = by_turns(options, &targets, |index, target| {
        let address = target.server.address();
        let outcome = connect::measure(address, options.connect_threads, options.seconds)?;
        sent[index] += outcome.conversations;
        Ok(outcome.sample)
    })?;
    table.add(&[options.connect_threads], &summaries);
    println!("{table}");
    for (target, sent) in targets.into_iter().zip(sent) {
        let said = target.server.stop().context(target.name)?;
        check_taken(target.name, sent, &said)?;
    }
    Ok(())
}

/// One sample of each target in each round; the summaries in their order.
fn by_turns<T: Named>(
    options: &RunOptions,
    targets: &[T],
    mut turn: impl FnMut(usize, &T) -> anyhow::Result<Sample>,
) -> anyhow::Result<Vec<(&'static str, Summary)>> {
    let mut samples = vec![Vec::new(); targets.len()];
    for round in 1..=options.rounds {
        for (index, target) in targets.iter().enumerate() {
            let sample =
                turn(index, target).with_context(|| format!("measuring {}", target.name()))?;
            eprintln!(
                "  round {round}, {}: {}/s",
                target.name(),
                thousands(sample.rate)
            );
            samples[index].push(sample);
            thread::sleep(REST);
        }
    }
    let summaries = targets.iter().zip(&samples).map(|(target, samples)| {
        let summary = Summary::of(samples).context("no rounds")?;
        Ok((target.name(), summary))
    });
    summaries.collect()
}

/// Holds what was sent against what the server says that it took, if it does.
fn check_taken(name: &str, sent: u64, said: &str) -> anyhow::Result<()> {
    let Some(taken) = said.lines().find_map(|line| line.strip_prefix(TAKEN)) else {
        println!("{name}: {sent} messages sent; it keeps no count of those taken");
        return Ok(());
    };
    ensure!(
        taken.parse() == Ok(sent),
        "{name} took {taken} of {sent} messages"
    );
    println!("{name}: {sent} messages sent, all taken");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_sent_must_have_been_taken() {
        assert!(check_taken("x", 7, "framed://127.0.0.1:1\ntaken 7\n").is_ok());
        assert!(check_taken("x", 7, "framed://127.0.0.1:1\ntaken 6\n").is_err());
        assert!(check_taken("x", 7, "framed://127.0.0.1:1\n").is_ok());
    }
}

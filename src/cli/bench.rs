//! `gatepost bench`: how fast a server answers. The load itself is left to
//! [`crate::client::load`].

use super::exit::{Exit, Failure};
use super::output::Output;
use super::server::{Server, explain};
use super::settings::units;
use super::wording::counted;
use crate::client::WINDOW;
use crate::client::load::{self, Kind, Mix, Plan, Report, Row};
use crate::config::Unit;
use serde_json::{Value, json};
use std::time::Duration;

/// Load a server and measure how it answers
///
/// Each connection asks again as soon as it is answered, and each reply is checked. What is
/// posted and uploaded stays on the server.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Connections
    #[arg(long, short, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// Requests that each connection keeps under way
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=WINDOW as i64))]
    depth: u32,
    /// How long requests are sent
    #[arg(long, short, value_name = "TIME", default_value = "10s", value_parser = units::time)]
    duration: Duration,
    /// What is asked, with weights: ping, msg, file, bot, login, hello
    #[arg(long, short, value_name = "KIND=WEIGHT,…", default_value = "ping")]
    mix: Mix,
    /// The length of each text
    #[arg(long, value_name = "SIZE", default_value = "256", value_parser = text_bytes)]
    text_bytes: u64,
    /// The length of each file
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = file_bytes)]
    file_bytes: u64,
    /// Threads that share the connections
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    /// Print the figures as a line of JSON, times in microseconds
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

fn text_bytes(text: &str) -> Result<u64, String> {
    units::within(Unit::Bytes, text, 1..=1 << 20)
}

fn file_bytes(text: &str) -> Result<u64, String> {
    units::within(Unit::Bytes, text, 0..=1 << 30)
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let login = args.server.password()?;
    if args.mix.has(Kind::Login) && login.is_none() {
        return Err(Failure::usage("a mix with login needs --user"));
    }
    let target = &args.server.target;
    let server = target.belief.settle(&target.address, target.timeout);
    let plan = Plan {
        server: server.map_err(explain)?,
        connections: args.connections as usize,
        depth: args.depth as usize,
        threads: args.threads as usize,
        duration: args.duration,
        mix: args.mix,
        text_bytes: args.text_bytes as usize,
        file_bytes: args.file_bytes as usize,
        login,
        insecure: args.server.target.insecure,
        timeout: args.server.target.timeout,
    };
    let report = load::run(&plan)?;
    let mut output = Output::stdout();
    if args.json {
        output.json(&as_json(&plan, &report))?;
    } else {
        print(&report, &mut output)?;
    }
    match report.first_error {
        None => Ok(()),
        Some(first) => Err(Failure::new(
            Exit::Refused,
            format!(
                "{} failed, the first: {first}",
                counted(report.total.errors, "request")
            ),
        )),
    }
}

fn print(report: &Report, output: &mut Output) -> Result<(), Failure> {
    output.line(format_args!(
        "{:<6} {:>10} {:>7} {:>11} {:>9} {:>9} {:>9} {:>9}",
        "", "answered", "errors", "per second", "p50", "p99", "p99.9", "max"
    ))?;
    let total = (report.rows.len() > 1).then_some(&report.total);
    for row in report.rows.iter().chain(total) {
        output.line(format_args!(
            "{:<6} {:>10} {:>7} {:>11.0} {:>9} {:>9} {:>9} {:>9}",
            row.kind,
            row.answered,
            row.errors,
            row.rate,
            millis(row.p50),
            millis(row.p99),
            millis(row.p999),
            millis(row.max),
        ))?;
    }
    Ok(())
}

fn millis(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

fn as_json(plan: &Plan, report: &Report) -> Value {
    let row = |row: &Row| {
        let micros = |time: Duration| (time.as_secs_f64() * 1e7).round() / 10.0;
        json!({
            "kind": row.kind,
            "answered": row.answered,
            "errors": row.errors,
            "per_second": row.rate.round(),
            "p50_us": micros(row.p50),
            "p99_us": micros(row.p99),
            "p999_us": micros(row.p999),
            "max_us": micros(row.max),
        })
    };
    json!({
        "connections": plan.connections,
        "depth": plan.depth,
        "seconds": report.elapsed.as_secs_f64(),
        "kinds": report.rows.iter().map(row).collect::<Vec<_>>(),
        "all": row(&report.total),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::server::tests::typed;
    use clap::error::ErrorKind;

    #[test]
    fn numbers_out_of_range_are_mistakes() {
        let args: Args = typed(&["-c", "1000", "--mix", "ping=8,msg=2", "-d", "500ms"]).unwrap();
        assert_eq!(
            (args.connections, args.duration),
            (1000, Duration::from_millis(500))
        );
        assert!(args.mix.has(Kind::Msg));
        let args: Args = typed(&["--text-bytes", "1KiB"]).unwrap();
        assert_eq!((args.text_bytes, args.file_bytes), (1 << 10, 64 << 10));
        for wrong in [
            ["-c", "0"],
            ["--depth", "1025"],
            ["--mix", "nothing"],
            ["--threads", "0"],
            ["--text-bytes", "0"],
        ] {
            assert_eq!(
                typed::<Args>(&wrong).unwrap_err(),
                ErrorKind::ValueValidation
            );
        }
    }

    #[test]
    fn a_login_needs_a_user() {
        let failure = run(typed(&["--mix", "login"]).unwrap()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }
}

//! The documents held to the tables in the code: codes, limits, request types, and the golden
//! conversations that the protocol document quotes. What is missing is printed as it should stand.

use crate::golden::{self, form::Event};
use gatepost::cli::exit::EXITS;
use gatepost::config::{LIMITS, SCHEMES, Unit};
use gatepost::handler::HANDLERS;
use gatepost::session::{RIGHTS, Role};
use gatepost::wire::CODES;
use std::fs;
use std::path::Path;

/// The only type that has nothing to refuse: it takes no field and no body, in any state.
const NEVER_REFUSED: &[&str] = &["ping"];

#[track_caller]
fn document(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The rows of the first table under `heading` in a document, cells trimmed, without its two
/// heading lines.
#[track_caller]
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let mut lines = document.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "no heading {heading:?}");
    lines
        .take_while(|line| !line.starts_with("## "))
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            line.trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

/// A value as a person would write it into the settings.
fn written(unit: Unit, value: u64) -> String {
    let units: &[(u64, &str)] = match unit {
        Unit::Count => &[],
        Unit::Bytes => &[
            (1 << 40, "TiB"),
            (1 << 30, "GiB"),
            (1 << 20, "MiB"),
            (1 << 10, "KiB"),
        ],
        Unit::Time => &[(3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")],
    };
    let largest = units
        .iter()
        .find(|(size, _)| value > 0 && value.is_multiple_of(*size));
    largest.map_or(value.to_string(), |(size, name)| {
        format!("{}{name}", value / size)
    })
}

#[test]
fn values_are_written_in_their_largest_unit() {
    assert_eq!(written(Unit::Bytes, 65_536), "64KiB");
    assert_eq!(written(Unit::Bytes, 1_025), "1025");
    assert_eq!(written(Unit::Time, 300_000), "5m");
    assert_eq!(written(Unit::Time, 1_500), "1500ms");
    assert_eq!(written(Unit::Time, 0), "0");
    assert_eq!(written(Unit::Count, 1_024), "1024");
}

#[test]
fn every_code_has_its_row() {
    let rows = table(&document("docs/protocol.md"), "## Codes");
    let told: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    let known: Vec<_> = CODES.iter().map(|code| format!("`{code}`")).collect();
    assert_eq!(told, known);
    assert!(
        rows.iter().all(|row| row[1].len() > 10),
        "a code without its meaning"
    );
}

#[test]
fn every_limit_has_its_row() {
    let rows = table(&document("docs/protocol.md"), "## Limits");
    let expected: Vec<_> = LIMITS
        .iter()
        .map(|limit| {
            let value = |value| written(limit.unit, value);
            let range = format!("{} – {}", value(limit.least), value(limit.most));
            let key = format!("`{}`", limit.key);
            vec![key, value(limit.default), range, limit.about.to_owned()]
        })
        .collect();
    let table: Vec<_> = expected
        .iter()
        .map(|row| format!("| {} |", row.join(" | ")))
        .collect();
    assert_eq!(
        rows,
        expected,
        "the table should be:\n{}\n",
        table.join("\n")
    );
}

#[test]
fn every_exit_code_has_its_row() {
    let rows = table(&document("docs/protocol.md"), "## Exit codes");
    let expected: Vec<_> = EXITS
        .iter()
        .map(|(number, about)| vec![number.to_string(), (*about).to_owned()])
        .collect();
    let table: Vec<_> = expected
        .iter()
        .map(|row| format!("| {} |", row.join(" | ")))
        .collect();
    assert_eq!(
        rows,
        expected,
        "the table should be:\n{}\n",
        table.join("\n")
    );
    let readme = document("README.md");
    let told = readme
        .split("## Exit codes")
        .nth(1)
        .expect("the README has a section");
    for (number, _) in EXITS {
        assert!(
            told.contains(&format!("{number} ")),
            "the README leaves out {number}"
        );
    }
}

#[test]
fn every_request_type_is_described_in_the_order_of_the_table() {
    let document = document("docs/protocol.md");
    let sections: Vec<_> = document
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    let mut served: Vec<_> = HANDLERS
        .iter()
        .map(|handler| handler.spec().msg_type)
        .collect();
    served.push("close");
    assert_eq!(sections, served);
    for name in &served {
        let plain = name.chars().all(|c| c.is_ascii_lowercase());
        assert!(plain, "{name:?} is no plain lower-case word");
        assert_eq!(
            served.iter().filter(|other| *other == name).count(),
            1,
            "{name} twice"
        );
    }
}

#[test]
fn every_request_type_is_accepted_and_refused_in_a_golden_conversation() {
    let conversations = golden::all();
    for handler in HANDLERS {
        let name = handler.spec().msg_type;
        let seen = |ok: bool| {
            conversations
                .iter()
                .any(|one| answered(&one.steps, name, ok))
        };
        assert!(seen(true), "{name} is accepted in no golden conversation");
        let never = NEVER_REFUSED.contains(&name);
        assert_ne!(
            seen(false),
            never,
            "{name} is refused in no golden conversation"
        );
    }
}

/// Whether a request of type `name` with an id is answered with `ok` in these steps.
fn answered(steps: &[golden::form::Step], name: &str, ok: bool) -> bool {
    let requests = steps
        .iter()
        .enumerate()
        .filter_map(|(at, step)| match &step.event {
            Event::Send {
                header: Some(header),
                ..
            } if header["msg_type"] == name => Some((at, &header["id"])),
            _ => None,
        });
    requests.into_iter().any(|(at, id)| {
        let answer = steps[at..].iter().find_map(|step| match &step.event {
            Event::Header(reply) if reply.field("id") == Some(id) => reply.field("ok"),
            _ => None,
        });
        answer.and_then(serde_json::Value::as_bool) == Some(ok)
    })
}

#[test]
fn every_right_has_its_row() {
    let rows = table(&document("docs/protocol.md"), "## Roles and rights");
    let expected: Vec<_> = RIGHTS
        .iter()
        .map(|(right, about, _)| {
            let may = |role: Role| if role.may(*right) { "yes" } else { "–" };
            let roles = Role::ALL.map(|role| may(role).to_owned());
            [vec![(*about).to_owned()], roles.to_vec()].concat()
        })
        .collect();
    let table: Vec<_> = expected
        .iter()
        .map(|row| format!("| {} |", row.join(" | ")))
        .collect();
    assert_eq!(
        rows,
        expected,
        "the table should be:\n{}\n",
        table.join("\n")
    );
}

#[test]
fn every_conversation_has_its_row_with_its_parameters() {
    let rows = table(&document("docs/protocol.md"), "## Classic conversations");
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row[0].clone(), row[3..].concat()))
        .collect();
    let known: Vec<_> = SCHEMES
        .iter()
        .map(|scheme| {
            let parameters = scheme.parameters().iter().map(|name| format!("`{name}`"));
            let parameters: Vec<_> = parameters.collect();
            (format!("`{}://`", scheme.word()), parameters.join(" "))
        })
        .collect();
    assert_eq!(told, known);
}

#[test]
fn every_quoted_conversation_is_one_that_is_played() {
    let document = document("docs/protocol.md");
    let conversations = golden::all();
    let quoted: Vec<_> = document
        .split("```conversation\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    assert!(
        quoted.len() > 9,
        "the protocol document quotes conversations"
    );
    for quote in quoted {
        let lines: Vec<_> = quote.lines().collect();
        let played = conversations
            .iter()
            .any(|one| one.lines.windows(lines.len()).any(|window| window == lines));
        assert!(played, "quoted, but in no file of tests/it/data:\n{quote}");
    }
}

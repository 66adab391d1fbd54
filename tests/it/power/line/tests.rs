//! What strace writes, as it is known from it, and any calls written in its form.

use super::{Call, Outcome, Value, read};
use proptest::prelude::*;
use std::collections::VecDeque;

fn word(word: &str) -> Value {
    Value::Word(word.to_owned())
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec(), true)
}

/// Reads one call and gives its arguments and its outcome.
fn one(line: &str) -> (Vec<Value>, Outcome) {
    let mut calls = read([line]).unwrap();
    assert_eq!(calls.len(), 1);
    let call = calls.remove(0);
    (call.arguments, call.outcome)
}

#[test]
fn calls_of_every_form_are_read() {
    let open = r#"798   openat(7, "\x2e", O_RDWR|O_CREAT, 0600) = -1 EEXIST (File exists)"#;
    let arguments = vec![word("7"), bytes(b"."), word("O_RDWR|O_CREAT"), word("0600")];
    assert_eq!(one(open), (arguments, Outcome::Failed("EEXIST".to_owned())));

    let flags = "798   fcntl(9, F_GETFL)                 = 0x38000 (flags O_RDONLY|O_DIRECTORY)";
    let arguments = vec![word("9"), word("F_GETFL")];
    assert_eq!(one(flags), (arguments, Outcome::Done(0x38000)));

    let accept = r#"1 accept4(6, {sa_family=AF_INET, sin_port=htons(5), sin_addr=inet_addr("\x31")}, [128 => 16], SOCK_CLOEXEC) = 14"#;
    let (arguments, outcome) = one(accept);
    assert_eq!(outcome, Outcome::Done(14));
    assert_eq!(arguments[2], Value::List(vec![word("16")]));
    let Value::Fields(fields) = &arguments[1] else {
        panic!("{arguments:?}");
    };
    assert_eq!(fields[2].1, word(r#"inet_addr("\x31")"#));

    let write = r#"1 writev(3, [{iov_base="\x61", iov_len=1}, {iov_base="", iov_len=0}], 2) = 1"#;
    let piece = |text: &[u8], length: &str| {
        let (base, length) = (bytes(text), word(length));
        Value::Fields(vec![
            ("iov_base".to_owned(), base),
            ("iov_len".to_owned(), length),
        ])
    };
    let pieces = Value::List(vec![piece(b"a", "1"), piece(b"", "0")]);
    let arguments = vec![word("3"), pieces, word("2")];
    assert_eq!(one(write), (arguments, Outcome::Done(1)));

    let cut = r#"1 write(3, "\x61"..., 9) = 9"#;
    assert_eq!(one(cut).0[1], Value::Bytes(b"a".to_vec(), false));
}

#[test]
fn a_call_that_was_killed_has_no_outcome() {
    let lines = [
        r#"1 write(3, "\x61", 1 <unfinished ...>"#,
        "2 fsync(3 <unfinished ...>",
        "2 <... fsync resumed> <unfinished ...>) = ?",
        "2 +++ killed by SIGKILL +++",
        "1 --- SIGTERM {si_signo=SIGTERM} ---",
        "3 close(4) = -1 (errno 18446744073709551615)",
    ];
    let calls = read(lines).unwrap();
    let found: Vec<_> = calls
        .iter()
        .map(|call| (call.name.as_str(), call.begun, call.outcome.clone()))
        .collect();
    assert_eq!(
        found,
        [
            ("fsync", 1, Outcome::Unknown),
            ("close", 5, Outcome::Unknown),
            ("write", 0, Outcome::Unknown),
        ]
    );
}

#[test]
fn what_is_no_call_is_said() {
    for broken in [
        "x",
        "1 write",
        r#"1 write(3, "\x6", 1) = 1"#,
        r#"1 write(3, "a", 1) = 1"#,
        "1 <... write resumed>) = 1",
        "1 close(3) = three",
    ] {
        assert!(read([broken]).is_err(), "{broken}");
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (any::<Vec<u8>>(), any::<bool>()).prop_map(|(bytes, whole)| Value::Bytes(bytes, whole)),
        "[A-Z_|0-9]{1,12}".prop_map(Value::Word),
        (-1_000i64..1_000).prop_map(|number| Value::Word(number.to_string())),
        "[a-z]{1,5}\\([a-z]{1,5}\\)".prop_map(Value::Word),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec(("[a-z_]{1,8}", inner), 0..4).prop_map(Value::Fields),
        ]
    })
}

fn write(value: &Value) -> String {
    let join = |values: Vec<String>| values.join(", ");
    match value {
        Value::Bytes(bytes, whole) => {
            let text: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            format!("\"{text}\"{}", if *whole { "" } else { "..." })
        }
        Value::Word(word) => word.clone(),
        Value::List(values) => format!("[{}]", join(values.iter().map(write).collect())),
        Value::Fields(fields) => {
            let field = |(name, value): &(String, Value)| format!("{name}={}", write(value));
            format!("{{{}}}", join(fields.iter().map(field).collect()))
        }
    }
}

/// A call's name, arguments and result, and whether it is written on two lines.
type Plan = (String, Vec<Value>, Option<i64>, bool);

/// A line, and of which plan it is and whether that ends there.
type Line = (String, Option<(usize, bool)>);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let plan = (
        "[a-z]{1,8}[0-9]{0,2}",
        prop::collection::vec(values(), 0..5),
        prop::option::of(0i64..100_000),
        any::<bool>(),
    );
    prop::collection::vec(plan, 0..8)
}

proptest! {
    #[test]
    fn any_calls_of_any_threads_are_read_again(
        threads in prop::collection::vec(plans(), 1..4),
        turns in prop::collection::vec(any::<prop::sample::Index>(), 64),
        cut in any::<prop::sample::Index>(),
    ) {
        // Each thread's lines, in order; a call on two lines breaks off behind any argument.
        let mut lines: Vec<VecDeque<Line>> = Vec::new();
        for (thread, plans) in threads.iter().enumerate() {
            let mut own = VecDeque::new();
            for (place, (name, arguments, result, split)) in plans.iter().enumerate() {
                let texts: Vec<_> = arguments.iter().map(write).collect();
                let result = result.map_or("-1 EIO (x)".to_owned(), |result| result.to_string());
                if *split {
                    let at = cut.index(texts.len() + 1);
                    let comma = if at > 0 && at < texts.len() { ", " } else { "" };
                    let (head, tail) = (texts[..at].join(", "), texts[at..].join(", "));
                    let first = format!("{thread}  {name}({head}{comma} <unfinished ...>");
                    own.push_back((first, Some((place, false))));
                    let second = format!("{thread}  <... {name} resumed>{tail}) = {result}");
                    own.push_back((second, Some((place, true))));
                } else {
                    let line = format!("{thread}  {name}({})  = {result}", texts.join(", "));
                    own.push_back((line, Some((place, true))));
                }
            }
            own.push_back((format!("{thread}  +++ exited with 0 +++"), None));
            lines.push(own);
        }
        let mut written = Vec::new();
        let mut expected = Vec::new();
        let mut starts = vec![None; threads.len()];
        let mut turns = turns.iter().cycle();
        while lines.iter().any(|own| !own.is_empty()) {
            let thread = turns.next().unwrap().index(lines.len());
            let thread = (thread..).find(|&t| !lines[t % lines.len()].is_empty()).unwrap();
            let thread = thread % lines.len();
            let (line, mark) = lines[thread].pop_front().unwrap();
            let number = written.len();
            if let Some((place, ends)) = mark {
                let begun = *starts[thread].get_or_insert(number);
                if ends {
                    starts[thread] = None;
                    let (name, arguments, result, _) = threads[thread][place].clone();
                    expected.push(Call {
                        thread: u32::try_from(thread).unwrap(),
                        name,
                        arguments,
                        outcome: result.map_or(Outcome::Failed("EIO".to_owned()), Outcome::Done),
                        begun,
                        ended: number,
                    });
                }
            }
            written.push(line);
        }
        let found = read(written.iter().map(String::as_str));
        prop_assert_eq!(found, Ok(expected));
    }

    #[test]
    fn no_line_is_too_strange(line in "[0-9]{0,2} ?[a-z(\\[{\"\\\\x,=> )\\]}.<?]{0,40}") {
        // It may be refused, but no more.
        let _ = read([line.as_str()]);
    }
}

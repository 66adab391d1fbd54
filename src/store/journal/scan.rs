//! Reading `messages.log` from its first line to its last: what is good, what is not, and where
//! the good part ends. Changes nothing.

use super::record::{self, Opening};
use crate::store::ledger::Ledger;
use std::fmt;
use std::io::{self, BufRead};

/// The longest line that is believed, in bytes: the longest text there can be, each character of
/// it escaped. What is longer is junk and not gathered in memory.
const MAX_LINE: usize = 400 << 20;

/// At most so many bad places are named; the others are counted.
const MAX_NAMED: usize = 10;

/// What was found in a file.
#[derive(Debug)]
pub(super) struct Scan {
    /// The counters as its messages leave them.
    pub(super) ledger: Ledger,
    /// Where the last good line ends: what lies behind it is torn.
    pub(super) good: u64,
    /// Its length in bytes.
    pub(super) end: u64,
    /// Sentences about lines that are bad though good ones follow, or out of order.
    pub(super) notes: Vec<String>,
}

/// Bad lines one behind the other: a gap if good ones follow, a torn tail if not.
struct Run {
    first: u64,
    last: u64,
    start: u64,
}

/// Reads the whole of `file`, or only its first line if that is not ours.
pub(super) fn scan(mut file: impl BufRead) -> io::Result<(Opening, Scan)> {
    let mut line = Vec::new();
    let first = read_line(&mut file, &mut line)?;
    let opening = if first.ended {
        record::parse_header(&line)
    } else {
        Opening::Unreadable
    };
    let mut scan = Scan {
        ledger: Ledger::default(),
        good: 0,
        end: first.bytes,
        notes: Vec::new(),
    };
    if matches!(opening, Opening::Store(_)) {
        scan.good = first.bytes;
        scan.read_messages(&mut file, &mut line)?;
    }
    Ok((opening, scan))
}

impl Scan {
    fn read_messages(&mut self, file: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<()> {
        let mut bad: Option<Run> = None;
        let mut unnamed = 0;
        for number in 2.. {
            let read = read_line(file, line)?;
            if read.bytes == 0 {
                break;
            }
            let start = self.end;
            self.end += read.bytes;
            let Some(record) = read.ended.then(|| record::parse(line)).flatten() else {
                let run = bad.get_or_insert(Run {
                    first: number,
                    last: number,
                    start,
                });
                run.last = number;
                continue;
            };
            self.good = self.end;
            let gap = bad.take().map(|run| run.to_string());
            let last = self.ledger.last();
            let seq = record.receipt.seq;
            let in_order =
                (self.ledger).restore(record.from, &record.room, record.key, &record.receipt);
            let odd = (!in_order).then(|| {
                format!(
                    "line {number} has seq {seq}, which is not above {last}: left there and skipped"
                )
            });
            for note in gap.into_iter().chain(odd) {
                if self.notes.len() < MAX_NAMED {
                    self.notes.push(note);
                } else {
                    unnamed += 1;
                }
            }
        }
        if unnamed > 0 {
            self.notes.push(format!("{unnamed} more places like these"));
        }
        Ok(())
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, start } = self;
        write!(
            f,
            "lines {first} to {last}, at byte {start}, can't be read: left there and skipped"
        )
    }
}

/// What [`read_line`] read.
struct LineRead {
    /// Its bytes in the file, line end included; 0 at the end of the file.
    bytes: u64,
    /// Whether it has a line end.
    ended: bool,
}

/// Reads the next line, without its line end, into `line`. Of a line that can't be JSON or is too
/// long to be believed only the length is taken, so that a gigabyte of NULs needs no memory.
fn read_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<LineRead> {
    line.clear();
    let mut bytes = 0;
    let mut believed = true;
    loop {
        let waiting = match file.fill_buf() {
            Ok(waiting) => waiting,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let ended = waiting.iter().position(|byte| *byte == b'\n');
        let piece = &waiting[..ended.unwrap_or(waiting.len())];
        believed &= line
            .first()
            .or(piece.first())
            .is_none_or(|first| *first == b'{')
            && line.len() + piece.len() <= MAX_LINE;
        if believed {
            line.extend_from_slice(piece);
        } else {
            line.clear();
        }
        let used = piece.len() + usize::from(ended.is_some());
        bytes += used as u64;
        let over = used == 0;
        file.consume(used);
        if ended.is_some() || over {
            return Ok(LineRead {
                bytes,
                ended: ended.is_some(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;

    fn line(seq: u64) -> String {
        format!(
            r#"{{"seq":{seq},"prev":0,"room":"a","time":"1970-01-01T00:00:00Z","from":null,"text":""}}"#
        ) + "\n"
    }

    fn scanned(lines: &[&str]) -> Scan {
        let file = [
            &String::from_utf8(record::header("x")).unwrap(),
            &lines.concat()[..],
        ]
        .concat();
        // A tiny buffer: lines are put together from many pieces.
        let (_, scan) = scan(BufReader::with_capacity(3, file.as_bytes())).unwrap();
        assert_eq!(scan.end, file.len() as u64);
        scan
    }

    #[test]
    fn a_whole_file_has_no_tail_and_no_notes() {
        let scan = scanned(&[&line(1), &line(5)]);
        assert_eq!((scan.good, scan.ledger.last()), (scan.end, 5));
        assert_eq!(scan.notes, [""; 0]);
    }

    #[test]
    fn what_lies_behind_the_last_good_line_is_the_tail() {
        let cut = &line(2)[..20];
        let glued = format!("xx{}", line(3));
        for tail in [cut, "\0\0\0\0", "\0\n\0\n", "\n\n", "x", &glued] {
            let scan = scanned(&[&line(1), tail]);
            assert_eq!(scan.end - scan.good, tail.len() as u64, "{tail:?}");
            assert_eq!((scan.ledger.last(), scan.notes.len()), (1, 0), "{tail:?}");
        }
    }

    #[test]
    fn bad_lines_in_the_middle_are_named_with_their_place() {
        let scan = scanned(&[&line(1), "\0\n", "x\n", &line(2), &line(2), &line(4)]);
        assert_eq!((scan.good, scan.ledger.last()), (scan.end, 4));
        let [gap, odd] = &scan.notes[..] else {
            panic!("{:?}", scan.notes)
        };
        assert!(gap.starts_with("lines 3 to 4, at byte "), "{gap}");
        assert!(
            odd.starts_with("line 6 has seq 2, which is not above 2"),
            "{odd}"
        );
    }

    #[test]
    fn many_bad_places_are_counted_not_listed() {
        let lines: Vec<String> = (1..=50).map(|seq| format!("x\n{}", line(seq))).collect();
        let scan = scanned(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(scan.notes.len(), MAX_NAMED + 1);
        assert_eq!(scan.notes[MAX_NAMED], "40 more places like these");
    }

    #[test]
    fn a_file_without_our_header_is_not_read_on() {
        for file in ["", "x", "\0\0", r#"{"gatepost":1,"store":"cut off"}"#] {
            let (opening, scan) = scan(file.as_bytes()).unwrap();
            assert_eq!((opening, scan.good), (Opening::Unreadable, 0), "{file:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_scanned(junk: Vec<u8>, buffer in 1usize..40) {
            let mut file = record::header("x");
            file.extend_from_slice(line(1).as_bytes());
            let good = file.len() as u64;
            file.extend_from_slice(&junk);
            let (_, scan) = scan(BufReader::with_capacity(buffer, &file[..])).unwrap();
            prop_assert_eq!((scan.good, scan.end), (good, file.len() as u64));
        }
    }
}
